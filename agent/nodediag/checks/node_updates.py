"""Have the kubelet's lease and status reached the API server? What goes on is told by `logs.critical`."""

from collections.abc import Iterator
from typing import Final

from nodediag.checks import threshold
from nodediag.checks.check import Check, check
from nodediag.checks.logs import must_be_whole
from nodediag.facts.fact import need
from nodediag.facts.snapshot import Facts
from nodediag.logs.node import NEEDS
from nodediag.model.evidence import JournalEvidence
from nodediag.model.logs import LogFinding
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile

_KEY: Final = "logs.node-updates"
_OF_KUBELET: Final = "kubelet."
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
    for finding in logs.signatures:
        told_of = finding.active and finding.severity is not Severity.INFO
        if told_of or finding.condition not in _CONDITIONS or not finding.id.startswith(_OF_KUBELET):
            continue
        grave = threshold.broken(rule, finding.count)
        yield Problem(
            severity=Severity.INFO if grave is None else grave[0],
            subject=Subject("signature", finding.id),
            message=f"it is over: {finding.title}, {_often(finding)}",
            expected="no such message",
            observed=_often(finding),
            values={
                "condition": finding.condition,
                "count": finding.count,
                "first": finding.first,
                "last": finding.last,
            },
            requirement=threshold.requirement(profile, _KEY, rule),
            remedy=rule.remedy,
            evidence=tuple(
                JournalEvidence(cursor=one.cursor, time=one.time, unit=one.unit, text=one.text)
                for one in finding.samples
            ),
        )
    must_be_whole(logs)


def _often(finding: LogFinding) -> str:
    if finding.count == 1:
        return f"once, at {finding.last}"
    return f"{finding.count} times from {finding.first} to {finding.last}"


CHECKS: Final[tuple[Check, ...]] = (updates,)
