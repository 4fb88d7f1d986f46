"""Have the kubelet's lease and status reached the API server? What goes on is told by `logs.critical`."""

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

_KEY: Final = "logs.node-updates"
# Lines about the lease or the status that name the network as their reason are told by the third.
_CONDITIONS: Final = frozenset({"node-lease-failed", "node-status-update-failed", "api-server-unreachable"})


@check("logs.node-updates", title="The kubelet's lease and status have reached the API server", needs=NEEDS)
def updates(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The kubelet says when it cannot renew its lease or send its status, and nothing when it can again.

    A node that was NotReady for minutes looks well afterwards; that its pods were moved then is told here alone. It is
    over once the kubelet has gone on logging for ten minutes without such a line.
    """
    rule = threshold.asked(profile, _KEY)
    logs = need(facts.logs)
    for finding in history.untold(logs, _CONDITIONS):
        grave = threshold.broken(rule, finding.count)
        yield Problem(
            severity=Severity.INFO if grave is None else grave[0],
            subject=Subject("signature", finding.id),
            message=f"it is over: {finding.title}, {history.often(finding)}",
            expected="no such message",
            observed=history.often(finding),
            values={
                "condition": finding.condition,
                "count": finding.count,
                "first": finding.first,
                "last": finding.last,
            },
            requirement=threshold.requirement(profile, _KEY, rule),
            remedy=rule.remedy,
            evidence=tuple(one.evidence for one in finding.samples),
        )
    must_be_whole(logs)


CHECKS: Final[tuple[Check, ...]] = (updates,)
