"""What the container runtime says of itself by the CRI: is it ready, has it a network, do kubelet and image fit it?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks import state
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.containerd import version_of
from nodediag.checks.runtime import endpoint
from nodediag.facts.cri import CriStatus
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.snapshot import Facts
from nodediag.images.gke import kubelet_release
from nodediag.images.version import numbers
from nodediag.model.image import RuntimeName
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile, RuntimeVersionRule

_NEEDS: Final = "the runtime's socket, root to connect to it, and nodediag's extra `cri`"


@check("runtime.ready", title="The container runtime says that it is ready", needs=_NEEDS)
def ready(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A runtime may run and answer without its CRI plugin, or without what the plugin needs; then no pod starts."""
    endpoint(facts)
    rule = state.asked(facts, profile, "runtime.ready")
    seen = need(facts.cri)
    if seen.answer is msgspec.UNSET:
        yield rule.broken(
            Problem(
                severity=Severity.CRITICAL,
                subject=Subject("runtime", "cri"),
                message=f"what answers at {seen.path} offers no CRI: {seen.refused}",
                expected="the CRI, version v1",
                observed=seen.refused,
                evidence=(seen.evidence("Version", seen.refused),),
            )
        )
        return
    yield from _unready(rule, seen, "RuntimeReady")


@check("runtime.network-ready", title="The container runtime says that its network is ready", needs=_NEEDS)
def network_ready(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Without it the kubelet reports NotReady (NetworkPluginNotReady), and starts pods of the host's network alone."""
    endpoint(facts)
    rule = state.asked(facts, profile, "runtime.network-ready")
    seen = need(facts.cri)
    if seen.answer is msgspec.UNSET:
        raise NotKnownError(Reason(code=Code.UNSUPPORTED, detail=seen.refused, needs="a runtime that speaks the CRI"))
    yield from _unready(rule, seen, "NetworkReady")


@check(
    "runtime.version",
    title="The container runtime is of a version that kubelet and image go with",
    needs=f"{_NEEDS}, or the package's or the node's object's word for the version; the kubelet's version",
)
def version(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A kubelet refuses a runtime that speaks no CRI v1; an image is tested with one runtime alone."""
    image, seen = need(facts.image), known(facts.cri)
    if image.runtime is RuntimeName.UNKNOWN:
        raise NotKnownError(image.open["runtime"])
    if image.runtime is not RuntimeName.CONTAINERD:
        raise NotApplicableError(f"the kubelet's container runtime here is {image.runtime}, not containerd")
    if not profile.runtime_versions:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    kubelet = need(facts.kubelet)
    found = version_of(facts)
    release, runtime = kubelet_release(kubelet), numbers(found)
    if release is None or not runtime:
        what = "the kubelet's version" if release is None else "containerd's version"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=f"{what} is not known", needs=_NEEDS))
    for key, rule in profile.runtime_versions.items():
        if release >= numbers(rule.kubelet) and not _fits(rule, runtime):
            wanted = f"containerd {rule.least} or later" if rule.least else f"containerd before {rule.below}"
            yield Problem(
                severity=rule.severity,
                subject=Subject("runtime", key),
                message=f"containerd is {found}, and a kubelet {kubelet.version} goes with {wanted}",
                expected=wanted,
                observed=found,
                values={"containerd": found, "kubelet": kubelet.version},
                requirement=Requirement(
                    profile=profile.name, key=f"runtime_versions.{key}", why=rule.why, source=rule.source
                ),
                remedy=rule.remedy,
                evidence=(*((seen.evidence("Version", found),) if seen is not None else ()), *kubelet.evidence[:1]),
            )


def _fits(rule: RuntimeVersionRule, runtime: tuple[int, ...]) -> bool:
    return (not rule.least or runtime >= numbers(rule.least)) and (not rule.below or runtime < numbers(rule.below))


def _unready(rule: state.Asked, seen: CriStatus, name: str) -> Iterator[Problem]:
    conditions = () if seen.answer is msgspec.UNSET else seen.answer.conditions
    condition = next((one for one in conditions if one.type == name), None)
    if condition is not None and condition.status:
        return
    told = f"{condition.reason}: {condition.message}".strip(": ") if condition is not None else "it is not among them"
    said = told or "without a reason"
    yield rule.broken(
        Problem(
            severity=Severity.CRITICAL,
            subject=Subject("condition", name),
            message=f"the runtime says that {name} is false: {said}" if condition else f"the runtime tells no {name}",
            expected=f"{name} is true",
            observed=said,
            values={"reason": condition.reason if condition else "", "message": condition.message if condition else ""},
            evidence=(seen.evidence("Status", f"{name}: {said}"),),
        )
    )


CHECKS: Final[tuple[Check, ...]] = (ready, network_ready, version)
