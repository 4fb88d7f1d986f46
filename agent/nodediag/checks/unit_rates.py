"""Which services has systemd restarted between two looks?"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from nodediag.checks import units
from nodediag.checks.check import Check, check
from nodediag.checks.rates import TWO_LOOKS, looks
from nodediag.checks.threshold import Measured, asked, held
from nodediag.facts.counters import Table
from nodediag.facts.fact import need
from nodediag.facts.restarts import COUNTER
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import DbusEvidence
from nodediag.model.outcome import Problem, Subject
from nodediag.profiles.profile import Profile

if TYPE_CHECKING:
    from nodediag.facts.rates import Change

_KEY: Final = "rates.restarts"


@check(
    "rates.restarts",
    title="No service ends and is restarted by systemd between two looks",
    needs=f"{TWO_LOOKS}; {units.NEEDS}",
)
def restarts(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A service that has just come back looks well and is not: what ended it will do so again, and soon.

    Only systemd's own restarts count. A start or restart on somebody's order sets its count back: from there it is
    counted anew, so that a planned stop is never taken for an end.
    """
    asked(profile, _KEY)
    for change in looks(facts, Table.RESTARTS):
        yield from held(profile, _KEY, _measured(facts, change))


def _measured(facts: Facts, change: "Change") -> Measured:
    before, now = change.earlier.values.get(COUNTER, 0), change.later.values[COUNTER]
    set_back = now < before
    count = now if set_back else now - before
    said = need(facts.units)
    unit = said.at(change.name)
    since = " since somebody started it anew," if set_back else ""
    return Measured(
        subject=Subject("unit", change.name),
        value=count,
        message=f"systemd has restarted {change.name} {_times(count)}{since} within {change.seconds:.0f} s"
        f"{f'; it is {units.told(unit)}' if unit is not None else ''}",
        observed=_times(count),
        values={"seconds": round(change.seconds, 2), "restarts": count, "restarts_before": before, "restarts_now": now},
        evidence=tuple(
            DbusEvidence(path=said.socket, name=change.name, text=f"NRestarts={number}") for number in (before, now)
        ),
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


CHECKS: Final[tuple[Check, ...]] = (restarts,)
