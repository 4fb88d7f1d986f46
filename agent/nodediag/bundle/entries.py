"""The part of a journal that a bundle takes along: what a signature matches, errors with what is near them, tails.

As lines of `journalctl -o json`, the most telling first, so that what must be left out is left out at the end. Runs in
the child that reads the journal; what it keeps does not grow with the journal.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.host import journal_files
from nodediag.journal.journal import KERNEL, Entry, Journal, Query
from nodediag.journal.pick import pick
from nodediag.logs.levels import level
from nodediag.logs.matcher import Matcher
from nodediag.logs.units import UNITS
from nodediag.redact import redact_entries
from nodediag.signatures.load import merge

MOST_MATCHED: Final = 100  # the last of each signature
MOST_ERRORS: Final = 300  # the last of a unit
AROUND: Final = 3
TAIL: Final = 500
_MOST_CURSORS: Final = 1000
_MOST_BYTES: Final = 8 * 1024  # of a message
_ERRORS: Final = frozenset({"fatal", "error"})
_READING: Final = 0.8


class _Line(msgspec.Struct, omit_defaults=True):
    """An entry, in the words of systemd.journal-fields(7)."""

    realtime: str = msgspec.field(name="__REALTIME_TIMESTAMP")
    message: str = msgspec.field(name="MESSAGE")
    cursor: str = msgspec.field(name="__CURSOR", default="")
    priority: str = msgspec.field(name="PRIORITY", default="")
    unit: str = msgspec.field(name="_SYSTEMD_UNIT", default="")
    transport: str = msgspec.field(name="_TRANSPORT", default="")


class _Unit:
    """What is kept of a unit; an entry is known by its number in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.matched: dict[str, deque[tuple[int, Entry]]] = {}
        self.errors: deque[tuple[int, Entry]] = deque(maxlen=MOST_ERRORS * (2 * AROUND + 1))
        self.tail: deque[tuple[int, Entry]] = deque(maxlen=TAIL)
        self.masked: dict[int, bytes] = {}
        self._wanted_until = -1

    def take(self, number: int, entry: Entry, names: tuple[str, ...], *, error: bool) -> None:
        """Take the next entry."""
        for name in names:
            self.matched.setdefault(name, deque(maxlen=MOST_MATCHED)).append((number, entry))
        if error:
            if number > self._wanted_until:
                self.errors.extend(list(self.tail)[-AROUND:])
            self._wanted_until = number + AROUND
        if number <= self._wanted_until:
            self.errors.append((number, entry))
        self.tail.append((number, entry))

    def mask(self) -> None:
        """Mask the secrets of what is kept, once it is known: a key may stand in many entries."""
        kept = dict(entry for group in (_matched, _errors, _tails) for entry in group(self))
        numbers = sorted(kept)
        messages = redact_entries(kept[number].message[:_MOST_BYTES] for number in numbers)
        self.masked = dict(zip(numbers, messages, strict=True))


def collect(folder: str, signatures: dict[str, str], query: Query, *, budget_s: float) -> bytes:
    """Give the lines of a node's journal files below a root."""
    since_us, _ = query.window_us
    journal = pick(journal_files.find(folder), since_us=since_us, budget_s=budget_s * _READING)
    return b"".join(lines(journal, Matcher(merge(signatures)), query))


def lines(journal: Journal, matcher: Matcher, query: Query) -> Iterator[bytes]:
    """Give the lines of a journal, matched ones first, then errors, then the end of each unit."""
    units = [_read(journal, matcher, name, query) for name in UNITS]
    cursors = _MOST_CURSORS
    encode = msgspec.json.Encoder().encode
    given: set[tuple[int, bytes]] = set()  # what PID 1 says of a unit is among that unit's entries too
    for group in (_matched, _errors, _tails):
        chosen = {(unit.name, number): (unit, entry) for unit in units for number, entry in group(unit)}
        for (name, number), (unit, entry) in sorted(chosen.items(), key=lambda item: (item[1][1].time_us, item[0])):
            if (entry.time_us, entry.message) not in given:
                given.add((entry.time_us, entry.message))
                cursor = journal.cursor(name, entry) if cursors > 0 and group is not _tails else ""
                cursors -= 1
                yield encode(_line(name, entry, unit.masked[number], cursor)) + b"\n"


def _matched(unit: _Unit) -> Iterator[tuple[int, Entry]]:
    for kept in unit.matched.values():
        yield from kept


def _errors(unit: _Unit) -> Iterator[tuple[int, Entry]]:
    yield from unit.errors


def _tails(unit: _Unit) -> Iterator[tuple[int, Entry]]:
    yield from unit.tail


def _read(journal: Journal, matcher: Matcher, name: str, query: Query) -> _Unit:
    unit = _Unit(name)
    number = 0
    for batch in journal.batches(name, query):
        joined = b"\n".join(batch.messages)
        telling = joined.count(b"\n") >= len(batch) or matcher.suspicious(joined)
        for entry in batch:
            said = level(entry.message, entry.priority)
            hits = matcher.hits(entry.message) if telling else ()
            names = tuple(one.id for one in matcher.named(hits, name, said)) if hits else ()
            unit.take(number, entry, names, error=said in _ERRORS)
            number += 1
    unit.mask()
    return unit


def _line(name: str, entry: Entry, message: bytes, cursor: str) -> _Line:
    return _Line(
        realtime=str(entry.time_us),
        message=message.decode("utf-8", "backslashreplace"),
        cursor=cursor,
        priority="" if entry.priority is None else str(entry.priority),
        unit="" if name == KERNEL else name,
        transport="kernel" if name == KERNEL else "",
    )
