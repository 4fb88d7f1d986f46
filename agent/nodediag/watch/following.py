"""The parent's side of the follower: started, restarted from where it was, given up when it says nothing."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from nodediag.host.child import Tell
from nodediag.watch.jobs import Job, Jobs
from nodediag.watch.status import Status
from nodediag.watch.telling import Telling
from nodediag.watch.told import Beat, Failed, Found, Place, Told

_SILENCE_S: Final = 120.0  # till it is taken to hang
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 300.0
_LONG_LIFE_S: Final = 600.0  # after which an end is not taken for one of many
_MOST_FAILURES: Final = 4  # at one place
_NEVER: Final = float("inf")

Find = Callable[[Tell], None]
Follow = Callable[[Tell, Place, str, int], None]


class Following:
    """One follower at a time; first a child finds out where the node's files are.

    One that dies again and again where it was left off is started at the end of the journal: what is damaged in between
    is for the diagnoses to tell.
    """

    def __init__(self, find: Find, follow: Follow, since_us: int, jobs: Jobs, pause_s: float = _FIRST_PAUSE_S) -> None:
        self._find = find
        self._follow = follow
        self._since_us = since_us
        self._jobs = jobs
        self._place: Place | None = None
        self._job: Job | None = None
        self._next = monotonic()
        self._first_pause_s = self._pause_s = pause_s
        self._failures = 0

    def due(self) -> float:
        """Give when there is something to do."""
        if self._job is None:
            return self._next
        return _NEVER if self._job.is_killed else self._job.heard + _SILENCE_S

    def act(self, now: float, status: Status, telling: Telling) -> None:
        """Start one, or kill one, when it is time."""
        if now < self.due():
            return
        if self._job is not None:
            self._job.kill()
            return
        self._next = now + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        work, place, cursor, since_us = self._find, self._place, telling.cursor, self._since_us
        if self._failures >= _MOST_FAILURES:
            cursor, since_us = "", telling.now_us()
        if place is not None:
            status.followers += 1

            def work(tell: Tell) -> None:
                self._follow(tell, place, cursor, since_us)

        try:
            self._job = self._jobs.start(
                work,
                lambda told: self._hear(told, status, telling),
                lambda job, code: self._end(job, code, status, telling),
            )
        except OSError as error:
            telling.log.once("the journal is not followed", error.strerror or str(error))

    def _hear(self, told: Told, status: Status, telling: Telling) -> None:
        match told:
            case Place():
                self._place = told
            case Found():
                telling.find(told)
            case Beat(cursor=cursor, entries=entries, files=files):
                status.files = files
                status.entries += entries
                telling.reach(cursor)
                telling.log.once("the journal is not followed", "" if files else "no journal file can be read")
            case Failed(why=why):
                telling.log.once("the journal is not followed", why)
            case _:
                pass

    def _end(self, job: Job, code: int, status: Status, telling: Telling) -> None:
        self._job = None
        status.files = 0
        now = monotonic()
        if now - job.started >= _LONG_LIFE_S or (self._place is not None and not status.followers):
            self._next, self._pause_s, self._failures = now, self._first_pause_s, 0
        if code:
            self._failures += self._place is not None
            telling.log.say("the follower of the journal ended", status=code)
