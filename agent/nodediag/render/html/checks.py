"""What every check came to, and what could not be seen: what is not known stands open, what is well is folded."""

from collections.abc import Iterable
from typing import Final

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import CheckResult, Outcome
from nodediag.model.reason import Code
from nodediag.model.report import Report
from nodediag.render import unseen, words
from nodediag.render.html import parts
from nodediag.render.html.markup import Html, escape, joined, tag

_TITLES: Final = {
    Outcome.FAILED: "found a problem", Outcome.BROKEN: "met a bug of nodediag", Outcome.UNKNOWN: "could not look",
    Outcome.PASSED: "passed", Outcome.NOT_APPLICABLE: "cannot be asked of this node",
    Outcome.NOT_SELECTED: "were not selected",
}  # fmt: skip
_OPEN: Final = frozenset({Outcome.FAILED, Outcome.BROKEN, Outcome.UNKNOWN})


def section(report: Report[Facts]) -> Html:
    """Give the checks by their outcome."""
    groups = {outcome: [check for check in report.checks if check.outcome is outcome] for outcome in _TITLES}
    shown = (_group(outcome, checks) for outcome, checks in groups.items() if checks)
    return parts.section("checks", "Checks", tag("p", words.outcomes(report)), joined(shown))


def _group(outcome: Outcome, checks: list[CheckResult]) -> Html:
    summary = joined([parts.outcome(outcome), f" {parts.counted(len(checks), 'check')} {_TITLES[outcome]}"])
    return parts.folded(summary, _alike(checks), opened=outcome in _OPEN)


def _alike(checks: Iterable[CheckResult]) -> Html:
    """Put together the checks that ended alike for one reason, so that it is read once."""
    groups: dict[str, list[CheckResult]] = {}
    for check in checks:
        groups.setdefault(_why(check), []).append(check)
    return joined(
        tag("div", tag("p", why, class_="reason") if why else escape(""), _list(alike), class_="alike")
        for why, alike in groups.items()
    )


def _why(check: CheckResult) -> str:
    """Give why a check ended so; where something was not captured, that is what it needs."""
    if check.reason is msgspec.UNSET:
        return ""
    if check.reason.code is Code.NOT_CAPTURED and check.reason.needs:
        return f"not captured; needs {check.reason.needs}"
    needs = f"; needs {check.reason.needs}" if check.reason.needs else ""
    return f"{check.reason.detail} ({check.reason.code.value.replace('_', ' ')}){needs}"


def _list(checks: list[CheckResult]) -> Html:
    return parts.listed(joined([check.title, " ", tag("code", check.id)]) for check in checks)


def blind_spots(report: Report[Facts]) -> Html:
    """Give what could not be seen; one reason is said once, with the facts it hides and the checks it costs."""
    spots = report.view.blind_spots
    if not spots:
        return parts.section("blind-spots", "Blind spots", tag("p", "Nothing that was looked for stayed unseen."))
    others, lacking = unseen.gaps(report)
    rows = (
        (
            _codes(gap.facts), _why_not(gap), gap.code.value.replace("_", " "), gap.needs,
            parts.folded(parts.counted(len(gap.checks), "check"), _codes(gap.checks)) if gap.checks else "",
        )
        for gap in (*others, *lacking)
        if gap.facts
    )  # fmt: skip
    table = parts.table("What could not be seen", ("What", "Why", "Kind", "Would need", "Costs"), rows)
    total = report.view.blind_spots_total
    left = total - len(spots) if isinstance(total, int) else 0
    return parts.section("blind-spots", f"Blind spots ({len(spots) + left})", table, parts.more(left))


def _why_not(gap: unseen.Gap) -> Html:
    only, *more = gap.details
    return parts.listed(gap.details) if more else escape(only)


def _codes(names: Iterable[str]) -> Html:
    return joined(joined([tag("code", name), " "]) for name in names)
