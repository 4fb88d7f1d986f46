"""What the NodeConditions of the node's object say, and whether the journal says so too."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from nodediag.checks.check import Check, check
from nodediag.checks.node_object import given
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.node_object import NodeCondition, NodeObject
from nodediag.facts.snapshot import Facts
from nodediag.images import told
from nodediag.model.evidence import Evidence, NodeObjectEvidence
from nodediag.model.logs import LogFinding, LogResult
from nodediag.model.outcome import Problem, Requirement, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import ConditionRule, Profile

_NEEDS: Final = "the node's object, with its status.conditions (--node-object FILE)"


@check("node.conditions", title="The node's conditions in the Kubernetes API are good", needs=_NEEDS)
def good(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The kubelet and node-problem-detector tell the cluster through them; scheduler and auto-repair act on them."""
    theirs = _of_this_node(facts)
    for kind, rule in profile.conditions.items():
        condition = theirs.condition(kind)
        if condition is None or condition.status == rule.good:
            continue
        agree = _active(known(facts.logs), rule)
        yield Problem(
            severity=rule.severity,
            subject=Subject("condition", kind),
            message=f"{kind} is {condition.status or 'without a status'}{_because(condition)}; {_heard(facts, agree)}",
            expected=f"{kind} is {rule.good}",
            observed=f"{kind} is {condition.status or 'without a status'}",
            values={
                "status": condition.status,
                "since": condition.changed,
                "signatures": tuple(one.id for one in agree),
            },
            requirement=_requirement(profile, kind, rule),
            remedy=rule.remedy,
            evidence=(_quoted(theirs, condition), *_samples(agree)),
        )


@check(
    "node.conditions-agree",
    title="The node's conditions hide nothing that its journal tells",
    needs=f"{_NEEDS}, and the node's journal",
)
def agree(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A good condition beside the failure it should tell of means that who sets it is dead, late or blind."""
    theirs, logs = _of_this_node(facts), need(facts.logs)
    for kind, rule in profile.conditions.items():
        condition = theirs.condition(kind)
        if condition is None or condition.status != rule.good or not rule.exact:
            continue
        against = tuple(one for one in _active(logs, rule) if _said_after(condition, one))
        if against:
            yield Problem(
                severity=rule.severity,
                subject=Subject("condition", kind),
                message=f"{kind} is {condition.status}, but the journal tells: {against[0].title}",
                expected=f"{kind} is not {rule.good} while that is so",
                observed=f"{kind} is {condition.status} at {condition.heartbeat}",
                requirement=_requirement(profile, kind, rule),
                remedy=f"believe the journal; look whether node-problem-detector and the kubelet run. {rule.remedy}",
                evidence=(_quoted(theirs, condition), *_samples(against)),
            )


def _of_this_node(facts: Facts) -> NodeObject:
    theirs = given(facts)
    if told.other_node(facts):
        detail = f"the object given is that of another node, {theirs.name}"
        raise NotKnownError(Reason(code=Code.WRONG_KIND, detail=detail, needs=_NEEDS))
    if not theirs.conditions:
        detail = "the object holds no conditions"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=_NEEDS))
    return theirs


def _active(logs: LogResult | None, rule: ConditionRule) -> tuple[LogFinding, ...]:
    signatures = logs.signatures if logs is not None else ()
    return tuple(one for one in signatures if one.active and one.condition in rule.journal)


def _heard(facts: Facts, agree: tuple[LogFinding, ...]) -> str:
    if agree:
        return f"the journal agrees: {agree[0].title}"
    logs = known(facts.logs)
    if logs is None:
        return "the journal was not read"
    return f"the journal tells of no such thing from {logs.since:%Y-%m-%d %H:%M} to {logs.until:%Y-%m-%d %H:%M} UTC"


def _because(condition: NodeCondition) -> str:
    since = f" since {condition.changed}" if condition.changed else ""
    why = ": ".join(word for word in (condition.reason, condition.message) if word)
    return since + (f" ({why})" if why else "")


def _said_after(condition: NodeCondition, finding: LogFinding) -> bool:
    """Tell whether the condition was still called good when the journal had told of the failure."""
    try:
        return datetime.fromisoformat(condition.heartbeat) >= datetime.fromisoformat(finding.last)
    except (ValueError, TypeError):  # no time, or one without a zone
        return False


def _quoted(theirs: NodeObject, condition: NodeCondition) -> NodeObjectEvidence:
    text = f"{condition.status}, {condition.reason}: {condition.message}"
    return theirs.evidence(f"status.conditions[{condition.type}]", text)


def _samples(findings: tuple[LogFinding, ...]) -> tuple[Evidence, ...]:
    return tuple(sample.evidence for one in findings for sample in one.samples)


def _requirement(profile: Profile, kind: str, rule: ConditionRule) -> Requirement:
    return Requirement(profile=profile.name, key=f"conditions.{kind}", why=rule.why, source=rule.source)


CHECKS: Final[tuple[Check, ...]] = (good, agree)
