"""Block devices as lsblk(8) and blkid(8) print them, for a folder without /sys/class/block."""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts import partition_tree
from nodediag.facts.partitions import MOST, BlockDevice, Partitions
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.reason import Code

NAMESPACE: Final[Namespace | None] = None  # sos runs both on the node itself
Parser: TypeAlias = Callable[[tuple[Line, ...], str], Partitions]
_MISSING: Final = frozenset({Code.NOT_CAPTURED, Code.ABSENT})
_TAG: Final = re.compile(r'\s([A-Z][A-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")
_KINDS: Final = (("dm-", "dm"), ("loop", "loop"), ("sr", "rom"), ("md", "raid"))
_BLKID_WANTED: Final = 'a line of blkid(8), `/dev/NAME: KEY="VALUE"`'


def collect(host: Host) -> Partitions:
    """Read the lists that are there; without any, the first one's error stands for all."""
    found: list[Partitions] = []
    missing: list[ReadError] = []
    for path, parser in _LISTS:
        try:
            found.append(parser(host.lines(path), path))
        except ReadError as error:
            if error.reason.code not in _MISSING:
                raise
            missing.append(error)
    if not found:
        raise missing[0]
    return merge(*found)


def merge(first: Partitions, *others: Partitions) -> Partitions:
    """Join lists by the devices' names: what an earlier list tells stands, a later one fills what it left empty."""
    devices = {device.name: device for device in first.devices}
    for device in (device for other in others for device in other.devices):
        held = devices.get(device.name)
        devices[device.name] = device if held is None else _filled(held, device)
    return _bounded(devices, max(first.total, *(other.total for other in others), 0))


def parse_lsblk(lines: tuple[Line, ...], path: str) -> Partitions:
    """Parse what `lsblk` prints with its default columns."""
    return _listed(partition_tree.read(lines), lines, path, partition_tree.WANTED)


def parse_blkid(lines: tuple[Line, ...], path: str) -> Partitions:
    """Parse what `blkid` prints."""
    devices: dict[str, BlockDevice] = {}
    for line in lines:
        node, colon, tags = line.text.partition(": ")
        if colon and node.startswith("/dev/"):
            device = _device(line, node, {tag[1]: _ESCAPED.sub(r"\1", tag[2]) for tag in _TAG.finditer(" " + tags)})
            devices.setdefault(device.name, device)
    return _listed(devices, lines, path, _BLKID_WANTED)


def _device(line: Line, node: str, tags: dict[str, str]) -> BlockDevice:
    name = partition_tree.bare(node)
    mapped = node.startswith("/dev/mapper/")
    disk, number = ("", 0) if mapped else partition_tree.split(name)
    kind = "part" if number else next((kind for start, kind in _KINDS if name.startswith(start)), "disk")
    return BlockDevice(
        name=name,
        kind="dm" if mapped else kind,
        parent=disk,
        number=number,
        dm_name=name if mapped else "",
        part_label=tags.get("PARTLABEL", ""),
        part_uuid=tags.get("PARTUUID", "").lower(),
        label=tags.get("LABEL", ""),
        fstype=tags.get("TYPE", ""),
        evidence=line.evidence,
    )


def _filled(held: BlockDevice, more: BlockDevice) -> BlockDevice:
    return msgspec.structs.replace(
        held,
        part_label=held.part_label or more.part_label,
        part_uuid=held.part_uuid or more.part_uuid,
        label=held.label or more.label,
        fstype=held.fstype or more.fstype,
    )


def _listed(devices: dict[str, BlockDevice], lines: tuple[Line, ...], path: str, wanted: str) -> Partitions:
    if not devices:
        first = next((line.text for line in lines if line.text.strip()), "")
        raise ParseError(path, first, wanted)
    return _bounded(devices, len(devices))


def _bounded(devices: dict[str, BlockDevice], total: int) -> Partitions:
    return Partitions(devices=tuple(devices.values())[:MOST], total=max(total, len(devices)))


_LISTS: Final[tuple[tuple[str, Parser], ...]] = (
    ("/sos_commands/block/lsblk", parse_lsblk),
    ("/sos_commands/block/blkid_-c_.dev.null", parse_blkid),
    ("/sos_commands/block/blkid", parse_blkid),
)
