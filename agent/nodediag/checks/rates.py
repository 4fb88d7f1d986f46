"""What rates have in common: two looks at one boot of a node, at least five seconds apart, and a threshold for each."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

from nodediag.checks.threshold import Measured, asked, held
from nodediag.facts.counters import Table
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Value
from nodediag.profiles.profile import Profile, ThresholdRule

if TYPE_CHECKING:
    from nodediag.facts.rates import Change

TWO_LOOKS: Final = "two looks at a running node (--sample 5s, or --previous FILE)"

Measure: TypeAlias = "Callable[[Change, ThresholdRule], Measured | None]"


def judged(facts: Facts, profile: Profile, key: str, table: Table, measure: Measure) -> Iterator[Problem]:
    """Hold what `measure` makes of each row of a table against the rule; one that cannot be told leaves it open."""
    rule = asked(profile, key)
    unsure: NotKnownError | None = None
    for change in looks(facts, table):
        try:
            measured = measure(change, rule)
        except NotKnownError as error:
            unsure = unsure or error
            continue
        if measured is not None:
            yield from held(profile, key, measured)
    if unsure is not None:
        raise unsure


def looks(facts: Facts, table: Table) -> Iterator["Change"]:
    """Give what changed in a table between the two looks; raises NotKnownError where there are no two."""
    earlier, later = need(facts.earlier), need(facts.counters)
    from nodediag.facts.rates import changes  # noqa: PLC0415 - most runs have one look

    yield from changes(earlier, later, table)


def values(change: "Change", **more: Value) -> dict[str, Value]:
    """Give what a problem tells of a change: how long it was, by how much each counter grew."""
    grown = {name: change.later.values[name] - change.earlier.values.get(name, 0) for name in change.later.values}
    return {"seconds": round(change.seconds, 2), **grown, **more}


def share(part: int, whole: int) -> float:
    """Give a part in per cent; of nothing it is nothing."""
    return 100 * part / whole if whole else 0.0
