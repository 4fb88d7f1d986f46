"""The form of a journal file, see "Journal File Format" of systemd, and what of one can no longer be reached.

libsystemd passes over what is damaged and says nothing of it; so a file that nobody writes to is walked as it walks it:
by the chain of all entries, and by those of what each unit and each transport logged, and all is counted.
"""

import struct
from collections.abc import Iterator
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    import mmap

_SIGNATURE: Final = b"LPKSHHRH"
_STATES: Final = ("offline", "online", "archived")
_ARCHIVED: Final = "archived"
_COMPACT: Final = 1 << 4
_HEADER: Final = struct.Struct("<8s4xIB7x16x16s16x16x14Q")
_DATA, _FIELD, _ENTRY, _ENTRY_ARRAY = 1, 2, 3, 6
_ARRAY: Final = struct.Struct("<B7xQQ")  # type, size, offset of the next array; the offsets of entries follow
_ENTRY_START: Final = struct.Struct("<B7xQQQQ")  # type, size, number, realtime, monotonic
_ENTRY_BYTES: Final = 64  # an entry without items
_DATA_START: Final = struct.Struct("<B7xQQQQQQQ")  # type, size, hash, next of hash, of field, entry, array, entries
_FIELD_START: Final = struct.Struct("<B7xQQQQ")  # type, size, hash, next of hash, first data
_BUCKET: Final = struct.Struct("<Q8x")
_MOST_BUCKETS: Final = 1 << 16
_TIMES_END: Final = 1 << 55  # no entry is later
_AT_ONCE: Final = 4096
_SAMPLED: Final = 16
_MATCHED: Final = (b"_SYSTEMD_UNIT", b"_TRANSPORT")
_MOST_NAME: Final = 256
_UNREADABLE: Final = (struct.error, OverflowError)  # an offset that lies outside

Mapped: TypeAlias = "mmap.mmap | bytes"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal file says of itself; `*_at` are places in it."""

    is_compact: bool
    state: str
    machine: str  # that wrote it; journald names the folder by it
    hashes_at: int
    hashes_bytes: int
    fields_at: int
    fields_bytes: int
    entries: int
    last_number: int  # of its last entry, in the whole journal
    array_at: int
    first_us: int
    last_us: int

    @property
    def is_archived(self) -> bool:
        """Whether journald has put it aside, and writes to another one now."""
        return self.state == _ARCHIVED


def parse(data: bytes) -> Header | None:
    """Parse a header; None for a file that has none."""
    if len(data) < _HEADER.size:
        return None
    signature, flags, state, machine, *numbers = _HEADER.unpack_from(data)
    if signature != _SIGNATURE:
        return None
    return Header(
        is_compact=bool(flags & _COMPACT),
        state=_STATES[state] if state < len(_STATES) else "unknown",
        machine=machine.hex(),
        hashes_at=numbers[2],
        hashes_bytes=numbers[3],
        fields_at=numbers[4],
        fields_bytes=numbers[5],
        entries=numbers[8],
        last_number=numbers[9],
        array_at=numbers[11],
        first_us=numbers[12],
        last_us=numbers[13],
    )


def missing(data: Mapped, header: Header, since_us: int) -> str:
    """Say what of a file cannot be reached, empty where all can; entries before a time are taken to be sound."""
    chain = _offsets(data, header, header.array_at, header.entries)
    count = sum(len(some) if _is_over(data, some, since_us) else _sound(data, header, some) for some in chain)
    if count < header.entries:
        return f"of {header.entries} entries {count} can be reached"
    for name, at in _fields(data, header):
        for value, held, reached in _values(data, header, at) if name in _MATCHED else ():
            if reached < held:
                return f"of {held} entries of {value} {reached} can be reached"
    return ""


def _offsets(data: Mapped, header: Header, array_at: int, most: int) -> Iterator[tuple[int, ...]]:
    """Give the offsets that a chain of arrays holds, some at a time, till it ends or is broken."""
    size, item_bytes, code = (len(data), 4, "I") if header.is_compact else (len(data), 8, "Q")
    while most > 0 and 0 < array_at <= size - _ARRAY.size:
        kind, array_bytes, following = _ARRAY.unpack_from(data, array_at)
        end = array_at + array_bytes
        if kind != _ENTRY_ARRAY or array_bytes < _ARRAY.size + item_bytes or end > size:
            return
        count = min(most, (array_bytes - _ARRAY.size) // item_bytes)
        for first in range(0, count, _AT_ONCE):
            form = f"<{min(_AT_ONCE, count - first)}{code}"
            yield struct.unpack_from(form, data, array_at + _ARRAY.size + first * item_bytes)
        most -= count
        if following < end:  # an array is always written behind the one before it
            return
        array_at = following


def _is_over(data: Mapped, offsets: tuple[int, ...], since_us: int) -> bool:
    """Tell whether the last of some entries is of before a time."""
    return _is_entry(data, offsets[-1]) and _ENTRY_START.unpack_from(data, offsets[-1])[3] < since_us


def _sound(data: Mapped, header: Header, offsets: tuple[int, ...]) -> int:
    """Count the entries among what some offsets lead to; one by one only where not all are.

    Of all the kind is looked at, which is lost wherever a page is; the numbers and times, of each sixteenth.
    """
    if len(offsets) > 1 and _in_order(offsets) and offsets[-1] < len(data) - _ENTRY_BYTES:
        kinds = bytes(itemgetter(*offsets)(data))
        rows = list(map(_ENTRY_START.unpack_from, repeat(data), offsets[::_SAMPLED]))
        _, sizes, numbers, times, uptimes = zip(*rows, strict=True)
        sound = _ENTRY_BYTES < min(sizes) <= max(sizes) <= len(data) and 0 < min(times) <= max(times) < _TIMES_END
        sound = sound and max(uptimes) < _TIMES_END and max(numbers) <= header.last_number
        if sound and kinds.count(_ENTRY) == len(offsets):
            return len(offsets)
    return len({at for at in offsets if _is_entry(data, at) and _number(data, at) <= header.last_number})


def _is_entry(data: Mapped, at: int) -> bool:
    """Tell whether libsystemd takes what lies there for an entry."""
    try:
        kind, size, number, time_us, uptime_us = _ENTRY_START.unpack_from(data, at)
    except _UNREADABLE:
        return False
    fits = at > 0 == at % 8 and _ENTRY_BYTES < size <= len(data) - at
    return bool(kind == _ENTRY and fits and number > 0 and 0 < time_us < _TIMES_END > uptime_us)


def _number(data: Mapped, at: int) -> int:
    number: int = _ENTRY_START.unpack_from(data, at)[2]
    return number


def _in_order(offsets: tuple[int, ...]) -> bool:
    """Tell whether each is behind the one before it, and none but where an object may begin, at each eighth byte."""
    return offsets[0] > 0 == sum(offsets) % 8 and sorted(offsets) == list(offsets)


def _fields(data: Mapped, header: Header) -> Iterator[tuple[bytes, int]]:
    """Give each field's name, and where the first of its values lies."""
    for bucket in range(min(header.fields_bytes // _BUCKET.size, _MOST_BUCKETS)):
        at = _head(data, header.fields_at + bucket * _BUCKET.size)
        while at:
            try:
                kind, size, _, following, first = _FIELD_START.unpack_from(data, at)
            except _UNREADABLE:
                break
            if kind != _FIELD:
                break
            yield data[at + _FIELD_START.size : at + min(size, _MOST_NAME)], first
            at = following if following > at else 0


def _values(data: Mapped, header: Header, at: int) -> Iterator[tuple[str, int, int]]:
    """Give each value of a field: what it is, how many entries it says it is in, how many of them can be reached."""
    payload = _DATA_START.size + (8 if header.is_compact else 0)
    while at:
        try:
            kind, size, hashed, _, following, first, array_at, held = _DATA_START.unpack_from(data, at)
        except _UNREADABLE:
            return
        if kind != _DATA:
            return
        value = bytes(data[at + payload : at + min(size, _MOST_NAME)]).decode("utf-8", "backslashreplace")
        reached = 0
        if _is_found(data, header, at, hashed):
            reached = int(_is_entry(data, first))
            for some in _offsets(data, header, array_at, held - 1):
                sound = _in_order(some) and _is_entry(data, some[0]) and _is_entry(data, some[-1])
                reached += len(some) if sound else len({one for one in some if _is_entry(data, one)})
        yield value, held, reached
        at = following if following < at else 0  # a value is always written behind those it leads to


def _is_found(data: Mapped, header: Header, wanted: int, hashed: int) -> bool:
    """Tell whether the table of hashes leads to a value."""
    buckets = header.hashes_bytes // _BUCKET.size
    at = _head(data, header.hashes_at + hashed % buckets * _BUCKET.size) if buckets else 0
    while 0 < at < wanted:
        try:
            kind, _, _, following, *_ = _DATA_START.unpack_from(data, at)
        except _UNREADABLE:
            return False
        if kind != _DATA or following <= at:
            return False
        at = following
    return at == wanted


def _head(data: Mapped, at: int) -> int:
    """Give where the chain of a bucket begins, 0 where there is none."""
    try:
        found: int = _BUCKET.unpack_from(data, at)[0]
    except _UNREADABLE:
        return 0
    return found
