"""Block devices and their partitions: sysfs, see sysfs-block in the kernel's ABI documents, and udev's database."""

import re
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.host.ask import Ask, Namespace, Read, Readlink
from nodediag.host.host import EVIDENCE_CAP, TEXT_CAP_BYTES, Host
from nodediag.model.evidence import Evidence, PathEvidence

NAMESPACE: Final[Namespace | None] = None  # sysfs shows the kernel's devices to every reader
PATH: Final = "/sys/class/block"
MOST: Final = 512
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_SECTOR_BYTES: Final = 512  # sysfs counts in these whatever the device's own sector is


class BlockDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A disk, partition or device-mapper device. What is not told stays empty; a size of -1 is unknown."""

    name: str
    kind: str  # disk, part, dm, loop, rom, or as lsblk(8) names it
    device: str = ""  # major:minor
    parent: str = ""  # the disk of a partition
    number: int = 0  # of a partition, from 1
    size_bytes: int = -1
    read_only: bool = False
    dm_name: str = ""
    dm_uuid: str = ""
    on: tuple[str, ...] = ()  # the devices a device-mapper device stands on
    part_label: str = ""
    part_uuid: str = ""
    label: str = ""
    fstype: str = ""
    targets: tuple[str, ...] = ()  # mount points, where a list of lsblk(8) names them
    evidence: Evidence

    @property
    def names(self) -> frozenset[str]:
        """The labels by which a layout names a partition: LABEL or PARTLABEL."""
        return frozenset({self.part_label, self.label} - {""})


class Partitions(msgspec.Struct, frozen=True, kw_only=True):
    """All block devices, by name; `total` counts those beyond the bound too."""

    devices: tuple[BlockDevice, ...]
    total: int

    def named(self, name: str) -> BlockDevice | None:
        """Give the device of a kernel or device-mapper name."""
        return next((device for device in self.devices if name and name in {device.name, device.dm_name}), None)

    def numbered(self, device: str) -> BlockDevice | None:
        """Give the device of a major:minor."""
        return next((found for found in self.devices if device and found.device == device), None)

    def below(self, device: BlockDevice) -> tuple[BlockDevice, ...]:
        """Give the partitions or disks on which a device finally stands, as far as the list has them."""
        reached = {device.name: device}
        waiting = [device]
        while waiting:
            for lower in map(self.named, waiting.pop(0).on):
                if lower is not None and lower.name not in reached:
                    reached[lower.name] = lower
                    waiting.append(lower)
        return tuple(found for found in reached.values() if not found.on)


def collect(host: Host) -> Partitions:
    """Read every block device that is in use; loop and RAM devices without a size are left out."""
    names = host.list(PATH)
    wanted = sorted((name for name in names if not name.startswith("ram")), key=lambda name: name.startswith("loop"))
    looked_at = sorted(wanted[:MOST])
    host.ahead(*(ask for name in looked_at for ask in _asked(f"{PATH}/{name}")))
    events = {name: _pairs(_maybe(host, f"{PATH}/{name}/uevent")) for name in looked_at}
    host.ahead(*(Read(_udev(event), TEXT_CAP_BYTES) for event in events.values() if _number_of(event)))
    found = [_device(host, name, event) for name, event in events.items()]
    devices = tuple(device for device in found if device.kind != "loop" or device.size_bytes > 0)
    return Partitions(devices=devices, total=len(devices) + max(0, len(wanted) - MOST))


def _asked(folder: str) -> tuple[Ask, ...]:
    """Give what is asked of every device."""
    return (*(Read(f"{folder}/{name}", TEXT_CAP_BYTES) for name in ("uevent", "size", "ro")), Readlink(folder))


def _number_of(event: dict[str, str]) -> str:
    """Give the major:minor of a device, empty where its event names none."""
    return f"{event['MAJOR']}:{event['MINOR']}" if {"MAJOR", "MINOR"} <= event.keys() else ""


def _udev(event: dict[str, str]) -> str:
    return f"/run/udev/data/b{_number_of(event)}"


def _device(host: Host, name: str, event: dict[str, str]) -> BlockDevice:
    folder = f"{PATH}/{name}"
    device = _number_of(event)
    udev = _pairs(_maybe(host, _udev(event)), prefix="E:") if device else {}
    mapped = name.startswith("dm-")
    target = _link(host, folder)
    return BlockDevice(
        name=name,
        kind=_kind(name, event.get("DEVTYPE", "")),
        device=device,
        parent=target.split("/")[-2] if event.get("DEVTYPE") == "partition" and target.count("/") > 1 else "",
        number=_number(event.get("PARTN", ""), 0),
        size_bytes=max(-1, _number(_maybe(host, f"{folder}/size").strip(), -1) * _SECTOR_BYTES),
        read_only=_maybe(host, f"{folder}/ro").strip() == "1",
        dm_name=_maybe(host, f"{folder}/dm/name").strip() if mapped else "",
        dm_uuid=_maybe(host, f"{folder}/dm/uuid").strip() if mapped else "",
        on=_names(host, f"{folder}/slaves") if mapped or name.startswith("md") else (),
        part_label=event.get("PARTNAME", "") or udev.get("ID_PART_ENTRY_NAME", ""),
        part_uuid=(event.get("PARTUUID", "") or udev.get("ID_PART_ENTRY_UUID", "")).lower(),
        label=udev.get("ID_FS_LABEL", ""),
        fstype=udev.get("ID_FS_TYPE", ""),
        evidence=PathEvidence(path=folder, type="link", target=target[:EVIDENCE_CAP]),
    )


def _kind(name: str, devtype: str) -> str:
    if devtype == "partition":
        return "part"
    for prefix, kind in (("dm-", "dm"), ("loop", "loop"), ("sr", "rom"), ("md", "raid")):
        if name.startswith(prefix):
            return kind
    return devtype


def _number(text: str, otherwise: int) -> int:
    return int(text) if _NUMBER.fullmatch(text) else otherwise


def _pairs(text: str, prefix: str = "") -> dict[str, str]:
    lines = (line.removeprefix(prefix) for line in text.split("\n") if line.startswith(prefix))
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _maybe(host: Host, path: str) -> str:
    """Give a file's text, empty where there is none: a device need not have each of them."""
    try:
        return host.text(path)
    except ReadError:
        return ""


def _link(host: Host, path: str) -> str:
    try:
        return host.readlink(path)
    except ReadError:
        return ""


def _names(host: Host, path: str) -> tuple[str, ...]:
    try:
        return host.list(path)
    except ReadError:
        return ()
