"""`journalctl -o json` lines, see "Journal JSON Format" of systemd, printed now or saved.

A field may be a string, an array of numbers where its bytes are no UTF-8, an array of values where it was repeated, or
null where it was over 4 KiB and `--all` was not given.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from nodediag.journal.journal import COREDUMP, KERNEL, MOST_MESSAGE_BYTES, UNKNOWN, Entry

MOST_LINE_BYTES: Final = 4 << 20
_MOST_DIGITS: Final = 20  # of 64 bits
Field: TypeAlias = str | list[int | str | list[int] | None] | int | None


class Record(msgspec.Struct, frozen=True, gc=False):
    """The fields of a line that are looked at."""

    message: Field = msgspec.field(name="MESSAGE", default=None)
    priority: Field = msgspec.field(name="PRIORITY", default=None)
    time: Field = msgspec.field(name="__REALTIME_TIMESTAMP", default=None)
    cursor: Field = msgspec.field(name="__CURSOR", default=None)
    boot: Field = msgspec.field(name="_BOOT_ID", default=None)
    unit: Field = msgspec.field(name="_SYSTEMD_UNIT", default=None)
    about: Field = msgspec.field(name="UNIT", default=None)
    object: Field = msgspec.field(name="OBJECT_SYSTEMD_UNIT", default=None)
    dumped: Field = msgspec.field(name="COREDUMP_UNIT", default=None)
    message_id: Field = msgspec.field(name="MESSAGE_ID", default=None)
    pid: Field = msgspec.field(name="_PID", default=None)
    uid: Field = msgspec.field(name="_UID", default=None)
    transport: Field = msgspec.field(name="_TRANSPORT", default=None)
    identifier: Field = msgspec.field(name="SYSLOG_IDENTIFIER", default=None)

    @property
    def is_entry(self) -> bool:
        """Tell an entry from other JSON, which has none of journald's fields."""
        fields = (self.message, self.time, self.cursor, self.unit, self.transport)
        return any(field is not None for field in fields)

    def entry(self) -> Entry:
        """Give what a reader of the journal gives; a time that is not known is -1."""
        priority = _number(self.priority)
        time_us = _number(self.time)
        message = _first(self.message)[:MOST_MESSAGE_BYTES]
        return Entry(
            -1 if time_us is None else time_us, message, priority, self.cursor if isinstance(self.cursor, str) else ""
        )

    def units(self) -> set[str]:
        """Give the units it belongs to, as `journalctl -u` finds them, or its identifier where it has none."""
        if KERNEL in _texts(self.transport):
            return {KERNEL}
        units = set(_texts(self.unit))
        if "1" in _texts(self.pid):
            units.update(_texts(self.about))
        if "0" in _texts(self.uid):
            units.update(_texts(self.object))
            if COREDUMP in _texts(self.message_id):
                units.update(_texts(self.dumped))
        units.discard("")
        return units or {text(self.identifier) or UNKNOWN}

    def source(self) -> str:
        """Name what logged it: the kernel, a unit, or its own name for itself."""
        if KERNEL in _texts(self.transport):
            return KERNEL
        return text(self.unit) or text(self.identifier) or UNKNOWN


def text(value: Field) -> str:
    """Give a field as text."""
    return value if isinstance(value, str) else _first(value).decode("utf-8", "backslashreplace")


def lines(chunks: Iterator[bytes]) -> Iterator[bytes | None]:
    """Give the lines of a text; None for each that is too long to be kept."""
    held = b""
    skipping = False
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        if whole:
            if not skipping:
                yield from _sound(held + whole[0])
            for line in whole[1:]:
                yield from _sound(line)
            held, skipping = rest, False
        elif not skipping:
            held += rest
        if len(held) > MOST_LINE_BYTES:
            held, skipping = b"", True
            yield None
    if not skipping:
        yield from _sound(held)


def _sound(line: bytes) -> Iterator[bytes | None]:
    if len(line) > MOST_LINE_BYTES:
        yield None
    elif line and not line.isspace():
        yield line


def _texts(value: Field) -> tuple[str, ...]:
    """Give all values of a field, which rarely are more than one."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and value and not isinstance(value[0], int):
        return tuple(text(item if isinstance(item, str) else None) for item in value)
    return () if value is None else (text(value),)


def _first(value: Field) -> bytes:
    """Give a field's bytes; the first of a repeated one, as libsystemd does, none of one that was left out."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, list) and value:
        first = value[0]
        if isinstance(first, int):
            return bytes(number & 0xFF for number in value if isinstance(number, int))
        return _first(list(first) if isinstance(first, list) else first)
    return b""


def _number(value: Field) -> int | None:
    if isinstance(value, list) and value and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS
        else None
    )
