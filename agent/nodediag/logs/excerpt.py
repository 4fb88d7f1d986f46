"""The part of a journal that a bundle takes along: what a signature matches, errors with what is near them, tails.

As lines of `journalctl -o json`, the most telling first, so that what must be left out is left out at the end. It is
kept beside the scan, in the child that reads the journal, and what is kept does not grow with the journal.
"""

import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from time import monotonic
from typing import Final, TypeAlias

import msgspec

from nodediag.journal.journal import KERNEL, Batch, Entry, Journal
from nodediag.redact import counted, redact_entries

MOST_MATCHED: Final = 100  # the last of each signature
MOST_ERRORS: Final = 300  # the last of a unit
AROUND: Final = 3
TAIL: Final = 500
MOST_BYTES: Final = 4 * 1024 * 1024  # of all that is kept
_MOST_TAIL_BYTES: Final = 512 * 1024  # of a unit
_MOST_CURSORS: Final = 1000
_CURSORS_S: Final = 3.0
_MOST_MESSAGE_BYTES: Final = 8 * 1024
_OVERHEAD_BYTES: Final = 256  # of an entry in memory
_LEVEL: Final = 1
_MOST_UNPACKED_BYTES: Final = 64 * 1024 * 1024

_MATCHED, _ERRORS, _TAILS = range(3)

Telling: TypeAlias = tuple[int, tuple[str, ...], bool]  # where in its batch, what it matches, whether it is an error
_Last: TypeAlias = deque[tuple[int, Entry]]  # an entry is known by its number in its unit


class _Line(msgspec.Struct, omit_defaults=True):
    """An entry, in the words of systemd.journal-fields(7)."""

    realtime: str = msgspec.field(name="__REALTIME_TIMESTAMP")
    message: str = msgspec.field(name="MESSAGE")
    cursor: str = msgspec.field(name="__CURSOR", default="")
    priority: str = msgspec.field(name="PRIORITY", default="")
    unit: str = msgspec.field(name="_SYSTEMD_UNIT", default="")
    transport: str = msgspec.field(name="_TRANSPORT", default="")


class _Unit:
    """What is kept of a unit."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.matched: dict[str, _Last] = {}
        self.errors: _Last = deque(maxlen=MOST_ERRORS * (2 * AROUND + 1))
        self.tail: _Last = deque(maxlen=TAIL)  # filled in the end
        self.masked: dict[int, bytes] = {}
        self._recent: deque[tuple[int, Batch, int]] = deque()  # with the number of the first, and the size
        self._recent_bytes = 0
        self._number = 0
        self.counts: dict[str, int] = {}
        self._near_until = self._errors_until = -1

    def groups(self) -> tuple[tuple[_Last, ...], tuple[_Last, ...], tuple[_Last, ...]]:
        """Give what is kept, the most telling first."""
        return tuple(self.matched.values()), (self.errors,), (self.tail,)

    def size_bytes(self) -> int:
        """Add up what is kept; what is kept twice counts twice."""
        lasts = [last for group in self.groups() for last in group]
        held = sum(len(entry.message) for last in lasts for _, entry in last)
        return held + _OVERHEAD_BYTES * sum(map(len, lasts))

    def take(self, batch: Batch, told: Sequence[Telling]) -> int:
        """Take the next entries, and tell their size."""
        first = self._number
        self._number += len(batch)
        size = sum(map(len, batch.messages)) + _OVERHEAD_BYTES * len(batch)
        self._remember(first, batch, size)
        near: list[int] = []
        self._extend(near, first, self._near_until)
        for index, names, error in told:
            number = first + index
            for name in names:
                if name not in self.matched:
                    self.matched[name] = deque(maxlen=MOST_MATCHED)
                self.matched[name].append((number, batch[index]))
            if error:
                self._near_until = number + AROUND
                self._extend(near, number - AROUND, self._near_until)
        if near and near[0] < first:
            earlier = {
                number: held[number - start]
                for start, held, _ in self._recent
                for number in near[:AROUND]
                if 0 <= number - start < len(held)
            }
            self.errors.extend((number, earlier[number]) for number in near if number < first and number in earlier)
        self.errors.extend((number, batch[number - first]) for number in near if number >= first)
        return size

    def _extend(self, near: list[int], since: int, until: int) -> None:
        """Extend the numbers of what stands near an error, as far as that has come and is not among them."""
        since, until = max(since, self._errors_until + 1), min(until, self._number - 1)
        if since <= until:
            near += range(since, until + 1)
            self._errors_until = until

    def _remember(self, first: int, batch: Batch, size: int) -> None:
        self._recent.append((first, batch, size))
        self._recent_bytes += size
        while len(self._recent) > 1 and (
            self._number - self._recent[1][0] >= TAIL or self._recent_bytes > _MOST_TAIL_BYTES
        ):
            self._recent_bytes -= self._recent.popleft()[2]

    def end(self) -> None:
        """Mask the secrets of what is kept, now that it is known: a key may stand in many entries."""
        for first, batch, _ in self._recent:
            self.tail.extend(enumerate(batch, first))
        self._recent.clear()
        kept = dict(entry for group in self.groups() for last in group for entry in last)
        numbers = sorted(kept)
        messages = redact_entries(kept[number].message[:_MOST_MESSAGE_BYTES] for number in numbers)
        counted()
        self.masked = dict(zip(numbers, messages, strict=True))
        self.counts = counted()

    def forget(self) -> None:
        """Let go of what was masked and is kept no longer."""
        if self.masked:
            numbers = {number for group in self.groups() for last in group for number, _ in last}
            self.masked = {number: message for number, message in self.masked.items() if number in numbers}


class Excerpt:
    """What is kept of a journal while its units are read, one after the other."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._units: list[_Unit] = []
        self._most_bytes = most_bytes
        self._taken_bytes = 0  # since it was looked at how much is kept

    def begin(self, unit: str) -> None:
        """Say which unit the next entries are of."""
        self._units.append(_Unit(unit))

    def take(self, batch: Batch, told: Sequence[Telling] = ()) -> None:
        """Take the next entries of a unit in their order."""
        self._taken_bytes += self._units[-1].take(batch, told)
        if self._taken_bytes > self._most_bytes // 4:
            self._thin()

    def end(self) -> None:
        """Say that the unit has no more."""
        self._units[-1].end()
        self._thin()

    def _thin(self) -> None:
        """Let the older halves go while too much is kept: tails first, what matched last."""
        self._taken_bytes = 0
        while sum(unit.size_bytes() for unit in self._units) > self._most_bytes:
            for kind in (_TAILS, _ERRORS, _MATCHED):
                lasts = [last for unit in self._units for last in unit.groups()[kind]]
                if any(lasts):
                    for last in lasts:
                        for _ in range((len(last) + 1) // 2):
                            last.popleft()
                    break
            for unit in self._units:
                unit.forget()

    def counts(self) -> dict[str, int]:
        """Tell how often each rule masked something in what was kept of the units, before any of it was let go."""
        counts: Counter[str] = Counter()
        for unit in self._units:
            counts.update(unit.counts)
        return dict(sorted(counts.items()))

    def packed(self, journal: Journal) -> bytes:
        """Give the lines with their cursors, packed for the way to the parent."""
        packer = zlib.compressobj(_LEVEL)
        pieces = [packer.compress(line) for line in self._lines(journal)]
        return b"".join((*pieces, packer.flush()))

    def _lines(self, journal: Journal) -> Iterator[bytes]:
        """Give the lines, matched ones first, then errors, then the end of each unit."""
        encode = msgspec.json.Encoder().encode
        cursors = self._cursors(journal)
        given: set[tuple[int, bytes]] = set()  # what PID 1 says of a unit is among that unit's entries too
        for kind in (_MATCHED, _ERRORS, _TAILS):
            for unit, number, entry in self._sorted(kind):
                said = (entry.time_us, unit.masked[number])
                if said in given:
                    continue
                given.add(said)
                yield encode(_line(unit.name, entry, unit.masked[number], cursors.get((unit.name, number), ""))) + b"\n"

    def _cursors(self, journal: Journal) -> dict[tuple[str, int], str]:
        """Look up the cursors of what tells most, unit by unit, as many as there is time for."""
        until = monotonic() + _CURSORS_S
        found: dict[tuple[str, int], str] = {}
        for kind in (_MATCHED, _ERRORS):
            for unit, number, entry in sorted(self._sorted(kind), key=lambda one: (one[0].name, one[1])):
                if len(found) >= _MOST_CURSORS or monotonic() > until:
                    return found
                if (unit.name, number) not in found:
                    found[unit.name, number] = journal.cursor(unit.name, entry)
        return found

    def _sorted(self, kind: int) -> Iterable[tuple[_Unit, int, Entry]]:
        """Give what is kept of a kind in the order of time."""
        kept = {
            (unit.name, number): (unit, number, entry)
            for unit in self._units
            for last in unit.groups()[kind]
            for number, entry in last
        }
        return sorted(kept.values(), key=lambda one: (one[2].time_us, one[0].name, one[1]))


def unpacked(data: bytes) -> bytes:
    """Give the lines that `Excerpt.packed` packed, none where there is nothing."""
    return zlib.decompressobj().decompress(data, _MOST_UNPACKED_BYTES) if data else b""


def _line(name: str, entry: Entry, message: bytes, cursor: str) -> _Line:
    return _Line(
        realtime=str(entry.time_us),
        message=message.decode("utf-8", "backslashreplace"),
        cursor=cursor,
        priority="" if entry.priority is None else str(entry.priority),
        unit="" if name == KERNEL else name,
        transport="kernel" if name == KERNEL else "",
    )
