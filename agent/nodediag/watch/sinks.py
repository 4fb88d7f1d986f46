"""Where it is said: a JSON line on standard output for each diagnosis and change, and our own log on standard error.

Nobody reads a blocked pipe, and a full disk takes nothing: lines wait, up to a bound, and are offered again.
"""

from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

import msgspec

from nodediag.host.events import Events
from nodediag.host.outlet import Outlet
from nodediag.model.changes import Noted
from nodediag.model.outcome import Verdict
from nodediag.watch.changes import Change

MOST_BYTES: Final = 1024 * 1024
AGAIN_S: Final = 5.0
_MOST_PROBLEMS: Final = 50


class DiagnosedLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="diagnosed"):
    """What a diagnosis came to; `report` is where it was kept."""

    schema: Literal["nodediag.watch/0"] = "nodediag.watch/0"
    time: datetime
    node: str
    verdict: Verdict
    because: tuple[str, ...]
    outcomes: dict[str, int]
    severities: dict[str, int]
    problems: tuple[Noted, ...]
    report: str
    duration_ms: int


class FailedLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="diagnosis_failed"):
    """A diagnosis that came to nothing: it says nothing of the node."""

    schema: Literal["nodediag.watch/0"] = "nodediag.watch/0"
    time: datetime
    node: str
    why: str


Line = DiagnosedLine | FailedLine | Change


class Lines:
    """Lines on their way to a descriptor, in order; `accepted` is called for each that has been taken whole."""

    def __init__(self, fd: int, events: Events, accepted: Callable[[Line], None]) -> None:
        self._outlet = Outlet(fd)
        self._events = events
        self._accepted = accepted
        self._waiting: deque[tuple[Line, bytes]] = deque()
        self._bytes = 0
        self._sent = 0  # of the first one
        self.refused = 0
        self.broken = ""  # why nothing is taken

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, line: Line) -> bool:
        """Send a line as soon as it is taken; false where too much waits already."""
        data = msgspec.json.encode(line) + b"\n"
        if self._bytes + len(data) > MOST_BYTES:
            self.refused += 1
            return False
        self._waiting.append((line, data))
        self._bytes += len(data)
        self.send()
        return True

    def send(self) -> None:
        """Offer what waits; what is not taken is offered again when there is room, or asked for after an error."""
        try:
            while self._waiting:
                line, data = self._waiting[0]
                self._sent += self._outlet.write(data[self._sent :])
                if self._sent < len(data):
                    break
                self._waiting.popleft()
                self._bytes -= len(data)
                self._sent = 0
                self._accepted(line)
            self.broken = ""
        except OSError as error:
            self.broken = error.strerror or str(error)
        self._events.when_written(self._outlet.fd, self.send if self._waiting and not self.broken else None)


class Log:
    """Our own log: JSON lines on standard error, dropped rather than waited for. What is said again is not repeated."""

    def __init__(self, fd: int, now: Callable[[], datetime]) -> None:
        self._outlet = Outlet(fd)
        self._now = now
        self._said: dict[str, str] = {}

    def say(self, event: str, **fields: str | int) -> None:
        """Log one event."""
        record = {"level": "info", "timestamp": self._now(), "event": event, **fields}
        try:
            self._outlet.write(msgspec.json.encode(record) + b"\n")
        except OSError:
            return

    def once(self, event: str, why: str) -> None:
        """Log an event when its reason is another than before; an empty one says that it is over, and is not logged."""
        if self._said.get(event, "") != why:
            self._said[event] = why
            if why:
                self.say(event, why=why)


def cut(problems: tuple[Noted, ...]) -> tuple[Noted, ...]:
    """Give the most urgent problems, as many as a line holds."""
    order = ("critical", "warning", "info")
    return tuple(sorted(problems, key=lambda problem: order.index(problem.severity.value))[:_MOST_PROBLEMS])
