"""What could not be seen, put together: one reason is said once, with the facts it hides and the checks it costs."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import CheckResult, Outcome
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Report
from nodediag.render import words

_MOST_IDS: Final = 4


class Gap(msgspec.Struct):
    """What stays open for one reason; of what was only not captured, for want of one thing, with each reason given."""

    code: Code
    needs: str
    details: dict[str, None]
    facts: list[str]
    checks: list[str]


def gaps(report: Report[Facts]) -> tuple[list[Gap], list[Gap]]:
    """Give what stays open: for reasons that lie in the node and the run; and for want of what was not captured.

    The latter, the more checks wait for one thing the further up it stands.
    """
    spots = report.view.blind_spots
    waiting = [check for check in words.open_checks(report) if check.outcome is Outcome.UNKNOWN]
    reasons = [spot.reason for spot in spots] + [_reason(check) for check in waiting]
    wants = {_want(reason) for reason in reasons if reason.code is Code.NOT_CAPTURED}
    found: dict[tuple[str, ...], Gap] = {}
    for reason, fact, check in (
        *((spot.reason, spot.what, "") for spot in spots),
        *((_reason(check), "", check.id) for check in waiting),
    ):
        gap = found.setdefault(_key(reason, wants), Gap(reason.code, _first(reason, wants), {}, [], []))
        gap.details[reason.detail] = None
        gap.facts += [fact] if fact else []
        gap.checks += [check] if check else []
    lacking = [gap for gap in found.values() if gap.code is Code.NOT_CAPTURED]
    others = [gap for gap in found.values() if gap.code is not Code.NOT_CAPTURED]
    return others, sorted(lacking, key=lambda gap: -len(gap.checks))


def named(ids: Iterable[str]) -> str:
    """Name some checks: each, or where they are many how many there are of a group."""
    every = list(ids)
    if len(every) <= _MOST_IDS:
        return ", ".join(every)
    groups = Counter(one.partition(".")[0] for one in every)
    said = (
        f"{group}.* ({count})" if count > 1 else next(one for one in every if one.startswith(f"{group}."))
        for group, count in groups.items()
    )
    counted = f"{len(every)} checks: " if len(groups) > 1 else ""
    return counted + ", ".join(said)


def counted(count: int) -> str:
    """Count some checks, as the subject of what is said of them."""
    return "1 check is" if count == 1 else f"{count} checks are"


def so(ids: Iterable[str]) -> str:
    """Say that some checks are unknown."""
    every = list(ids)
    return f"{named(every)} {'is' if len(every) == 1 else 'are'} unknown"


def _reason(check: CheckResult) -> Reason:
    return check.reason if isinstance(check.reason, Reason) else Reason(code=Code.CRASHED, detail="no reason was given")


def _want(reason: Reason) -> str:
    return reason.needs or reason.detail


def _first(reason: Reason, wants: set[str]) -> str:
    """Give what is wanted as it is said the shortest: `a` for `a, which has b too`."""
    if reason.code is not Code.NOT_CAPTURED:
        return reason.needs
    said = _want(reason)
    return min((want for want in wants if said == want or said.startswith(f"{want}, ")), key=len)


def _key(reason: Reason, wants: set[str]) -> tuple[str, ...]:
    if reason.code is Code.NOT_CAPTURED:
        return (reason.code.value, _first(reason, wants))
    return (reason.code.value, reason.detail, reason.needs)
