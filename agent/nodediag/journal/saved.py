"""Saved `journalctl -o json` lines: plain or gzip, from a file or standard input.

They are kept packed, and when there are too many the oldest of the unit that takes most room go, which is said.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Final

import msgspec

from nodediag.host.stream import SilentError
from nodediag.journal.journal import BATCH, Batch, Entry, Query, Source, left_out, wall_time
from nodediag.journal.record import MOST_LINE_BYTES, Record, lines, text
from nodediag.model.reason import BlindSpot, Code, Reason

MOST_BYTES: Final = 4 << 30
_GZIP: Final = b"\x1f\x8b"
_PIECE_BYTES: Final = 1 << 20
_MOST_HELD_BYTES: Final = 24 << 20
_SHRUNK: Final = 0.9
_MOST_UNITS: Final = 4096
_MOST_BOOTS: Final = 1024
_MOST_ENDINGS: Final = 8  # boots of which the last entries are kept
_MOST_LAST: Final = 64
_LAST_BYTES: Final = 4096
_MOST_COMPLAINTS: Final = 8
_OVERHEAD_BYTES: Final = 200  # of an entry beside its message and cursor, of a block beside its bytes
_OPEN_BYTES: Final = 64 * 1024
_QUICK: Final = 1
_SEVERAL: Final = "of several units"
_DECODE: Final = msgspec.msgpack.Decoder(list[Entry]).decode
_ENCODE: Final = msgspec.msgpack.Encoder().encode


class _Block(msgspec.Struct, frozen=True):
    boot: str
    count: int
    data: bytes


class _Held:
    """The entries of one unit: the newest as they are, those before in packed blocks of one boot each."""

    __slots__ = ("blocks", "boot", "bytes", "entries", "open_bytes")

    def __init__(self) -> None:
        self.blocks: deque[_Block] = deque()
        self.boot = ""
        self.entries: list[Entry] = []
        self.open_bytes = 0
        self.bytes = 0  # of both

    def add(self, entry: Entry, boot: str) -> None:
        """Keep an entry."""
        if boot != self.boot or len(self.entries) >= BATCH or self.open_bytes > _OPEN_BYTES:
            self.pack()
            self.boot = boot
        size = len(entry.message) + len(entry.cursor) + _OVERHEAD_BYTES
        self.entries.append(entry)
        self.open_bytes += size
        self.bytes += size

    def pack(self) -> None:
        """Pack the newest entries."""
        if self.entries:
            block = _Block(self.boot, len(self.entries), zlib.compress(_ENCODE(self.entries), _QUICK))
            self.blocks.append(block)
            self.bytes += len(block.data) + _OVERHEAD_BYTES - self.open_bytes
            self.entries, self.open_bytes = [], 0

    def drop(self) -> int:
        """Let the oldest block go, and give how many entries went."""
        if not self.blocks:
            self.pack()
            return 0
        block = self.blocks.popleft()
        self.bytes -= len(block.data) + _OVERHEAD_BYTES
        return block.count

    def unpacked(self, boot: str) -> Iterator[Entry]:
        """Give the entries of a boot, or of all."""
        for block in self.blocks:
            if boot in {"", block.boot}:
                yield from _DECODE(zlib.decompress(block.data))
        if boot in {"", self.boot}:
            yield from self.entries


class SavedJournal:
    """Entries from text; a line that is none is counted and named as a blind spot, never fatal."""

    name = "saved"

    def __init__(self, chunks: Iterator[bytes], path: str, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._bad: dict[str, int] = {}
        self._by_unit: dict[str, _Held] = {}
        self._boots: dict[str, deque[tuple[str, Entry]]] = {}  # with the last entries of each
        self._bytes = 0
        self._dropped: dict[str, int] = {}
        self._cut: dict[str, int] = {}
        self._entries = self._first_us = self._last_us = 0
        self._ends = ""
        self._silent = False
        decode = msgspec.json.Decoder(Record).decode
        try:
            for line in self._records(self._unpacked(chunks)):
                self._line(line, decode)
        except zlib.error as error:
            self._ends = f"the rest is no gzip: {error}"
        except SilentError:
            self._silent = True

    def _records(self, chunks: Iterator[bytes]) -> Iterator[bytes | None]:
        """Give the entries of a text as JSON, a line each; None for one that is too long."""
        return lines(chunks)

    def _line(self, line: bytes | None, decode: Callable[[bytes], Record]) -> None:
        if line is None:
            self._refuse(f"longer than {MOST_LINE_BYTES} bytes")
            return
        try:
            record = decode(line)
            if record.is_entry:
                self._keep(record)
            else:
                self._refuse("none of journald's fields is in it")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._refuse(str(error)[:80])

    def _refuse(self, why: str) -> None:
        kind = why if why in self._bad or len(self._bad) < _MOST_COMPLAINTS else "for other reasons"
        self._bad[kind] = self._bad.get(kind, 0) + 1

    def _keep(self, record: Record) -> None:
        entry, boot = record.entry(), text(record.boot)
        self._entries += 1
        if entry.time_us > 0:
            self._first_us = min(self._first_us or entry.time_us, entry.time_us)
            self._last_us = max(self._last_us, entry.time_us)
        if boot:
            self._end(boot, record.source(), entry)
        for unit in record.units():
            held = self._by_unit.get(unit)
            if held is None:
                if len(self._by_unit) >= _MOST_UNITS:
                    self._dropped[_SEVERAL] = self._dropped.get(_SEVERAL, 0) + 1
                    continue
                held = self._by_unit[unit] = _Held()
            before = held.bytes
            held.add(entry, boot)
            self._bytes += held.bytes - before
        if self._bytes > _MOST_HELD_BYTES:
            self._shrink()

    def _end(self, boot: str, source: str, entry: Entry) -> None:
        """Keep the last entries of the last boots."""
        last = self._boots.get(boot)
        if last is None:
            if len(self._boots) >= _MOST_BOOTS:
                return
            last = self._boots[boot] = deque(maxlen=_MOST_LAST)
            for ended in tuple(self._boots.values())[:-_MOST_ENDINGS]:
                ended.clear()
        last.append((source, msgspec.structs.replace(entry, message=entry.message[:_LAST_BYTES])))

    def _shrink(self) -> None:
        """Pack all, and if that is not enough let the oldest entries of the largest units go."""
        for held in self._by_unit.values():
            held.pack()
        self._bytes = sum(held.bytes for held in self._by_unit.values())
        while self._bytes > _MOST_HELD_BYTES * _SHRUNK:
            unit, held = max(self._by_unit.items(), key=lambda item: item[1].bytes)
            before = held.bytes
            self._dropped[unit] = self._dropped.get(unit, 0) + held.drop()
            self._bytes += held.bytes - before

    def batches(self, unit: str, query: Query) -> Iterator[Batch]:
        """Give the entries of a unit that lie in the window; one without a time is taken to lie in it."""
        held = self._by_unit.get(unit)
        if held is None:
            return
        since, until = query.window_us
        counted = sum(block.count for block in held.blocks) + len(held.entries)
        beyond = 0
        if counted > query.cap:
            beyond = max(0, sum(1 for _ in _within(held.unpacked(query.boot), since, until)) - query.cap)
        self._cut[unit] = beyond
        wanted = islice(_within(held.unpacked(query.boot), since, until), beyond, None)
        while batch := Batch(islice(wanted, BATCH)):
            yield batch

    def cut(self, unit: str) -> int:
        """Give how many were left out: for the room they take, or for the cap."""
        return self._dropped.get(unit, 0) + self._cut.get(unit, 0)

    def units(self) -> tuple[str, ...]:
        """Name all units, and kernel."""
        return tuple(sorted(self._by_unit))

    def boots(self) -> tuple[str, ...]:
        """Give the ids of the boots, in the order of the lines."""
        return tuple(self._boots)

    def ending(self, boot: str, most: int) -> list[tuple[str, Entry]]:
        """Give the last entries of a boot, of an old one of many none."""
        return list(self._boots.get(boot, ()))[-most:]

    def newest(self) -> datetime | None:
        """Give the time of the newest entry, by which a capture without a date of its own is judged."""
        return wall_time(self._last_us) if self._last_us else None

    def sources(self) -> tuple[Source, ...]:
        """Give the one text that was read."""
        return (
            Source(
                path=self._path, entries=self._entries, first_us=self._first_us, last_us=self._last_us, state="saved"
            ),
        )

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Name the lines that are no entries, an end that came too early, and what there was no room for."""
        named = [
            f"{count} lines are no journal entries as `journalctl -o json` prints them: {why}"
            for why, count in self._bad.items()
        ]
        spots = [
            BlindSpot(what=self._path, reason=Reason(code=Code.UNPARSABLE, detail=detail))
            for detail in (*named, *([self._ends] if self._ends else []))
        ]
        if self._silent:
            late = Reason(
                code=Code.TIMED_OUT, detail="its end did not come within --timeout", needs="a longer --timeout"
            )
            spots.append(BlindSpot(what=self._path, reason=late))
        names = self._dropped.keys() | self._cut.keys()
        return (*spots, *left_out({unit: self.cut(unit) for unit in sorted(names)}))

    def cursor(self, unit: str, entry: Entry) -> str:
        """Give the cursor that was saved with the entry."""
        del unit
        return entry.cursor

    def _unpacked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Undo gzip where the first bytes say so; a bomb ends at a bound."""
        total = 0
        for piece in self._pieces(chunks):
            total += len(piece)
            if total > self._most_bytes:
                self._ends = f"what comes after the first {self._most_bytes} bytes was left out"
                return
            yield piece

    def _pieces(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        first = next(chunks, b"")
        while len(first) < len(_GZIP) and (more := next(chunks, b"")):
            first += more
        if not first.startswith(_GZIP):
            yield first
            yield from chunks
            return
        inflate = zlib.decompressobj(wbits=31)
        for chunk in _and(first, chunks):
            packed = chunk
            while packed:
                if inflate.eof:  # gzip files may stand one behind the other
                    if not packed.strip(b"\0"):
                        break
                    inflate = zlib.decompressobj(wbits=31)
                yield inflate.decompress(packed, _PIECE_BYTES)
                packed = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        if not inflate.eof:
            yield inflate.flush()
            self._ends = "the gzip data ends too early"


def peeked(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Give the beginning of a text, unpacked, with a whole line at least where it has one soon; and all of the text."""
    first = begins = b""
    try:
        while b"\n" not in begins and len(first) < _PIECE_BYTES and (more := next(chunks, b"")):
            first += more
            begins = _unpacked_start(first)
    except SilentError:
        return begins, _and(first, _silent())
    return begins, _and(first, chunks)


def _silent() -> Iterator[bytes]:
    """Fall silent again, for who reads the text as a whole."""
    yield b""
    raise SilentError


def _unpacked_start(first: bytes) -> bytes:
    if not first.startswith(_GZIP):
        return first
    try:
        return zlib.decompressobj(wbits=31).decompress(first, _OPEN_BYTES)
    except zlib.error:
        return b""


def _and(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _within(entries: Iterator[Entry], since: int, until: int) -> Iterator[Entry]:
    return (entry for entry in entries if entry.time_us < 0 or since <= entry.time_us <= until)
