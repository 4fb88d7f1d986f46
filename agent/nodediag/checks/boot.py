"""Has the node come up, and does nothing wait for ever?"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.units import NEEDS, STOPPING, asked, told
from nodediag.facts.fact import NotKnownError
from nodediag.facts.snapshot import Facts
from nodediag.facts.units import Startup, Units
from nodediag.model.evidence import DbusEvidence
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile, StartupRule

_MAINTENANCE: Final = "maintenance"
_JOBS_TOLD: Final = 5


@check("boot.finished", title="The boot has finished", needs=NEEDS)
def finished(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Until it has, some services were never started; in maintenance mode nothing was but a shell on the console."""
    rule = _rule(profile)
    units, startup = _startup(facts)
    if startup.finished and startup.state not in {_MAINTENANCE, STOPPING}:
        return
    if startup.state == STOPPING:
        raise NotKnownError(
            Reason(code=Code.ONE_SAMPLE, detail="the node is shutting down", needs="a look when it runs")
        )
    minutes = startup.uptime_ms // 60_000
    rescued = startup.state == _MAINTENANCE
    if not rescued and minutes < rule.boot_minutes:
        detail = f"the boot has not finished after {minutes} min; it may take {rule.boot_minutes}"
        raise NotKnownError(Reason(code=Code.ONE_SAMPLE, detail=detail, needs="a look once it has"))
    jobs = tuple(f"{job.unit} ({job.type}, {job.state})" for job in units.jobs)
    waiting = f"; it waits for {', '.join(jobs[:_JOBS_TOLD])}" if jobs else ""
    yield Problem(
        severity=Severity.CRITICAL if rescued else Severity.WARNING,
        subject=Subject("boot", startup.state),
        message="the node is in rescue or emergency mode: what it runs was not started"
        if rescued
        else f"the boot has not finished after {minutes} min{waiting}",
        expected=f"a boot that finishes within {rule.boot_minutes} min",
        observed=startup.state,
        values={"uptime_ms": startup.uptime_ms, "jobs": jobs[: 10 * _JOBS_TOLD]},
        requirement=_requirement(profile, rule),
        remedy="look at the console for what failed, then recreate the node" if rescued else rule.remedy,
        evidence=(DbusEvidence(path=units.socket, name="SystemState", text=startup.state),),
    )


@check("boot.jobs", title="No unit is between two states for long", needs=NEEDS)
def jobs(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A job that does not end holds up what is ordered after it, a shutdown among them."""
    rule = _rule(profile)
    units = asked(facts)
    longest = timedelta(minutes=rule.job_minutes)
    for unit in units.units:
        if not unit.job or unit.changed is msgspec.UNSET or units.asked is msgspec.UNSET:
            continue
        took = units.asked - unit.changed
        if unit.active not in {"activating", "deactivating", "reloading"} or took <= longest:
            continue
        yield Problem(
            severity=Severity.WARNING,
            subject=Subject("unit", unit.name),
            message=f"the job {unit.job} of {unit.name} has not ended: the unit is {told(unit)}",
            expected=f"a job that ends within {rule.job_minutes} min",
            observed=f"{int(took.total_seconds()) // 60} min",
            values={"active": unit.active, "sub": unit.sub, "job": unit.job},
            requirement=_requirement(profile, rule),
            remedy=rule.remedy,
            evidence=(units.evidence(unit),),
        )


def _rule(profile: Profile) -> StartupRule:
    if profile.startup is msgspec.UNSET:
        raise NotApplicableError(f"the profile {profile.name} has no bound for it")
    return profile.startup


def _startup(facts: Facts) -> tuple[Units, Startup]:
    units = asked(facts)
    if units.startup is msgspec.UNSET:
        raise NotKnownError(Reason(code=Code.NOT_ASKED, detail="systemd was not asked how far the boot is"))
    return units, units.startup


def _requirement(profile: Profile, rule: StartupRule) -> Requirement:
    return Requirement(profile=profile.name, key="startup", why=rule.why, source=rule.source, document=rule.document)


CHECKS: Final[tuple[Check, ...]] = (finished, jobs)
