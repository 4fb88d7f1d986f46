"""One pass over the journal: read, match, count. The hot loop of the program.

Entries come in batches. A batch is joined and held against the set of all patterns at once; most batches match
nothing, and then nothing more is asked of them. In the others each message is held against the set by itself.
"""

import re
from collections import Counter
from typing import Final

from nodediag.journal.journal import KERNEL, Batch, Entry, Journal, Query
from nodediag.logs.blocks import Blocks, Event
from nodediag.logs.boots import abrupt_ends
from nodediag.logs.excerpt import Excerpt
from nodediag.logs.levels import level
from nodediag.logs.losses import losses
from nodediag.logs.matcher import WHAT_FAILED, Matcher
from nodediag.logs.numbers import MASK
from nodediag.logs.relations import follows
from nodediag.logs.sample import sample
from nodediag.logs.scanned import Scanned
from nodediag.logs.shapes import shape
from nodediag.logs.tally import BURST_US, MOST_SUBJECTS, Kept, Tally
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
_CALM: Final = frozenset({None, 5, 6, 7})  # priorities below a warning's
_NAMED: Final = frozenset({"fatal", "error"})
_BOOT: Final = re.compile(r"(?:^|;)b=([0-9a-f]{32})(?:;|$)")


class _Meaning:
    """What a message comes to: its level, what it is an occurrence of, of which reports it is part, what is over."""

    __slots__ = ("clears", "common", "hit", "known", "names", "parts", "plain", "said", "shape", "stops", "tallies")

    def __init__(self, said: str, tallies: list[Tally], clears: tuple[tuple[str, str], ...], *, hit: bool) -> None:
        self.said = said
        self.tallies = tallies
        self.clears = clears
        self.hit = hit
        self.names: tuple[str, ...] = ()
        self.parts: list[Signature] = []
        self.common = False  # whether all that differ from it in numbers and ids only mean the same
        self.stops = any(tally.signature.is_planned_stop for tally in tallies)
        self.known = any(tally.signature.vague <= WHAT_FAILED for tally in tallies)
        self.plain = self.known and not clears and not self.stops
        self.shape: tuple[str, str] | None = None  # of an error without a name, once it was worked out

    @property
    def counts_only(self) -> bool:
        """Whether one occurrence more changes nothing but how often, and when last."""
        return self.plain and all(tally.settled for tally in self.tallies)


_Key = tuple[int | None, bytes]


class _Unit:
    """What is known while one unit is read: its levels, open reports, and what its messages mean."""

    __slots__ = ("blocks", "known", "levels", "name", "plain")

    def __init__(self, name: str, blocks: Blocks | None) -> None:
        self.name = name
        self.blocks = blocks
        self.levels: Counter[str] = Counter()
        self.known: dict[_Key, _Meaning] = {}
        self.plain = blocks is None and name != SYSTEMD

    def named_levels(self, entries: int) -> dict[str, int]:
        """Give the levels in their order; a batch without a mark of any other level is all info."""
        self.levels["info"] += entries - self.levels.total()
        return {name: self.levels[name] for name in _LEVELS if self.levels[name]}


class Scan:
    """Goes over a journal and keeps what a report needs; its memory does not grow with the journal.

    An excerpt is shown all entries, with what they come to.
    """

    def __init__(self, matcher: Matcher, excerpt: Excerpt | None = None) -> None:
        self._matcher = matcher
        self._excerpt = excerpt
        self._tallies: dict[str, Tally] = {}
        self._cleared: dict[str, dict[str, int]] = {}
        self._units: dict[str, UnitLogs] = {}
        self._shapes: dict[tuple[str, str], tuple[int, Entry]] = {}
        self._newest: tuple[str, Entry] | None = None
        self._heard: dict[str, int] = {}  # the time of each unit's last entry

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
        one = _Unit(unit, Blocks(lambda event: self._event(unit, event)) if unit == KERNEL else None)
        suspicious, blocks = self._matcher.suspicious, one.blocks
        entries = first = last = 0
        stormy = False
        if self._excerpt is not None:
            self._excerpt.begin(unit)
        for batch in journal.batches(unit, query):
            entries += len(batch)
            first = first or batch.times[0]
            last = batch.times[-1]
            if self._newest is None or last > self._newest[1].time_us:
                self._newest = (unit, Entry(last, batch.messages[-1], None, batch.cursors[-1] if batch.cursors else ""))
            urgent = stormy or not _CALM.issuperset(batch.priorities)
            urgent = urgent or (blocks is not None and blocks.waits(batch.times[0]))
            joined = b"\n".join(batch.messages)
            if urgent or joined.count(b"\n") >= len(batch) or suspicious(joined):
                stormy = self._judge(one, batch) > len(batch) // 2
            elif self._excerpt is not None:
                self._excerpt.take(batch)
        if blocks is not None:
            blocks.close()
        if self._excerpt is not None:
            self._excerpt.end()
        self._heard[unit] = last
        if entries:
            times = {"first": time_said(first), "last": time_said(last)}
            named = one.named_levels(entries)
            self._units[unit] = UnitLogs(entries=entries, levels=named, cut=journal.cut(unit), **times)

    def _judge(self, one: _Unit, entries: Batch) -> int:
        """Judge a batch of a unit's entries, and tell in how many of them anything matched.

        In a storm the same messages come again and again but for numbers and ids: what one means is worked out once,
        and those of a batch that mean the same are counted together.
        """
        batch = list(entries)
        keys = [(entry.priority, entry.message.translate(MASK)) for entry in batch]
        if not one.plain or batch[-1].time_us - batch[0].time_us > BURST_US:
            meant = [self._judge_one(one, key, entry) for key, entry in zip(keys, batch, strict=True)]
            return self._judged(entries, meant)
        counted: dict[_Key, _Meaning] = {}
        latest = dict(zip(keys, batch, strict=True))
        for key, count in Counter(keys).items():
            meaning = one.known.get(key)
            if count > 1 and meaning is not None and meaning.counts_only:
                one.levels[meaning.said] += count
                for tally in meaning.tallies:
                    tally.add_many(one.name, latest[key], count)
                counted[key] = meaning
        meant = [
            counted[key] if key in counted else self._judge_one(one, key, entry)
            for key, entry in zip(keys, batch, strict=True)
        ]
        return self._judged(entries, meant)

    def _judged(self, entries: Batch, meant: list[_Meaning]) -> int:
        """Show the excerpt what entries mean, and tell in how many of them anything matched."""
        if self._excerpt is not None:
            said = ((index, meaning.names, meaning.said in _NAMED) for index, meaning in enumerate(meant))
            self._excerpt.take(entries, [(index, names, error) for index, names, error in said if names or error])
        return sum(meaning.hit for meaning in meant)

    def _judge_one(self, one: _Unit, key: _Key, entry: Entry) -> _Meaning:
        meaning = one.known.get(key)
        if meaning is None:
            meaning = self._meaning(one, entry)
            if meaning.common and len(entry.message) <= _MOST_KNOWN_BYTES:
                if len(one.known) >= _MOST_KNOWN:
                    one.known.clear()
                one.known[key] = meaning
        one.levels[meaning.said] += 1
        for tally in meaning.tallies:
            tally.add(one.name, entry, self._matcher)
        if one.plain and meaning.plain:
            return meaning
        self._note(one.name, entry, meaning)
        taken = one.blocks is not None and one.blocks.takes(entry, meaning.parts, known=meaning.known)
        if not taken and not meaning.known and meaning.said in _NAMED:
            self._unnamed(one.name, entry, meaning)
        return meaning

    def _meaning(self, one: _Unit, entry: Entry) -> _Meaning:
        hits = self._matcher.hits(entry.message)
        said = level(entry.message, entry.priority)
        named = self._matcher.named(hits, one.name, said)
        parts = [signature for signature in named if one.blocks is not None and signature.block]
        tallies = [self._tally(signature) for signature in named if signature not in parts]
        meaning = _Meaning(said, tallies, self._matcher.cleared(hits, entry.message), hit=bool(hits))
        meaning.parts = parts
        meaning.names = tuple(signature.id for signature in named)
        meaning.common = not meaning.clears and not self._matcher.asks_for_numbers(entry.message)
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

    def _unnamed(self, unit: str, entry: Entry, meaning: _Meaning) -> None:
        """Group an error without a name by its shape; when there are too many shapes, the rare ones go."""
        key = meaning.shape or (unit, shape(redact_text(entry.message.decode("utf-8", "backslashreplace"))))
        meaning.shape = key
        count, first = self._shapes.get(key, (0, entry))
        self._shapes[key] = (count + 1, first)
        if len(self._shapes) > _MOST_SHAPES_KEPT:
            kept = sorted(self._shapes.items(), key=lambda item: -item[1][0])[: _MOST_SHAPES_KEPT // 2]
            self._shapes = dict(kept)

    def _finding(self, journal: Journal, tally: Tally, context: list[Tally], boot: str) -> LogFinding:
        signature = tally.signature
        samples = tally.samples
        active = tally.active(self._cleared.get(signature.id, {}))
        if active and signature.over_after:
            heard = max(self._heard.get(unit, 0) for unit in tally.units)
            active = heard - tally.last < signature.over_after_us
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
                kept.append(ErrorShape(unit=unit, count=count, shape=form, sample=sample))
        return tuple(shape for kept in by_unit.values() for shape in kept)


def _sample(journal: Journal, kept: Kept) -> LogSample:
    return sample(kept.unit, kept.entry, kept.text, journal.cursor(kept.unit, kept.entry))
