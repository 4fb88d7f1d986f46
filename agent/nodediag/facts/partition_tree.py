"""The block devices as lsblk(8) prints them with its default columns: a tree, drawn in UTF-8 or ASCII, or a list.

A device that stands on several others is printed below each of them. Further mount points of one stand below its first.
"""

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from nodediag.facts.partitions import BlockDevice
from nodediag.host.host import Line

WANTED: Final = "a table of lsblk(8) with its header"
_ROW: Final = re.compile(r"[ │├└─|`-]*(\S+)")
_WORD: Final = re.compile(r"\S+")
_NUMBERS: Final = re.compile(r"[0-9]+:[0-9]+")
_SIZE: Final = re.compile(r"([0-9]{1,20})(?:[.,]([0-9]))?([BKMGTPE]?)")
_MOST_BYTES: Final = 2**63 - 1
_UNITS: Final = "BKMGTPE"
_PARTITION: Final = re.compile(r"(.*[0-9](?=p)|(?:[hsv]|xv)d[a-z]+)p?([0-9]{1,9})")
_MAPPED: Final = frozenset({"dm", "crypt", "lvm", "mpath"})  # lsblk finds the word in a device-mapper device's uuid

Columns: TypeAlias = dict[str, tuple[int, int]]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: its cells, and how far right its name stands. A further mount point has no cells."""

    line: Line
    start: int
    text: str
    cells: dict[str, str]


def read(lines: tuple[Line, ...]) -> dict[str, BlockDevice]:
    """Read the devices by name, in the table's order."""
    devices: dict[str, BlockDevice] = {}
    on: dict[str, dict[str, None]] = {}
    targets: dict[str, list[str]] = {}
    above: list[Row] = []
    last = ""  # the device whose further mount points may follow
    for row in _rows(lines):
        if row.cells:
            above = [*(held for held in above if held.start < row.start), row]
            device = _device(row, bare(above[-2].cells["NAME"]) if len(above) > 1 else "")
            last = "" if device.name in devices else device.name
            devices.setdefault(device.name, device)
            targets.setdefault(device.name, list(device.targets))
            on.setdefault(device.name, {}).update(dict.fromkeys(device.on))
        elif last and row.text.startswith("/"):
            targets[last].append(row.text)
    return {
        name: msgspec.structs.replace(device, on=tuple(on[name]), targets=tuple(targets[name]))
        for name, device in devices.items()
    }


def bare(name: str) -> str:
    """Give a device's name without its folder, as `lsblk` prints it unless told otherwise."""
    return name.removeprefix("/dev/mapper/").removeprefix("/dev/")


def split(name: str) -> tuple[str, int]:
    """Part a partition's name: the kernel puts a `p` before the number where the disk's name ends in a digit."""
    found = _PARTITION.fullmatch(name)
    return (found[1], int(found[2])) if found else ("", 0)


def _rows(lines: tuple[Line, ...]) -> Iterator[Row]:
    columns: Columns = {}
    for line in lines:
        row = _ROW.match(line.text)
        if row is None:
            continue
        if row[1] == "NAME":
            columns = {word[0]: word.span() for word in _WORD.finditer(line.text)}
        cells = _cells(line.text, row, columns)
        start = row.start(1)
        known = cells if _NUMBERS.fullmatch(cells.get("MAJ:MIN", "")) else {}
        yield Row(line=line, start=start, text=line.text[start:].strip(), cells=known)


def _cells(text: str, row: re.Match[str], columns: Columns) -> dict[str, str]:
    """Give a row's cells in their order, or where one is empty by the header above them."""
    ordered = dict(zip(columns, text[row.start(1) :].split(maxsplit=max(len(columns) - 1, 0)), strict=False))
    if ordered.get("RO") in {"0", "1"} and ordered.get("TYPE", "").isalnum():
        return ordered
    words = list(_WORD.finditer(text, row.end()))
    cells = {
        name: next((word[0] for word in words if word.start() < end and word.end() > start), "")
        for name, (start, end) in columns.items()
    }
    last, (start, _) = next(reversed(columns.items()), ("", (0, 0)))
    return cells | {last: text[max(start, row.end()) :].strip(), "NAME": row[1]}


def _device(row: Row, above: str) -> BlockDevice:
    cells = row.cells
    name, kind = bare(cells["NAME"]), cells.get("TYPE", "")
    mapped, raid = kind in _MAPPED, kind.startswith("raid")
    disk, number = split(name) if kind == "part" else ("", 0)
    target = (cells.get("MOUNTPOINTS") or cells.get("MOUNTPOINT", "")).rstrip()
    return BlockDevice(
        name=name,
        kind="dm" if mapped else "raid" if raid else kind,
        device=cells["MAJ:MIN"],
        parent=above or disk if kind == "part" else "",
        number=number,
        size_bytes=_bytes(cells.get("SIZE", "")),
        read_only=cells.get("RO") == "1",
        dm_name=name if mapped else "",
        on=(above,) if above and (mapped or raid) else (),
        targets=(target,) if target.startswith("/") else (),
        evidence=row.line.evidence,
    )


def _bytes(text: str) -> int:
    """Read a size such as `195.9G`, which lsblk has rounded to a tenth."""
    found = _SIZE.fullmatch(text)
    size = int(found[1] + (found[2] or "0")) * 1024 ** _UNITS.index(found[3] or "B") // 10 if found else -1
    return size if size <= _MOST_BYTES else -1
