"""Does the system update itself where it should, and only there?"""

from collections.abc import Iterator
from typing import Final

from nodediag.checks import state
from nodediag.checks.check import Check, check
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.snapshot import Facts
from nodediag.facts.update_engine import EngineState
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile

_ENGINE: Final = "updates.engine"
_SAYS: Final = {
    EngineState.NONE: "there is no update engine",
    EngineState.OFF: "the update engine does not run",
    EngineState.RUNS: "the update engine runs",
    EngineState.UPDATED: "the update engine has written another image; the next reboot starts it",
}


@check(
    "updates.engine",
    title="The system updates itself where it should, and only there",
    needs="/usr/sbin/update_engine, /var/lib/update_engine/prefs, the process list",
)
def engine(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """GKE upgrades a node by making it anew; one that updates itself boots another image than its pool's."""
    rule = state.asked(facts, profile, _ENGINE)
    seen = need(facts.update_engine)
    word = seen.state.value
    if rule.fits(word):
        return
    if seen.state is EngineState.RUNS:
        detail = "the update engine runs; whether it may update is said by the instance's metadata, which was not read"
        needs = "the metadata attribute cos-update-strategy, or gci-update-strategy"
        raise NotKnownError(Reason(code=Code.NOT_ASKED, detail=detail, needs=needs))
    yield rule.broken(
        Problem(
            severity=Severity.WARNING,
            subject=Subject("service", "update-engine"),
            message=_SAYS[seen.state],
            expected=rule.wanted,
            observed=word,
            values={"state": word},
            evidence=seen.evidence,
        )
    )


CHECKS: Final[tuple[Check, ...]] = (engine,)
