"""What the container runtime says of itself by the CRI: is it ready, has it a network?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks import state
from nodediag.checks.check import Check, check
from nodediag.checks.runtime import endpoint
from nodediag.facts.cri import CriStatus
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile

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


CHECKS: Final[tuple[Check, ...]] = (ready, network_ready)
