"""What is known of one signature so far: how often, when, about what. In a storm an occurrence costs little."""

import re
from collections import deque
from typing import Final

import msgspec

from nodediag.journal.journal import Entry
from nodediag.logs.blocks import Event
from nodediag.logs.matcher import Matcher
from nodediag.signatures.signature import Signature

MOST_SAMPLES: Final = 3
MOST_SUBJECTS: Final = 20
_MOST_ASKED: Final = 1000  # beyond it a storm is only counted
_MOST_TOLD: Final = 4096
_MOST_BURSTS: Final = 64
_MOST_MOMENTS: Final = 512
BURST_US: Final = 300_000_000
_SERVICE: Final = re.compile(rb"([A-Za-z0-9_.@\\:-]+)\.service\b")
_DESCRIBED: Final = (  # descriptions of units, which old systemd gives alone
    (b"kubelet", "kubelet"), (b"docker", "docker"), (b"containerd", "containerd"),
    (b"container runtime interface for oci", "crio"), (b"lightweight kubernetes", "k3s"),
)  # fmt: skip


class Kept(msgspec.Struct, frozen=True):
    """An entry kept as a sample; what is shown of it may be more than its own line."""

    unit: str
    entry: Entry
    text: bytes


class Lost(msgspec.Struct):
    """What of one program's messages the journal itself lost."""

    times: int = 0
    messages: int = 0
    first: int = 0
    last: int = 0


class _Window:
    """Tells whether there were `minimum` occurrences within a span."""

    __slots__ = ("_span_us", "_times", "reached")

    def __init__(self, minimum: int, span_us: int) -> None:
        self._times: deque[int] = deque(maxlen=max(1, minimum))
        self._span_us = span_us
        self.reached = False

    def add(self, time_us: int) -> None:
        self._times.append(time_us)
        self.reached = self.reached or self._full()

    def _full(self) -> bool:
        times = self._times
        return len(times) == times.maxlen and abs(times[-1] - times[0]) <= self._span_us

    def forget(self, until_us: int) -> None:
        """Leave out what was at or before a time."""
        self._times = deque((time for time in self._times if time > until_us), maxlen=self._times.maxlen)
        self.reached = self._full()


class Tally:
    """Counts the occurrences of one signature."""

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self.count = 0
        self.first = self.last = 0
        self._samples: list[Kept] = []
        self._latest: tuple[str, Entry] | None = None
        self.units: dict[str, None] = {}
        self.subjects: dict[str, int] = {}  # each with the time it was last named
        self.lost: dict[str, Lost] = {}
        self.bursts: deque[int] = deque(maxlen=_MOST_BURSTS)  # times at which occurrences began after a quiet while
        self._span_us = signature.window_us
        self._window = _Window(signature.minimum, self._span_us)
        self._by_program: dict[str, _Window] = {}
        self._told: set[int] = set()
        self.moments: deque[int] = deque(maxlen=_MOST_MOMENTS if signature.is_context else 0)
        self.reached = False  # whether it occurred as often as makes it a fault
        self._by_subject = any("(?P<" in pattern for pattern in signature.cleared_by)
        special = signature.loses or signature.reset_by_planned_stop or signature.is_context
        self._plain = not (special or self._by_subject)

    def add(self, unit: str, entry: Entry, matcher: Matcher) -> None:
        """Count one occurrence, but none that was counted already when it was read as one of systemd's own."""
        time_us = entry.time_us
        if self._told and time_us in self._told:
            return
        if self.settled:
            self.add_many(unit, entry, 1)
            return
        self._count(unit, time_us)
        if self.count <= _MOST_ASKED or self._by_subject:
            self._ask(time_us, matcher.subjects(self.signature, entry.message))
        if self.signature.loses:
            self._lose(time_us, matcher.subjects(self.signature, entry.message))
        if self.count < MOST_SAMPLES:
            self._samples.append(Kept(unit, entry, entry.message))
        else:
            self._latest = (unit, entry)
        if self.signature.reset_by_planned_stop:
            window = _Window(self.signature.minimum, self._span_us)
            self._by_program.setdefault(program(entry.message), window).add(time_us)
            self.reached = any(window.reached for window in self._by_program.values())
        elif not self.reached:
            self._window.add(time_us)
            self.reached = self._window.reached

    @property
    def settled(self) -> bool:
        """Whether of further occurrences only the number and the last time count: it storms, all else is kept."""
        return self.count > _MOST_ASKED and self._plain and self.reached and not self._told

    def add_many(self, unit: str, latest: Entry, count: int) -> None:
        """Count occurrences that came shortly one after the other, once settled."""
        self.count += count
        if latest.time_us - self.last > BURST_US:
            self.bursts.append(latest.time_us)
        self.last = max(self.last, latest.time_us)
        self._latest = (unit, latest)

    def add_event(self, unit: str, event: Event, matcher: Matcher) -> None:
        """Count a report of many lines as one occurrence."""
        time_us, text = event.entry.time_us, event.text
        self._count(unit, time_us)
        if self.count <= _MOST_ASKED:
            asked = [s for part in event.signatures.values() for s in matcher.subjects(part, text)]
            kinds = {subject.partition("=")[0] for subject in asked}
            own = {kind: name for kind, name in event.subjects.items() if event.kind == "oom" or kind not in kinds}
            others = [subject for subject in asked if subject.partition("=")[0] not in own]
            self._ask(time_us, (*(f"{kind}={name}" for kind, name in own.items()), *others))
        if self.count >= MOST_SAMPLES and len(self._samples) == MOST_SAMPLES:
            self._samples.pop()
        self._samples.append(Kept(unit, event.entry, text))
        if not self._window.reached:
            self._window.add(time_us)
            self.reached = self._window.reached

    def told(self, time_us: int) -> None:
        """Remember an entry of systemd's own, which is read once more as one of the unit that it is about."""
        if len(self._told) < _MOST_TOLD:
            self._told.add(time_us)

    def _count(self, unit: str, time_us: int) -> None:
        self.count += 1
        if time_us - self.last > BURST_US:
            self.bursts.append(time_us)
        self.moments.append(time_us)
        self.last = max(self.last, time_us)
        if not self.first or 0 < time_us < self.first:
            self.first = time_us
        if self.count <= _MOST_ASKED:
            self.units[unit] = None

    def _ask(self, time_us: int, subjects: tuple[str, ...]) -> None:
        for subject in subjects:
            if self.signature.loses and subject.startswith("count="):
                continue
            if subject in self.subjects or len(self.subjects) < MOST_SUBJECTS:
                self.subjects[subject] = time_us

    @property
    def samples(self) -> tuple[Kept, ...]:
        """The first occurrences, and the last."""
        if self._latest is None:
            return tuple(self._samples)
        unit, entry = self._latest
        return (*self._samples, Kept(unit, entry, entry.message))

    def _lose(self, time_us: int, subjects: tuple[str, ...]) -> None:
        said = dict(subject.split("=", 1) for subject in subjects)
        whose = said.get("unit", "")
        if whose not in self.lost and len(self.lost) >= MOST_SUBJECTS:
            whose = ""
        lost = self.lost.setdefault(whose, Lost(first=time_us))
        lost.times += 1
        lost.messages += int(said.get("count", "0")[:15])
        lost.last = time_us

    def planned_stop(self, message: bytes, time_us: int) -> None:
        """Forget the starts of a program before it was stopped on purpose."""
        window = self._by_program.get(program(message))
        if window is not None:
            window.forget(time_us)
            self.reached = any(window.reached for window in self._by_program.values())

    def active(self, cleared: dict[str, int]) -> bool:
        """Tell whether it was named after it was last said to be over: `cleared` has times, by subject; "" is any."""
        if cleared.get("", 0) >= self.last > 0:
            return False
        if not any(cleared) or len(self.subjects) >= MOST_SUBJECTS:
            return True
        kinds = {subject.partition("=")[0] for subject in cleared if subject}
        named = [(s, time_us) for s, time_us in self.subjects.items() if s.partition("=")[0] in kinds]
        return not named or any(cleared.get(s, 0) < time_us for s, time_us in named)


def program(message: bytes) -> str:
    """Give which program a message of systemd's is about, by its unit or its unit's description."""
    service = _SERVICE.search(message)
    if service is not None:
        return service[1].decode("latin-1")
    said = message.lower()
    return next((name for words, name in _DESCRIBED if words in said), "")
