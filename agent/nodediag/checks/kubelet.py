"""Does the kubelet run, and is it known what it talks to?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.kubelet import STATE_PATH, Kubelet
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import PathEvidence
from nodediag.model.image import RuntimeName
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.profiles.profile import Profile

_NEEDS: Final = "the process list of the node's PID 1"


@check("kubelet.running", title="The kubelet runs", needs=_NEEDS)
def running(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Without it no pod is started or watched, and after 40 seconds the cluster takes the node for lost."""
    kubelet = _expected(facts, profile)
    rule = profile.kubelet
    if not kubelet.running and rule is not msgspec.UNSET:
        yield Problem(
            severity=Severity.CRITICAL,
            subject=Subject("process", "kubelet"),
            message="no kubelet runs on this node",
            expected="a running kubelet",
            observed="none",
            requirement=Requirement(profile=profile.name, key="kubelet", why=rule.why, source=rule.source),
            remedy=rule.remedy,
            evidence=(PathEvidence(path="/proc", type="directory"),),
        )


@check(
    "runtime.identified",
    title="The kubelet's container runtime is known",
    needs=f"{_NEEDS}, the kubelet's --config file",
)
def runtime_identified(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Which runtime a node uses decides what to look at; only the running kubelet's endpoint tells it."""
    kubelet = _expected(facts, profile)
    image = need(facts.image)
    if not kubelet.running or image.runtime is RuntimeName.UNKNOWN:
        raise NotKnownError(image.open["runtime"])
    yield from ()


def _expected(facts: Facts, profile: Profile) -> Kubelet:
    """Give what is known of the kubelet; on a machine without a sign of Kubernetes there is nothing to judge."""
    kubelet = need(facts.kubelet)
    always = profile.kubelet is not msgspec.UNSET and profile.kubelet.always
    if not (kubelet.running or kubelet.state_folder or always):
        if kubelet.state_reason is not msgspec.UNSET:
            raise NotKnownError(kubelet.state_reason)
        raise NotApplicableError(f"no sign of Kubernetes here: no kubelet runs, there is no {STATE_PATH}")
    return kubelet


CHECKS: Final[tuple[Check, ...]] = (running, runtime_identified)
