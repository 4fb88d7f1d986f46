"""Tells, entry by entry, which signatures have become critical; the same that a diagnosis would find, but at once.

It holds the critical signatures, and of the others those without which a message would be taken for something else:
the more specific ones, the other lines of the kernel's reports, and planned stops.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec

from nodediag.host import own
from nodediag.journal.journal import KERNEL, Entry
from nodediag.logs.blocks import Blocks, Event
from nodediag.logs.levels import level
from nodediag.logs.matcher import Matcher, MatcherError
from nodediag.logs.tally import program
from nodediag.model.image import OsFamily
from nodediag.model.outcome import Severity
from nodediag.signatures.signature import Signature

# RE2 takes four times a program's size or refuses it; what of that is left over is for the automaton's growth.
_MOST_BYTES: Final = (7 << 20, 14 << 20, 28 << 20, 56 << 20)
_MOST_PROGRAMS: Final = 64


class Sighting(msgspec.Struct, frozen=True):
    """A signature, and the message by which it has become critical."""

    signature: Signature
    unit: str
    entry: Entry
    text: bytes
    subjects: tuple[str, ...]


class Lookout:
    """Holds messages against the signatures that matter at once."""

    def __init__(self, signatures: Iterable[Signature], family: OsFamily) -> None:
        self._family = family
        self._signatures = wanted(tuple(signatures), family)
        self._times: dict[str, dict[str, deque[int]]] = {}
        self._sightings: dict[str, Sighting] = {}
        self._blocks = Blocks(self._event)
        self._matcher = _matcher(self._signatures)
        own.give_back()

    def add(self, unit: str, entry: Entry) -> None:
        """Take in one entry."""
        named: tuple[Signature, ...] = ()
        hits = self._matcher.hits(entry.message)
        if hits:
            named = self._matcher.named(hits, unit, level(entry.message, entry.priority))
        parts = [signature for signature in named if unit == KERNEL and signature.block]
        for signature in named:
            if signature not in parts:
                self._occurred(signature, unit, entry, entry.message)
        if unit == KERNEL:
            self._blocks.takes(entry, parts, known=len(named) > len(parts))

    def sightings(self) -> tuple[Sighting, ...]:
        """Give what has become critical since this was last asked, once each."""
        found, self._sightings = tuple(self._sightings.values()), {}
        return found

    @property
    def is_open(self) -> bool:
        """Whether a report of many lines has begun and may go on."""
        return self._blocks.is_open

    def settle(self) -> None:
        """Take the reports of many lines that have begun to be whole."""
        self._blocks.close()

    def _event(self, event: Event) -> None:
        signature = self._matcher.first(event.signatures.values())
        self._occurred(signature, KERNEL, event.entry, event.text)

    def _occurred(self, signature: Signature, unit: str, entry: Entry, text: bytes) -> None:
        if signature.is_planned_stop:
            self._planned_stop(program(entry.message))
        elif severity(signature, self._family) is Severity.CRITICAL and self._reached(signature, entry):
            subjects = self._matcher.subjects(signature, text)
            self._sightings[signature.id] = Sighting(signature, unit, entry, text, subjects)

    def _reached(self, signature: Signature, entry: Entry) -> bool:
        """Tell whether it has occurred as often as makes it a fault, within its window."""
        if signature.minimum <= 1:
            return True
        by_program = self._times.setdefault(signature.id, {})
        whose = program(entry.message) if signature.reset_by_planned_stop else ""
        if whose not in by_program and len(by_program) >= _MOST_PROGRAMS:
            whose = ""
        times = by_program.setdefault(whose, deque(maxlen=signature.minimum))
        times.append(entry.time_us)
        return len(times) == signature.minimum and abs(times[-1] - times[0]) <= signature.window_us

    def _planned_stop(self, whose: str) -> None:
        for signature in self._signatures:
            if signature.reset_by_planned_stop:
                self._times.get(signature.id, {}).pop(whose, None)


def _matcher(signatures: tuple[Signature, ...]) -> Matcher:
    """Build as small a one as holds these signatures: the release's own need the least, one's own may be many."""
    *fewer, most = _MOST_BYTES
    for lean_bytes in fewer:
        try:
            return Matcher(signatures, lean_bytes=lean_bytes)
        except MatcherError:
            continue
    return Matcher(signatures, lean_bytes=most)


def severity(signature: Signature, family: OsFamily) -> Severity:
    """Give what a signature means on a system."""
    return signature.on_image.get(family, signature.severity)


def wanted(signatures: tuple[Signature, ...], family: OsFamily) -> tuple[Signature, ...]:
    """Give the signatures that are critical, and those without which one of them would be named wrongly."""
    critical = {s.id for s in signatures if severity(s, family) is Severity.CRITICAL and not s.is_context}
    return tuple(
        msgspec.structs.replace(s, cleared_by=(), samples=(), near_misses=(), cause="", remedy="", source="")
        for s in signatures
        if s.id in critical or critical & set(s.over) or s.block or s.is_planned_stop
    )
