"""The children of the loop: started, heard, reaped, killed; nobody waits for one."""

from collections.abc import Callable
from time import monotonic
from typing import Final

import msgspec

from nodediag.host.child import Child, Tell, reaped
from nodediag.host.events import Events
from nodediag.watch.told import Told

_decode: Final = msgspec.json.Decoder(Told).decode

Hear = Callable[[Told], None]
End = Callable[["Job", int], None]


class Job:
    """A child at its work, since when, and when it last told something."""

    def __init__(self, child: Child, hear: Hear, end: End) -> None:
        self.child = child
        self.hear = hear
        self.end = end
        self.started = self.heard = monotonic()
        self.is_killed = False

    def kill(self) -> None:
        """Kill it; it has ended when it has been reaped, and until then it is there."""
        self.is_killed = True
        self.child.kill()


class Jobs:
    """All children."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._jobs: dict[int, Job] = {}

    def start(self, work: Callable[[Tell], None], hear: Hear, end: End) -> Job:
        """Start a child: `hear` gets what it tells, `end` its status; raises OSError where there is no room for one."""
        job = Job(Child(work), hear, end)
        self._jobs[job.child.pid] = job
        self._events.when_read(job.child.fd, lambda: self._hear(job))
        return job

    def _hear(self, job: Job) -> None:
        lines, more = job.child.told()
        if not more:
            self._events.when_read(job.child.fd, None)
        for line in lines:
            job.heard = monotonic()
            job.hear(_decode(line))

    def reap(self) -> None:
        """Take note of the children that have ended, after all that they have told."""
        for pid, status in reaped():
            job = self._jobs.pop(pid, None)
            if job is not None:
                self._hear(job)
                self._events.when_read(job.child.fd, None)
                job.child.close()
                job.end(job, status)

    def kill(self) -> None:
        """Kill all that are there."""
        for job in self._jobs.values():
            job.kill()
