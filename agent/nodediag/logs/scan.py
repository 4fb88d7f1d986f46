"""One pass over the journal: read, match, count. The hot loop of the program.

Entries come in batches. A batch is joined and held against the set of all patterns at once; most batches match
nothing, and then nothing more is asked of them. In the others each message is held against the set by itself.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from nodediag.journal.journal import KERNEL, Entry, Journal, Query
from nodediag.logs.blocks import Blocks, Event
from nodediag.logs.boots import abrupt_ends
from nodediag.logs.levels import level, timeless
from nodediag.logs.losses import losses
from nodediag.logs.matcher import Matcher
from nodediag.logs.relations import follows
from nodediag.logs.sample import sample
from nodediag.logs.scanned import Scanned
from nodediag.logs.shapes import shape
from nodediag.logs.tally import MOST_SUBJECTS, Kept, Tally
from nodediag.logs.times import said as time_said
from nodediag.logs.units import SYSTEMD
from nodediag.model.logs import ErrorShape, LogFile, LogFinding, LogResult, LogSample, UnitLogs
from nodediag.model.outcome import Severity
from nodediag.redact import redact_text
from nodediag.signatures.signature import Signature

MOST_SHAPES: Final = 10
_MOST_SHAPES_KEPT: Final = 2000
_LEVELS: Final = ("fatal", "error", "warning", "info", "debug", "unknown")
_MOST_KNOWN: Final = 4096
_MOST_KNOWN_BYTES: Final = 2048
_WARNING: Final = 4
_NAMED: Final = frozenset({"fatal", "error"})
_PLANNED_STOP: Final = "context-planned-stop"
_BOOT: Final = re.compile(r"(?:^|;)b=([0-9a-f]{32})(?:;|$)")


class _Meaning:
    """What a message comes to: its level, what it is an occurrence of, of which reports it is part, what is over."""

    __slots__ = ("clears", "hit", "parts", "plain", "said", "stops", "tallies")

    def __init__(self, said: str, tallies: list[Tally], clears: tuple[tuple[str, str], ...], *, hit: bool) -> None:
        self.said = said
        self.tallies = tallies
        self.clears = clears
        self.hit = hit
        self.parts: list[Signature] = []
        self.stops = any(tally.signature.condition == _PLANNED_STOP for tally in tallies)
        self.plain = bool(tallies) and not clears and not self.stops


class Scan:
    """Goes over a journal and keeps what a report needs; its memory does not grow with the journal."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._tallies: dict[str, Tally] = {}
        self._cleared: dict[str, dict[str, int]] = {}
        self._units: dict[str, UnitLogs] = {}
        self._shapes: dict[tuple[str, str], tuple[int, Entry]] = {}
        self._newest: tuple[str, Entry] | None = None

    def run(self, journal: Journal, query: Query) -> Scanned:
        """Read every unit the query names that the journal has; systemd's own first, for the units have them too."""
        for unit in sorted(query.units, key=lambda unit: unit != SYSTEMD):
            self._unit(journal, unit, query)
        tallies = [tally for tally in self._tallies.values() if tally.count]
        context = sorted((t for t in tallies if t.signature.is_context), key=lambda tally: tally.first)
        boot = self._boot(journal, self._newest) if any(t.signature.ends_with_boot for t in tallies) else ""
        faults = [tally for tally in tallies if tally not in context]
        reached = min((unit.first for unit in self._units.values() if unit.first), default="")
        result = LogResult(
            reader=journal.name,
            since=query.since,
            until=query.until,
            reached=reached,
            entries=sum(unit.entries for unit in self._units.values()),
            files=tuple(
                LogFile(
                    path=s.path,
                    entries=s.entries,
                    first=time_said(s.first_us),
                    last=time_said(s.last_us),
                    state=s.state,
                )
                for s in journal.sources()
            ),
            units=self._units,
            context=tuple(self._finding(journal, tally, [], "") for tally in context),
            signatures=tuple(self._finding(journal, tally, context, boot) for tally in faults),
            shapes=self._frequent(journal),
            losses=(*journal.blind_spots(), *losses(tallies)),
            abrupt_ends=abrupt_ends(journal, query),
        )
        return Scanned(result=result, on_image={t.signature.id: t.signature.on_image for t in faults if t.reached})

    def _unit(self, journal: Journal, unit: str, query: Query) -> None:
        entries = first = last = 0
        levels: Counter[str] = Counter()
        blocks = Blocks(lambda event: self._event(unit, event)) if unit == KERNEL else None
        suspicious, judge = self._matcher.suspicious, self._judge(unit, levels, blocks)
        stormy = False
        for batch in journal.batches(unit, query):
            entries += len(batch)
            first = first or batch[0].time_us
            last = batch[-1].time_us
            if self._newest is None or last > self._newest[1].time_us:
                self._newest = (unit, batch[-1])
            urgent = stormy or any(entry.priority is not None and entry.priority <= _WARNING for entry in batch)
            urgent = urgent or (blocks is not None and blocks.waits(batch[0].time_us))
            if urgent or suspicious(b"\n".join([entry.message for entry in batch])):
                stormy = sum(map(judge, batch)) > len(batch) // 2
        if blocks is not None:
            blocks.close()
        if entries:
            levels["info"] += entries - levels.total()  # a batch without a mark of any other level is all info
            named = {name: levels[name] for name in _LEVELS if levels[name]}
            times = {"first": time_said(first), "last": time_said(last)}
            self._units[unit] = UnitLogs(entries=entries, levels=named, cut=journal.cut(unit), **times)

    def _judge(self, unit: str, levels: Counter[str], blocks: Blocks | None) -> Callable[[Entry], bool]:
        """Make what judges one entry of a unit and tells whether anything in it matched.

        In a storm the same messages come again and again but for their time: what one means is worked out once.
        """
        known: dict[tuple[bytes, int | None, bytes], _Meaning] = {}

        plain = blocks is None and unit != SYSTEMD

        def judge(entry: Entry) -> bool:
            message = entry.message
            key = (message[:1], entry.priority, message[timeless(message) :])
            meaning = known.get(key)
            if meaning is None:
                meaning = self._meaning(unit, entry, reports=blocks is not None)
                if len(message) <= _MOST_KNOWN_BYTES:
                    if len(known) >= _MOST_KNOWN:
                        known.clear()
                    known[key] = meaning
            levels[meaning.said] += 1
            for tally in meaning.tallies:
                tally.add(unit, entry, self._matcher)
            if plain and meaning.plain:
                return meaning.hit
            self._note(unit, entry, meaning)
            if blocks is not None and blocks.takes(entry, meaning.parts, known=bool(meaning.tallies)):
                return True
            if not meaning.tallies and meaning.said in _NAMED:
                self._unnamed(unit, entry)
            return meaning.hit

        return judge

    def _meaning(self, unit: str, entry: Entry, *, reports: bool) -> _Meaning:
        hits = self._matcher.hits(entry.message)
        said = level(entry.message, entry.priority)
        named = self._matcher.named(hits, unit, said)
        parts = [signature for signature in named if reports and signature.block]
        tallies = [self._tally(signature) for signature in named if signature not in parts]
        meaning = _Meaning(said, tallies, self._matcher.cleared(hits, entry.message), hit=bool(hits))
        meaning.parts = parts
        return meaning

    def _note(self, unit: str, entry: Entry, meaning: _Meaning) -> None:
        """Take in what a message says of other messages: that a fault is over, that a stop was planned."""
        for identity, subject in meaning.clears:
            times = self._cleared.setdefault(identity, {})
            if subject in times or len(times) < MOST_SUBJECTS:
                times[subject] = max(entry.time_us, times.get(subject, 0))
        if meaning.stops:
            for tally in self._tallies.values():
                if tally.signature.reset_by_planned_stop:
                    tally.planned_stop(entry.message, entry.time_us)
        if unit == SYSTEMD:
            for tally in meaning.tallies:
                tally.told(entry.time_us)

    def _event(self, unit: str, event: Event) -> None:
        """Count a report of many lines as an occurrence of the most telling of its lines."""
        self._tally(self._matcher.first(event.signatures.values())).add_event(unit, event, self._matcher)

    def _tally(self, signature: Signature) -> Tally:
        tally = self._tallies.get(signature.id)
        if tally is None:
            tally = self._tallies[signature.id] = Tally(signature)
        return tally

    def _unnamed(self, unit: str, entry: Entry) -> None:
        """Group an error without a name by its shape; when there are too many shapes, the rare ones go."""
        key = (unit, shape(entry.message.decode("utf-8", "backslashreplace")))
        count, first = self._shapes.get(key, (0, entry))
        self._shapes[key] = (count + 1, first)
        if len(self._shapes) > _MOST_SHAPES_KEPT:
            kept = sorted(self._shapes.items(), key=lambda item: -item[1][0])[: _MOST_SHAPES_KEPT // 2]
            self._shapes = dict(kept)

    def _finding(self, journal: Journal, tally: Tally, context: list[Tally], boot: str) -> LogFinding:
        signature = tally.signature
        samples = tally.samples
        active = tally.active(self._cleared.get(signature.id, {}))
        if active and boot and signature.ends_with_boot:
            newest = samples[-1]
            active = self._boot(journal, (newest.unit, newest.entry)) in {"", boot}
        return LogFinding(
            id=signature.id,
            condition=signature.condition,
            title=signature.title,
            severity=tally.signature.severity if tally.reached else Severity.INFO,
            count=tally.count,
            first=time_said(tally.first),
            last=time_said(tally.last),
            active=active,
            subjects=tuple(tally.subjects),
            units=tuple(tally.units),
            samples=tuple(_sample(journal, kept) for kept in samples),
            cause=signature.cause,
            remedy=signature.remedy,
            source=signature.source,
            follows=follows(tally, context),
        )

    @staticmethod
    def _boot(journal: Journal, entry: tuple[str, Entry] | None) -> str:
        """Give the boot of an entry, as its cursor has it; empty where it cannot be told."""
        found = _BOOT.search(journal.cursor(*entry)) if entry is not None else None
        return found[1] if found is not None else ""

    def _frequent(self, journal: Journal) -> tuple[ErrorShape, ...]:
        """Give the most frequent unnamed errors of each unit."""
        by_unit: dict[str, list[ErrorShape]] = {}
        for (unit, form), (count, entry) in sorted(self._shapes.items(), key=lambda item: -item[1][0]):
            kept = by_unit.setdefault(unit, [])
            if len(kept) < MOST_SHAPES:
                sample = _sample(journal, Kept(unit, entry, entry.message))
                kept.append(ErrorShape(unit=unit, count=count, shape=redact_text(form), sample=sample))
        return tuple(shape for kept in by_unit.values() for shape in kept)


def _sample(journal: Journal, kept: Kept) -> LogSample:
    return sample(kept.unit, kept.entry, kept.text, journal.cursor(kept.unit, kept.entry))
