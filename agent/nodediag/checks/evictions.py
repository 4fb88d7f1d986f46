"""What the kubelet has had to evict, and whether that is over. What goes on is told by `logs.critical`."""

from collections.abc import Iterator
from typing import Final

from nodediag.checks import history, threshold
from nodediag.checks.check import Check, check
from nodediag.checks.logs import must_be_whole
from nodediag.facts.fact import need
from nodediag.facts.snapshot import Facts
from nodediag.logs.node import NEEDS
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile

_KEY: Final = "logs.evictions"
_POD: Final = "pod="
# The conditions of the signatures that tell of it; others of the same need, as the kernel's, are not the kubelet's.
_CONDITIONS: Final = frozenset({
    "disk-pressure-eviction", "memory-pressure-eviction", "inode-exhaustion", "pid-exhaustion",
})  # fmt: skip
_MOST_TOLD: Final = 5


@check("logs.evictions", title="The kubelet has not had to evict pods", needs=NEEDS)
def evictions(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The disk is free again, the pods are gone: without its history nobody knows why they were moved, or comes back.

    A few that are over are only told; a node that comes into need again and again is too small, or leaks.
    """
    rule = threshold.asked(profile, _KEY)
    logs = need(facts.logs)
    for finding in history.untold(logs, _CONDITIONS):
        pods = tuple(one for one in finding.subjects if one.startswith(_POD))
        own = finding.severity is Severity.INFO  # a pod over its own limit: the node was never in need
        grave = None if own else threshold.broken(rule, len(pods) or finding.count)
        about = f", of {', '.join(pods[:_MOST_TOLD])}" if pods else ""
        yield Problem(
            severity=Severity.INFO if grave is None else grave[0],
            subject=Subject("signature", finding.id),
            message=f"{'' if own else 'it is over: '}{finding.title}{about}, {history.often(finding)}",
            expected="no eviction",
            observed=history.often(finding),
            values={"condition": finding.condition, "count": finding.count, "pods": pods, "last": finding.last},
            requirement=threshold.requirement(profile, _KEY, rule),
            remedy=finding.remedy or rule.remedy,
            evidence=tuple(one.evidence for one in finding.samples),
        )
    must_be_whole(logs)


CHECKS: Final[tuple[Check, ...]] = (evictions,)
