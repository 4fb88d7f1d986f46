"""Does the kubelet say that it is well?"""

from collections.abc import Iterator
from typing import Final

from nodediag.checks import state
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import need
from nodediag.facts.healthz import Healthz
from nodediag.facts.snapshot import Facts
from nodediag.host.answer import HealthzOutcome
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile

_KEY: Final = "kubelet.healthz"


@check(
    "kubelet.healthz",
    title="The kubelet answers that it is well",
    needs="the node's network namespace: root on the node itself, or a pod with hostNetwork that may compare them",
)
def healthz(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A kubelet whose main loop stands still runs on, and starts and stops no pod; it says so at /healthz.

    One that was started seconds ago does not listen yet, and one look cannot tell slow from hung: both are warnings.
    """
    rule = state.asked(facts, profile, _KEY)
    kubelet = need(facts.kubelet)
    port = kubelet.told.get("healthzPort")
    if not kubelet.running:
        raise NotApplicableError("no kubelet runs here")
    if port is not None and port.value == "0":
        raise NotApplicableError(f"it is switched off by {port.by}")
    seen = need(facts.healthz)
    if seen.well:
        return
    severity = Severity.CRITICAL if seen.status else Severity.WARNING
    yield rule.broken(
        Problem(
            severity=severity,
            subject=Subject("process", "kubelet"),
            message=_says(seen)[:500],
            expected="200 ok",
            observed=f"{seen.status} {seen.text}"[:200] if seen.status else seen.outcome.value.replace("_", " "),
            values={"status": seen.status, "outcome": seen.outcome.value},
            evidence=(seen.evidence,),
        )
    )


def _says(seen: Healthz) -> str:
    match seen.outcome:
        case HealthzOutcome.ANSWERED:
            return f"the kubelet says that it is not well: {seen.status} {seen.text}"
        case HealthzOutcome.REFUSED:
            return f"the kubelet runs, and nobody listens at {seen.url}"
        case HealthzOutcome.TIMED_OUT:
            return f"the kubelet does not answer in time at {seen.url}"


CHECKS: Final[tuple[Check, ...]] = (healthz,)
