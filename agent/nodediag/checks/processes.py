"""Do processes get on: is the load bearable, do few hang in the kernel, are the dead buried?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks.check import Check, check
from nodediag.checks.threshold import Measured, asked, held
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile

_NEEDS: Final = "the process list of the node's PID 1, with the state of each"
_NAMED: Final = 5


@check("processes.load", title="The load is bearable", needs="/proc/loadavg, /sys/devices/system/cpu/online")
def load(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Where many times more threads want to run than there are CPUs, or all wait for a disk, nothing is in time."""
    asked(profile, "processes.load")
    seen = need(facts.load)
    if seen.cpus is msgspec.UNSET:
        path = "/sys/devices/system/cpu/online"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=f"{path} does not tell the CPUs", needs=path))
    measured = Measured(
        subject=Subject("load", "node"),
        value=seen.avg15 / seen.cpus,
        unit="for each CPU",
        message=f"{seen.avg15:g} threads have run or waited for a disk for 15 minutes, with {seen.cpus} CPUs",
        values={"avg1": seen.avg1, "avg5": seen.avg5, "avg15": seen.avg15, "cpus": seen.cpus},
        evidence=(seen.evidence,),
    )
    yield from held(profile, "processes.load", measured)


@check("processes.blocked", title="Few processes wait in the kernel at a time", needs=_NEEDS)
def blocked(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """In uninterruptible sleep a process cannot be ended; many of them mean a disk or server that does not answer."""
    asked(profile, "processes.blocked")
    seen = need(facts.processes)
    who = ", ".join(f"{one.name} ({one.pid})" for one in seen.blocked_processes[:_NAMED])
    measured = Measured(
        subject=Subject("processes", "blocked"),
        value=seen.blocked,
        message=f"{seen.blocked} processes are in uninterruptible sleep at once: {who}"
        f"{' and others' if seen.blocked > _NAMED else ''}",
        observed=str(seen.blocked),
        values={"blocked": seen.blocked},
        evidence=seen.blocked_processes,
    )
    yield from held(profile, "processes.blocked", measured)


@check("processes.zombies", title="Ended processes are asked for their end", needs=_NEEDS)
def zombies(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A parent that does not wait for its children leaves a process id behind for each; in the end there are none."""
    asked(profile, "processes.zombies")
    seen = need(facts.processes)
    who = ", ".join(f"{one.zombies} of {one.name or 'process'} ({one.pid})" for one in seen.parents[:_NAMED])
    measured = Measured(
        subject=Subject("processes", "zombies"),
        value=seen.zombies,
        message=f"{seen.zombies} processes have ended and were not waited for: {who}",
        observed=str(seen.zombies),
        values={"zombies": seen.zombies, "parents": tuple(str(one.pid) for one in seen.parents)},
        evidence=tuple(one.evidence for one in seen.parents),
    )
    yield from held(profile, "processes.zombies", measured)


CHECKS: Final[tuple[Check, ...]] = (load, blocked, zombies)
