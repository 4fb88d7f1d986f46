"""The look before this one, from `--sample`, `--previous` or a recording; two looks at one boot make rates."""

from typing import Final

import msgspec

from nodediag.facts.counters import Counters
from nodediag.facts.fact import Fact, Known, Unknown
from nodediag.model.reason import Code, Reason

LEAST_S: Final = 5.0
NEEDS: Final = "--sample 5s, or --previous FILE"


def derive(given: Counters | msgspec.UnsetType, now: Fact[Counters]) -> Fact[Counters]:
    """Give the earlier look where rates can be made of it and the one of now."""
    if isinstance(now, Unknown):
        return now
    if given is msgspec.UNSET:
        return _one("one look was taken, and rates need two")
    if given.boot_id != now.value.boot_id:
        return _one("the earlier look is of another boot, or of another node")
    seconds = now.value.uptime_s - given.uptime_s
    if seconds < LEAST_S:
        return _one(f"the two looks lie {seconds:.1f} s apart, and rates need {LEAST_S:g}")
    return Known(given)


def _one(detail: str) -> Unknown:
    return Unknown(Reason(code=Code.ONE_SAMPLE, detail=detail, needs=NEEDS))
