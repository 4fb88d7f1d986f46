"""The loop of the DaemonSet: the parent is small, does nothing that can block, and starts children that do the work.

A diagnosis every interval, with a deadline; a follower of the journal in between; the state saved after the sink has
taken the lines. Intervals are monotonic, the wall clock only stamps.
"""

import signal
from collections.abc import Callable
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Final

import msgspec

from nodediag.host.child import Tell
from nodediag.host.events import Events
from nodediag.host.listener import Listener
from nodediag.render.exposition import END
from nodediag.watch.diagnosing import Diagnosing
from nodediag.watch.following import Find, Follow, Following
from nodediag.watch.jobs import Jobs
from nodediag.watch.serve import Pages, address, answer
from nodediag.watch.status import Status
from nodediag.watch.telling import Telling

GRACE_S: Final = 10.0  # beyond its own timeout, till a diagnosis is killed
_LAST_S: Final = 0.5  # for the state and what still waits, when we are told to end
_LONGEST_S: Final = 60.0
_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the options ask for."""

    interval_s: float
    jitter_s: float
    timeout_s: float
    state: str | None
    listen: str
    once: bool
    follow: bool


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What is done in children, which import what it takes."""

    diagnose: Callable[[Tell], None]
    find: Find
    follow: Follow


class Loop:
    """Runs until it is told to end. Raises UsageError where it cannot begin."""

    def __init__(self, plan: Plan, work: Work, now: Callable[[], datetime]) -> None:
        self._events = Events((*_ENDING, signal.SIGCHLD))
        self._jobs = Jobs(self._events)
        self._status = Status(allowed_s=plan.timeout_s + GRACE_S)
        self._telling = Telling(plan.state, self._events, self._jobs, self._status, now)
        self._diagnosing = Diagnosing(work.diagnose, plan.interval_s, plan.jitter_s, self._jobs)
        since_us = int(now().timestamp() * 1e6)
        self._following = Following(work.find, work.follow, since_us, self._jobs)
        self._once = plan.once
        self._follows = plan.follow and not plan.once
        self._listener = self._listening(plan.listen)

    def _listening(self, listen: str) -> Listener | None:
        where = address(listen)
        if where is None:
            return None
        pages = Pages(sick=lambda: self._status.sick(monotonic()), unready=self._status.unready, metrics=self._exposed)
        listener = Listener("--listen", *where, self._events, partial(answer, pages))
        self._telling.log.say("listening", address=listener.address)
        return listener

    def run(self) -> int:
        """Run until a signal says to end, and give its number; 0 after the one diagnosis of `once`."""
        try:
            while not (self._once and self._status.results and not self._diagnosing.is_running):
                self._act(monotonic())
                ending = [number for number in self._wait() if number in _ENDING]
                if ending:
                    return ending[0]
                self._jobs.reap()
            return 0
        finally:
            self._finish()

    @property
    def unsaid(self) -> str:
        """Say why standard output took nothing at the end; empty where it did."""
        self._telling.count()
        return self._status.unsent

    def _act(self, now: float) -> None:
        self._diagnosing.act(now, self._status, self._telling)
        if self._follows:
            self._following.act(now, self._status, self._telling)
        self._telling.act(now)

    def _wait(self) -> tuple[int, ...]:
        now = monotonic()
        times = [now + _LONGEST_S, self._diagnosing.due(self._status), self._telling.due(now)]
        if self._follows:
            times.append(self._following.due())
        if self._listener is not None and (until := self._listener.expire(now)) is not None:
            times.append(until)
        return self._events.wait(min(times) - now)

    def _finish(self) -> None:
        """Save what has been taken; whoever does not read what waits, or a disk that hangs, is not waited for."""
        until = monotonic() + _LAST_S
        while self._telling.is_saving and monotonic() < until:
            self._events.wait(until - monotonic())
            self._jobs.reap()
        self._telling.save(monotonic())
        while self._telling.is_saving and monotonic() < until:
            self._events.wait(until - monotonic())
            self._jobs.reap()
        self._jobs.kill()

    def _exposed(self) -> str:
        self._telling.count()
        return self._telling.metrics + self._status.metrics(monotonic()) + END
