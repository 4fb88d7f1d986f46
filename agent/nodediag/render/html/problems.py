"""The problems: each with what was expected and seen, why it matters, what to do, and the evidence."""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence, JournalEvidence
from nodediag.model.outcome import CheckResult, Problem, Severity
from nodediag.model.report import Report
from nodediag.render import causes, words
from nodediag.render.causes import Group
from nodediag.render.html import parts
from nodediag.render.html.markup import Html, coded, escape, joined, tag

_MOST: Final = 200
_SHOWN: Final = 3
_NAMED: Final = 6
_LINE: Final = 200


def section(report: Report[Facts]) -> Html:
    """Give all problems, the most urgent first."""
    groups = causes.groups(report)
    total = words.problems_total(report)
    if not groups:
        unseen = len(words.open_checks(report))
        link = tag("a", f"{parts.counted(unseen, 'check')} could not look", href="#checks")
        nothing = tag("p", "Nothing that was looked at is wrong", joined(["; ", link]) if unseen else "", ".")
        return parts.section("problems", "Problems", nothing)
    shown = groups[:_MOST]
    left = parts.more(total - sum(len(group.pairs) for group in shown))
    articles = joined(_group(number, group) for number, group in enumerate(shown, 1))
    return parts.section("problems", f"Problems ({total})", articles, left)


def summary(report: Report[Facts]) -> Html:
    """Say in a line each what is most urgent, problems and what decides but was not seen, with links to the rest."""
    urgent = [
        (number, group.pairs[0][1], group)
        for number, group in enumerate(causes.groups(report), 1)
        if group.pairs[0][1].counts and group.severity is not Severity.INFO
    ]
    unseen = [check for check in words.open_checks(report) if check.id in report.verdict_because]
    items = [
        _link(parts.severity(group.severity), causes.says(group) if group.cause else problem.message, f"#problem-{n}")
        for n, problem, group in urgent
    ]
    items += [_link(parts.outcome(check.outcome), _unseen(check), "#checks") for check in unseen]
    left = parts.more(len(items) - _NAMED, "all are below")
    return joined([tag("ul", joined(items[:_NAMED]), class_="summary"), left])


def _link(badge: Html, words: str, to: str) -> Html:
    return tag("li", badge, " ", tag("a", words[:_LINE], href=to))


def _unseen(check: CheckResult) -> str:
    return f"{check.id}: {check.reason.detail}" if check.reason is not msgspec.UNSET else check.id


def _group(number: int, group: Group) -> Html:
    """Give a problem, or what has failed with all that rests on it: the first of them open, the others folded."""
    at = f"problem-{number}"
    if group.cause is None:
        return _problem(at, *group.pairs[0])
    first, *others = (_problem(f"{at}-{place}", *pair) for place, pair in enumerate(group.pairs, 1))
    head = tag("h3", parts.severity(group.severity), " ", causes.says(group))
    rest = parts.folded(f"{parts.counted(len(others), 'more problem')} of this cause", joined(others))
    return tag("article", head, first, rest, class_=f"problem {group.severity.value}", id=at)


def _problem(at: str, check: CheckResult, problem: Problem) -> Html:
    kind = problem.severity.value if problem.counts else "waived"
    head = tag("h3", parts.severity(problem.severity, counts=problem.counts), " ", problem.message)
    subject = f"{problem.subject.kind} {problem.subject.name}"
    where = tag("p", tag("code", check.id), " on ", tag("code", subject), class_="where")
    return tag(
        "article", head, where, _do(problem), parts.pairs(_said(problem)), _evidence(problem), _source(problem),
        class_=f"problem {kind}", id=at,
    )  # fmt: skip


def _do(problem: Problem) -> Html:
    return tag("p", tag("strong", "Do: "), coded(problem.remedy), class_="do") if problem.remedy else escape("")


def _said(problem: Problem) -> Iterator[tuple[str, Html]]:
    if waiver := words.waiver(problem):
        yield "Waiver", escape(waiver)
    failure = problem.subject.kind == "signature"
    if not failure:
        row = problem.requirement.document if problem.requirement is not msgspec.UNSET else ""
        yield "Expected", escape(problem.expected + (f" (row {row} of the document)" if row else ""))
    yield "Seen", escape(problem.observed)
    if problem.requirement is not msgspec.UNSET:
        yield ("Cause" if failure else "Why"), coded(problem.requirement.why)


def _source(problem: Problem) -> Html:
    if problem.requirement is msgspec.UNSET:
        return escape("")
    rule = problem.requirement
    return parts.folded("Where this is written", tag("p", f"{rule.profile} {rule.key}: ", coded(rule.source)))


def _evidence(problem: Problem) -> Html:
    pieces = [piece(one) for one in problem.evidence]
    rest = pieces[_SHOWN:]
    unsaid = parts.more(1, "evidence was cut") if problem.truncated else escape("")
    hidden = parts.folded(f"{len(rest)} more pieces of evidence", tag("ul", joined(rest), class_="evidence"))
    return joined(
        [
            tag("ul", joined(pieces[:_SHOWN]), class_="evidence") if pieces else escape(""),
            hidden if rest else escape(""),
            unsaid,
        ]
    )


def piece(evidence: Evidence) -> Html:
    """Give a piece of evidence: where it stands, and what stands there."""
    place, text = words.placed(evidence)
    if isinstance(evidence, JournalEvidence):
        place, text = f"{parts.moment(evidence.time)} {evidence.unit}".strip(), evidence.text
    return tag("li", tag("span", place, class_="place"), tag("pre", text or place))
