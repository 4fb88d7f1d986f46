"""What is said and what is kept: every change goes to the sink first, and into the saved state when that has it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from nodediag.host.events import Events
from nodediag.watch import keeping
from nodediag.watch.changes import Began, Book, Change
from nodediag.watch.jobs import Jobs
from nodediag.watch.sinks import AGAIN_S, DiagnosedLine, FailedLine, Line, Lines, Log, cut
from nodediag.watch.status import Status
from nodediag.watch.told import Diagnosed, Found, Kept, Told

_SAVE_S: Final = 30.0  # till a state that could not be saved is saved again
_NEVER: Final = float("inf")


class Telling:
    """The one place that knows what has been decided, said, taken and saved."""

    def __init__(
        self, folder: str | None, events: Events, jobs: Jobs, status: Status, now: Callable[[], datetime]
    ) -> None:
        self.log = Log(2, now)
        self.metrics = ""
        self.is_saving = False
        self._folder = folder
        self._jobs = jobs
        self._status = status
        self._now = now
        state, why = keeping.load(folder)
        self.log.once("the saved state cannot be used", why)
        self._book = Book(state)
        self.cursor = state.cursor
        self._lines = Lines(1, events, self._accepted)
        self._young: set[str] | None = None
        self._next_save = _NEVER

    def now_us(self) -> int:
        """Give the time as the journal counts it."""
        return int(self._now().timestamp() * 1e6)

    def due(self, now: float) -> float:
        """Give when there is something to do."""
        return min(self._next_save if not self.is_saving else _NEVER, now + AGAIN_S if self._lines.broken else _NEVER)

    def act(self, now: float) -> None:
        """Offer again what was not taken, save what has not been saved."""
        if self._lines.broken:
            self._lines.send()
        self.log.once("standard output takes nothing", self._lines.broken)
        if now >= self._next_save and not self.is_saving:
            self.save(now)

    def begin(self) -> None:
        """A diagnosis begins; what is found from now on it need not have seen."""
        self._young = set()

    def take(self, done: Diagnosed) -> None:
        """Say what a diagnosis came to, and what it changed."""
        self.metrics = done.metrics
        self._status.unkept = done.lost
        self.log.once("the report could not be kept", done.lost)
        self._book.node = done.node
        self._book.judging = done.judging
        line = DiagnosedLine(
            time=done.sight.observed_at,
            node=done.node,
            verdict=done.verdict,
            because=done.because,
            outcomes=done.outcomes,
            severities=done.severities,
            problems=cut(done.sight.problems),
            report=done.kept,
            duration_ms=done.duration_ms,
        )
        self._lines.add(line)
        self._tell(self._book.look(done.sight, self._now(), self._young or ()))
        self._young = None
        self._change()

    def fail(self, why: str) -> None:
        """Say that a diagnosis came to nothing."""
        self._young = None
        self._lines.add(FailedLine(time=self._now(), node=self._book.node, why=why))

    def find(self, found: Found) -> None:
        """Say what the journal has just shown, unless it is known."""
        if self._young is not None:
            self._young.add(found.fingerprint)
        self._tell(self._book.find(found, self._now()))

    def reach(self, cursor: str) -> None:
        """Take note how far the journal has been read."""
        self.cursor = cursor
        self._advance()

    def _advance(self) -> None:
        """Take the cursor over once all that was found before it has been taken."""
        if not len(self._lines):
            self._book.cursor = self.cursor

    def _tell(self, changes: tuple[Change, ...]) -> None:
        self._book.refuse([change for change in changes if not self._lines.add(change)])

    def _accepted(self, line: Line) -> None:
        if isinstance(line, DiagnosedLine | FailedLine):
            return
        self._book.accept(line)
        kind = "began" if isinstance(line, Began) else "ended"
        self._status.changes[kind] = self._status.changes.get(kind, 0) + 1
        self._change()

    def _change(self) -> None:
        self._next_save = min(self._next_save, 0.0)

    def save(self, now: float) -> None:
        """Save the state, in a child: a disk may take its time, or hang."""
        self._next_save = _NEVER
        if self._folder is None:
            return
        self._advance()
        work = partial(keeping.save, folder=self._folder, state=self._book.state())
        self._status.unsaved = "it is being saved, or that hangs"
        self.is_saving = True
        try:
            self._jobs.start(work, self._hear, lambda _job, _code: self._saved(now))
        except OSError as error:
            self.is_saving = False
            self._next_save = now + _SAVE_S
            self._status.unsaved = error.strerror or str(error)

    def _hear(self, told: Told) -> None:
        if isinstance(told, Kept):
            self._status.unsaved = told.lost

    def _saved(self, now: float) -> None:
        self.is_saving = False
        if self._status.unsaved:
            self._next_save = min(self._next_save, now + _SAVE_S)
        self.log.once("the state could not be saved", self._status.unsaved)

    def count(self) -> None:
        """Put into the status what is counted here."""
        status = self._status
        status.waiting, status.refused, status.unsent = len(self._lines), self._lines.refused, self._lines.broken
        status.open = self._book.open
