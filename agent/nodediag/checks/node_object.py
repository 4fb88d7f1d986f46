"""Does the node agree with its own object in the Kubernetes API?"""

from collections.abc import Iterator
from typing import Final

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, Unknown, need
from nodediag.facts.node_object import NodeObject
from nodediag.facts.snapshot import Facts
from nodediag.images import agreement
from nodediag.images.agreement import Pair
from nodediag.model.image import OsFamily
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile

_NEEDS: Final = "the node's object (--node-object FILE), and the node itself"
_WHY: Final = (
    "the kubelet writes what it finds into the node's object when it starts, and GKE's labels follow the image"
)
_SOURCE: Final = "Kubernetes' API reference, Node, status.nodeInfo"


@check("image.node-object", title="The node and its object in the Kubernetes API agree", needs=_NEEDS)
def agrees(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Where they differ, the object is another node's or of before a reboot, or somebody changed one of the two."""
    theirs = given(facts)
    if need(facts.image).os_family is OsFamily.WINDOWS:
        raise NotApplicableError("of a node with Windows only its object is seen: there is nothing to compare it with")
    same, boot = agreement.identity(facts, theirs), agreement.boot(facts, theirs)
    if same is not None and same.differs:
        yield _problem(same, profile, Severity.WARNING, "the object is another node's")
        return
    if boot is not None and boot.differs:
        yield _problem(boot, profile, Severity.INFO, "the object tells of another boot, so the rest is not compared")
        return
    pairs = tuple(agreement.of_one_boot(facts, theirs))
    if not pairs:
        detail = "nothing to compare: nothing was seen of the node that its object tells too"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=_NEEDS))
    for pair in pairs:
        if pair.differs:
            told = f"the node and its object differ in {pair.field}"
            yield _problem(pair, profile, Severity.WARNING, told)


def given(facts: Facts) -> NodeObject:
    """Give the node's object; where none was given, a check that needs it has nothing to ask."""
    if isinstance(facts.node_object, Unknown) and facts.node_object.reason.code is Code.NOT_ASKED:
        raise NotApplicableError(facts.node_object.reason.detail)
    return need(facts.node_object)


def _problem(pair: Pair, profile: Profile, severity: Severity, told: str) -> Problem:
    return Problem(
        severity=severity,
        subject=Subject("field", pair.field),
        message=f"{told}: the node says {pair.node}, the object {pair.theirs}",
        expected=pair.node,
        observed=pair.theirs,
        requirement=Requirement(profile=profile.name, key="node-object", why=_WHY, source=_SOURCE),
        remedy="take the object anew (`kubectl get node NAME -o json`); if it stays so, find who changed what",
        evidence=pair.evidence,
    )


CHECKS: Final[tuple[Check, ...]] = (agrees,)
