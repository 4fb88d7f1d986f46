"""When the next diagnosis is due, and what becomes of it: done, failed, or killed at its deadline."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from nodediag.errors import Exit, UsageError
from nodediag.host import own
from nodediag.host.child import Tell
from nodediag.watch.jobs import Job, Jobs
from nodediag.watch.status import Status
from nodediag.watch.telling import Telling
from nodediag.watch.told import Diagnosed, Failed, Told

_REST: Final = 0.1  # of an interval, at least, between the end of one and the next
_NEVER: Final = float("inf")


class Diagnosing:
    """One diagnosis every interval, never two at once: one that does not end though it was killed is still there."""

    def __init__(self, work: Callable[[Tell], None], interval_s: float, jitter_s: float, jobs: Jobs) -> None:
        self._work = work
        self._interval_s = interval_s
        self._jitter_s = jitter_s
        self._jobs = jobs
        self._job: Job | None = None
        self._next = monotonic()
        self._outcome: Diagnosed | Failed | None = None

    @property
    def is_running(self) -> bool:
        """Whether one is there."""
        return self._job is not None

    def due(self, status: Status) -> float:
        """Give when there is something to do."""
        if self._job is None:
            return self._next
        return _NEVER if self._job.is_killed else self._job.started + status.allowed_s

    def act(self, now: float, status: Status, telling: Telling) -> None:
        """Start one, or kill one, when it is time."""
        if now < self.due(status):
            return
        if self._job is not None:
            self._job.kill()
            status.is_killed = True
            return
        self._outcome = None
        jitter_s = self._jitter_s * (2 * own.fraction() - 1)
        self._next = now + max(_REST * self._interval_s, self._interval_s + jitter_s)
        try:
            self._job = self._jobs.start(
                self._work, self._hear, lambda job, code: self._end(job, code, status, telling)
            )
        except OSError as error:
            self._fail(f"no process could be started: {error.strerror}", "failed", status, telling)
            return
        telling.begin()
        status.started = now

    def _hear(self, told: Told) -> None:
        if isinstance(told, Diagnosed | Failed):
            self._outcome = told

    def _end(self, job: Job, code: int, status: Status, telling: Telling) -> None:
        self._job = status.started = None
        now = monotonic()
        self._next = max(self._next, now + _REST * self._interval_s)
        outcome = self._outcome
        if isinstance(outcome, Diagnosed):
            status.done_in(now - job.started)
            telling.take(outcome)
        elif isinstance(outcome, Failed):
            if outcome.status == Exit.USAGE and not status.done:
                raise UsageError(outcome.why)
            self._fail(outcome.why, "failed", status, telling)
        elif job.is_killed:
            status.overdue = f"the last diagnosis did not end within {status.allowed_s:.0f} s"
            self._fail(status.overdue, "timed_out", status, telling)
        else:
            self._fail(f"its process ended with {code} and said nothing", "failed", status, telling)
        status.is_killed = False

    @staticmethod
    def _fail(why: str, result: str, status: Status, telling: Telling) -> None:
        status.count(result)
        status.failed += 1
        telling.fail(why)
