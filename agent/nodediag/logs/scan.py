"""One pass over the journal: read, match, count. The hot loop of the program.

Entries come in batches. A batch is joined and held against the set of all patterns at once; most batches match
nothing, and then nothing more is asked of them. In the others each message is held against the set by itself.
"""

from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from nodediag.journal.journal import Entry, Journal, Query
from nodediag.logs.levels import level, timeless
from nodediag.logs.matcher import Matcher
from nodediag.logs.shapes import shape
from nodediag.model.image import OsFamily
from nodediag.model.logs import ErrorShape, LogFile, LogFinding, LogResult, LogSample, UnitLogs
from nodediag.model.outcome import Severity
from nodediag.redact import redact_text
from nodediag.signatures.signature import Signature

MOST_SAMPLES: Final = 3
MOST_SUBJECTS: Final = 20
MOST_SHAPES: Final = 10
_MOST_SHAPES_KEPT: Final = 2000
_TEXT: Final = 1024
_MOST_ASKED: Final = 1000  # beyond it a storm is only counted
_SPANS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LEVELS: Final = ("fatal", "error", "warning", "info", "debug", "unknown")
_MOST_KNOWN: Final = 4096
_MOST_KNOWN_BYTES: Final = 2048
_WARNING: Final = 4
_NAMED: Final = frozenset({"fatal", "error"})


class _Tally:
    """What is known of one signature so far."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.count = 0
        self.first = self.last = 0
        self.cleared = 0
        self.samples: list[tuple[str, Entry]] = []
        self.latest: tuple[str, Entry] | None = None
        self.units: dict[str, None] = {}
        self.subjects: dict[str, None] = {}
        self.recent: deque[int] = deque(maxlen=max(1, signature.minimum))
        self.reached = False
        self._window_us = int(signature.window[:-1]) * _SPANS[signature.window[-1]] * 1_000_000

    def add(self, unit: str, entry: Entry, matcher: Matcher) -> None:
        """Count one occurrence; in a storm little more than that."""
        time_us = entry.time_us
        self.count += 1
        self.last = max(self.last, time_us)
        if not self.first or 0 < time_us < self.first:
            self.first = time_us
        if self.count < _MOST_ASKED:
            self.units[unit] = None
            if len(self.subjects) < MOST_SUBJECTS:
                self.subjects.update(dict.fromkeys(matcher.subjects(self.signature, entry.message)))
        if self.count < MOST_SAMPLES:
            self.samples.append((unit, entry))
        else:
            self.latest = (unit, entry)
        if not self.reached:
            self.recent.append(time_us)
            full = len(self.recent) == self.recent.maxlen
            self.reached = full and abs(self.recent[-1] - self.recent[0]) <= self._window_us


class _Meaning:
    """What a message comes to: its level, what it is an occurrence of, what it says is over."""

    __slots__ = ("clears", "hit", "said", "tallies")

    def __init__(self, said: str, tallies: list[_Tally], clears: list[_Tally], *, hit: bool) -> None:
        self.said = said
        self.tallies = tallies
        self.clears = clears
        self.hit = hit


class Scan:
    """Goes over a journal and keeps what a report needs; its memory does not grow with the journal."""

    def __init__(self, matcher: Matcher, family: OsFamily) -> None:
        self._matcher = matcher
        self._family = family
        self._tallies: dict[str, _Tally] = {}
        self._units: dict[str, UnitLogs] = {}
        self._shapes: dict[tuple[str, str], tuple[int, Entry]] = {}

    def run(self, journal: Journal, query: Query) -> LogResult:
        """Read every unit the query names that the journal has."""
        for unit in query.units:
            self._unit(journal, unit, query)
        findings = [self._finding(journal, tally) for tally in self._tallies.values()]
        findings.sort(key=lambda finding: (list(Severity).index(finding.severity), -finding.count, finding.id))
        reached = min((unit.first for unit in self._units.values() if unit.first), default="")
        return LogResult(
            reader=journal.name,
            since=query.since,
            until=query.until,
            reached=reached,
            entries=sum(unit.entries for unit in self._units.values()),
            files=tuple(
                LogFile(path=s.path, entries=s.entries, first=_time(s.first_us), last=_time(s.last_us), state=s.state)
                for s in journal.sources()
            ),
            units=self._units,
            signatures=tuple(finding for finding in findings if not finding.id.startswith("context.")),
            context=tuple(finding for finding in findings if finding.id.startswith("context.")),
            shapes=self._frequent(journal),
            losses=journal.blind_spots(),
        )

    def _unit(self, journal: Journal, unit: str, query: Query) -> None:
        entries = first = last = 0
        levels: Counter[str] = Counter()
        suspicious, judge = self._matcher.suspicious, self._judge(unit, levels)
        stormy = False
        for batch in journal.batches(unit, query):
            entries += len(batch)
            first = first or batch[0].time_us
            last = batch[-1].time_us
            urgent = stormy or any(entry.priority is not None and entry.priority <= _WARNING for entry in batch)
            if urgent or suspicious(b"\n".join([entry.message for entry in batch])):
                stormy = sum(map(judge, batch)) > len(batch) // 2
        if entries:
            levels["info"] += entries - levels.total()  # a batch without a mark of any other level is all info
            named = {name: levels[name] for name in _LEVELS if levels[name]}
            self._units[unit] = UnitLogs(entries=entries, levels=named, first=_time(first), last=_time(last), cut=0)

    def _judge(self, unit: str, levels: Counter[str]) -> Callable[[Entry], bool]:
        """Make what judges one entry of a unit and tells whether anything in it matched.

        In a storm the same messages come again and again but for their time: what one means is worked out once.
        """
        known: dict[tuple[bytes, int | None, bytes], _Meaning] = {}

        def judge(entry: Entry) -> bool:
            message = entry.message
            key = (message[:1], entry.priority, message[timeless(message) :])
            meaning = known.get(key)
            if meaning is None:
                meaning = self._meaning(unit, entry)
                if len(message) <= _MOST_KNOWN_BYTES and not meaning.clears:  # what it clears may not have been seen
                    if len(known) >= _MOST_KNOWN:
                        known.clear()
                    known[key] = meaning
            levels[meaning.said] += 1
            for tally in meaning.tallies:
                tally.add(unit, entry, self._matcher)
            for tally in meaning.clears:
                tally.cleared = entry.time_us
            if not meaning.tallies and meaning.said in _NAMED:
                self._unnamed(unit, entry)
            return meaning.hit

        return judge

    def _meaning(self, unit: str, entry: Entry) -> "_Meaning":
        hits = self._matcher.hits(entry.message)
        said = level(entry.message, entry.priority)
        named = self._matcher.named(hits, unit, said)
        clears = [self._tallies[cleared] for cleared in self._matcher.cleared(hits) if cleared in self._tallies]
        return _Meaning(said, [self._tally(signature) for signature in named], clears, hit=bool(hits))

    def _tally(self, signature: Signature) -> "_Tally":
        tally = self._tallies.get(signature.id)
        if tally is None:
            tally = self._tallies[signature.id] = _Tally(signature)
        return tally

    def _unnamed(self, unit: str, entry: Entry) -> None:
        """Group an error without a name by its shape; when there are too many shapes, the rare ones go."""
        key = (unit, shape(entry.message.decode("utf-8", "backslashreplace")))
        count, first = self._shapes.get(key, (0, entry))
        self._shapes[key] = (count + 1, first)
        if len(self._shapes) > _MOST_SHAPES_KEPT:
            kept = sorted(self._shapes.items(), key=lambda item: -item[1][0])[: _MOST_SHAPES_KEPT // 2]
            self._shapes = dict(kept)

    def _finding(self, journal: Journal, tally: _Tally) -> LogFinding:
        signature = tally.signature
        samples = [*tally.samples, *([tally.latest] if tally.latest is not None else [])]
        return LogFinding(
            id=signature.id,
            condition=signature.condition,
            title=signature.title,
            severity=self._severity(tally),
            count=tally.count,
            first=_time(tally.first),
            last=_time(tally.last),
            active=not tally.cleared or tally.cleared < tally.last,
            subjects=tuple(tally.subjects)[:MOST_SUBJECTS],
            units=tuple(tally.units),
            samples=tuple(_sample(journal, unit, entry) for unit, entry in samples),
            cause=signature.cause,
            remedy=signature.remedy,
            source=signature.source,
        )

    def _severity(self, tally: _Tally) -> Severity:
        """Give what an occurrence means on this image; a fault only when repeated is info until it was."""
        signature = tally.signature
        if not tally.reached:
            return Severity.INFO
        of_image = {OsFamily.COS: signature.on_cos, OsFamily.UBUNTU: signature.on_ubuntu}.get(self._family)
        return signature.severity if of_image is None or of_image is msgspec.UNSET else of_image

    def _frequent(self, journal: Journal) -> tuple[ErrorShape, ...]:
        """Give the most frequent unnamed errors of each unit."""
        by_unit: dict[str, list[ErrorShape]] = {}
        for (unit, form), (count, entry) in sorted(self._shapes.items(), key=lambda item: -item[1][0]):
            kept = by_unit.setdefault(unit, [])
            if len(kept) < MOST_SHAPES:
                masked = redact_text(form)
                kept.append(ErrorShape(unit=unit, count=count, shape=masked, sample=_sample(journal, unit, entry)))
        return tuple(shape for kept in by_unit.values() for shape in kept)


def _sample(journal: Journal, unit: str, entry: Entry) -> LogSample:
    """Keep an entry: redacted, then cut."""
    text = redact_text(entry.message.decode("utf-8", "backslashreplace"))
    return LogSample(time=_time(entry.time_us), unit=unit, cursor=journal.cursor(unit, entry), text=text[:_TEXT])


def _time(time_us: int) -> str:
    """Give RFC 3339; empty for a time that is not known."""
    if time_us <= 0:
        return ""
    try:
        return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return ""
