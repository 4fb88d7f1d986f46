"""Does work wait for CPU, memory or disks? Judged by what has lasted for minutes and still lasts."""

from collections.abc import Iterator
from typing import Final

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.threshold import broken, requirement
from nodediag.facts.fact import need
from nodediag.facts.pressure import Stall
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile, ThresholdRule

_NEEDS: Final = "/proc/pressure, in a kernel that keeps it"
_KINDS: Final = ("some", "full")
_WHO: Final = {"some": "some of the work", "full": "all work"}
_FOR: Final = {"cpu": "a CPU", "memory": "memory", "io": "a disk"}


@check("pressure.cpu", title="Work does not wait for a CPU all the time", needs=_NEEDS)
def cpu(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A node that has no CPU left is late with everything: probes, leases, new pods."""
    yield from _judge(facts, profile, "cpu")


@check("pressure.memory", title="Work does not stand still for want of memory", needs=_NEEDS)
def memory(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Before the OOM killer strikes, a node may thrash for minutes, doing nothing but reading its programs back."""
    yield from _judge(facts, profile, "memory")


@check("pressure.io", title="Work does not stand still for want of a disk", needs=_NEEDS)
def io(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A disk at its limit makes the runtime time out, and the kubelet take its pods for dead."""
    yield from _judge(facts, profile, "io")


def _judge(facts: Facts, profile: Profile, resource: str) -> Iterator[Problem]:
    rules = {kind: rule for kind in _KINDS if (rule := profile.thresholds.get(f"pressure.{resource}.{kind}"))}
    if not rules:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    pressure = need(facts.pressure)
    if not pressure.kept:
        raise NotApplicableError("this kernel keeps no pressure stall information")
    for stall in pressure.stalls:
        rule = rules.get(stall.kind) if stall.resource == resource else None
        found = broken(rule, stall.lasting) if rule is not None else None
        if rule is not None and found is not None:
            yield _told(profile, rule, stall, *found)


def _told(profile: Profile, rule: ThresholdRule, stall: Stall, severity: Severity, threshold: float) -> Problem:
    key = f"pressure.{stall.resource}.{stall.kind}"
    windows = f"{stall.avg10:g} % of the last 10 s, {stall.avg60:g} % of 60 s, {stall.avg300:g} % of 300 s"
    return Problem(
        severity=severity,
        subject=Subject("pressure", f"{stall.resource}.{stall.kind}"),
        message=f"{_WHO[stall.kind]} waited for {_FOR[stall.resource]} in {windows}",
        expected=f"less than {threshold:g} % in one of the three",
        observed=f"{stall.avg10:g} %, {stall.avg60:g} %, {stall.avg300:g} %",
        values={"avg10": stall.avg10, "avg60": stall.avg60, "avg300": stall.avg300, "threshold": threshold},
        requirement=requirement(profile, key, rule),
        remedy=rule.remedy,
        evidence=(stall.evidence,),
    )


CHECKS: Final[tuple[Check, ...]] = (cpu, memory, io)
