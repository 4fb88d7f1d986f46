"""Does the container runtime answer the kubelet?"""

from collections.abc import Iterator
from typing import Final

from nodediag.checks import state
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.runtime_sockets import RuntimeSocket, RuntimeSockets, SocketState
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import PathEvidence
from nodediag.model.image import RuntimeName
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile

_SOCKET: Final = "runtime.socket"
_DEFAULT: Final = "/run/containerd/containerd.sock"  # where a kubelet finds containerd that was told no endpoint


@check(
    "runtime.socket",
    title="The container runtime answers at the socket that the kubelet uses",
    needs="the runtime's socket (/run/containerd/containerd.sock), and root to connect to it",
)
def answers(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A runtime that hangs keeps its socket: pods go on, none starts or ends, and the kubelet reports NotReady."""
    path = endpoint(facts)
    rule = state.asked(facts, profile, _SOCKET)
    seen = need(facts.runtime_sockets)
    if path in seen.unseen:
        raise NotKnownError(seen.unseen[path])
    one = seen.at(path)
    if one is None or one.state is not SocketState.ANSWERS:
        yield rule.broken(_silent(facts, seen, path, one))


def endpoint(facts: Facts) -> str:
    """Give the path of the socket at which the kubelet's runtime is; ends the check where there is none to judge."""
    image = need(facts.image)
    if image.runtime is RuntimeName.UNKNOWN:
        raise NotKnownError(image.open["runtime"])
    if image.runtime is RuntimeName.NONE:
        raise NotApplicableError("no kubelet runs here, so nothing uses a container runtime for Kubernetes")
    named = need(facts.runtime_sockets).endpoint
    if not named and image.runtime is not RuntimeName.CONTAINERD:
        raise NotApplicableError(f"the kubelet names no socket of {image.runtime}, and has one of its own for it")
    return named or _DEFAULT


def _silent(facts: Facts, seen: RuntimeSockets, path: str, one: RuntimeSocket | None) -> Problem:
    others = [other.path for other in seen.sockets if other.state is SocketState.ANSWERS]
    stood = PathEvidence(path=path, type="absent") if one is None else one.evidence
    kubelet = need(facts.kubelet)
    return Problem(
        severity=Severity.CRITICAL,
        subject=Subject("socket", path),
        message=(f"there is no socket {path}" if one is None else one.says)
        + (f"; {', '.join(others)} answers" if others else ""),
        expected="a runtime that answers there",
        observed="no socket" if one is None else one.state.value,
        values={"state": "absent" if one is None else one.state.value, "answering": tuple(others)},
        evidence=(stood, *kubelet.evidence[:1]),
    )


CHECKS: Final[tuple[Check, ...]] = (answers,)
