"""Saved `journalctl -o json` lines, see "Journal JSON Format" of systemd: plain or gzip, from a file or standard input.

A field may be a string, an array of numbers where its bytes are no UTF-8, an array of strings where it was repeated, or
null where it was over 4 KiB and `--all` was not given.
"""

import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from nodediag.journal.journal import KERNEL, Entry, Query, Source
from nodediag.model.reason import BlindSpot, Code, Reason

Field = str | list[int | str | list[int]] | int | None
_GZIP: Final = b"\x1f\x8b"
_BATCH: Final = 128
_MOST_BYTES: Final = 1 << 30
_MOST_LINE: Final = 16 << 20
_SYSTEMD_COREDUMP: Final = "fc2e22bc6ee647b6b90729ab34a250b1"


class SavedJournal:
    """Entries from text; a line that is none is counted and named as a blind spot, never fatal."""

    name = "saved"

    def __init__(self, chunks: Iterator[bytes], path: str) -> None:
        self._path = path
        self._bad: dict[str, int] = {}
        self._by_unit: dict[str, list[Entry]] = {}
        decode = msgspec.json.Decoder(dict[str, Field]).decode
        try:
            for line in _lines(_unpacked(chunks)):
                self._line(line, decode)
        except zlib.error as error:
            self._refuse(f"the rest is no gzip: {error}")

    def _line(self, line: bytes, decode: Callable[[bytes], dict[str, Field]]) -> None:
        try:
            self._keep(decode(line))
        except (msgspec.MsgspecError, RecursionError) as error:
            self._refuse(str(error)[:80])

    def _refuse(self, why: str) -> None:
        self._bad[why] = self._bad.get(why, 0) + 1

    def _keep(self, fields: dict[str, Field]) -> None:
        time_us = _number(fields.get("__REALTIME_TIMESTAMP"), -1)
        priority = _number(fields.get("PRIORITY"), -1)
        message = _bytes(fields.get("MESSAGE"))
        cursor = fields.get("__CURSOR")
        entry = Entry(time_us, message, priority if priority >= 0 else None, cursor if isinstance(cursor, str) else "")
        for unit in _units(fields):
            self._by_unit.setdefault(unit, []).append(entry)

    def batches(self, unit: str, query: Query) -> Iterator[list[Entry]]:
        """Give the entries of a unit that lie in the window; one without a time is taken to lie in it."""
        since, until = query.since.timestamp() * 1e6, query.until.timestamp() * 1e6
        held = [e for e in self._by_unit.get(unit, ()) if e.time_us < 0 or since <= e.time_us <= until][-query.cap :]
        for start in range(0, len(held), _BATCH):
            yield held[start : start + _BATCH]

    def units(self) -> tuple[str, ...]:
        """Name all units, and kernel."""
        return tuple(sorted(self._by_unit))

    def newest(self) -> datetime | None:
        """Give the time of the newest entry, by which a capture without a date of its own is judged."""
        times = [entry.time_us for entries in self._by_unit.values() for entry in entries if entry.time_us > 0]
        try:
            return datetime.fromtimestamp(max(times) / 1e6, UTC) if times else None
        except (ValueError, OverflowError, OSError):
            return None

    def sources(self) -> tuple[Source, ...]:
        """Give the one text that was read."""
        entries = sum(len(held) for held in self._by_unit.values())
        return (Source(path=self._path, entries=entries, first_us=0, last_us=0, state="saved"),)

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Name the lines that are no entries."""
        return tuple(
            BlindSpot(
                what=self._path,
                reason=Reason(code=Code.UNPARSABLE, detail=f"{count} lines are no journal entries: {why}"),
            )
            for why, count in self._bad.items()
        )

    def cursor(self, unit: str, entry: Entry) -> str:
        """Give the cursor that was saved with the entry."""
        del unit
        return entry.cursor


def _units(fields: dict[str, Field]) -> set[str]:
    """Give the units an entry belongs to, as `journalctl -u` finds them, or its identifier where it has none."""
    if fields.get("_TRANSPORT") == KERNEL:
        return {KERNEL}
    units = {_text(fields.get("_SYSTEMD_UNIT"))}
    if fields.get("_PID") == "1":
        units.add(_text(fields.get("UNIT")))
    if fields.get("_UID") == "0":
        units.add(_text(fields.get("OBJECT_SYSTEMD_UNIT")))
        if fields.get("MESSAGE_ID") == _SYSTEMD_COREDUMP:
            units.add(_text(fields.get("COREDUMP_UNIT")))
    units -= {""}
    return units or {_text(fields.get("SYSLOG_IDENTIFIER")) or "unknown"}


def _text(value: Field) -> str:
    return _bytes(value).decode("utf-8", "backslashreplace")


def _bytes(value: Field) -> bytes:
    """Give a field's bytes; the last of a repeated one, none of one that was left out."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, list) and value:
        last = value[-1]
        if isinstance(last, int):
            return bytes(number & 0xFF for number in value if isinstance(number, int))
        return _bytes(list(last) if isinstance(last, list) else last)
    return b""


def _number(value: Field, missing: int) -> int:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else missing


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Undo gzip where the first bytes say so; a bomb ends at a bound."""
    inflate = None
    total = 0
    for number, chunk in enumerate(chunks):
        if number == 0 and chunk.startswith(_GZIP):
            inflate = zlib.decompressobj(wbits=31)
        pieces = [chunk] if inflate is None else _inflated(inflate, chunk)
        for piece in pieces:
            total += len(piece)
            if total > _MOST_BYTES:
                return
            yield piece


def _inflated(inflate: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    while chunk:
        yield inflate.decompress(chunk, _MOST_LINE)
        chunk = inflate.unconsumed_tail


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())
        if len(held) > _MOST_LINE:
            held = held[:_MOST_LINE]
    if held.strip():
        yield held
