"""The report to paste into an issue: GitHub-flavoured Markdown within GitHub's size limit, nothing of the node alive.

What does not fit is cut step by step, evidence first, and each cut is said where it was made.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.model.logs import LogResult
from nodediag.model.outcome import CheckResult, Outcome, Problem, Severity
from nodediag.model.report import Report, Scope
from nodediag.render import causes, unseen, words
from nodediag.render.causes import Group, Pair
from nodediag.render.inert import code, fenced, prose

MOST: Final = 65_536  # characters of an issue or a comment on GitHub
_LEFT_FOR_A_PERSON: Final = 2_536  # who pastes it says something too
_MOST_IDS: Final = 20
_MOST_PLACE: Final = 200


class _Bounds(msgspec.Struct, frozen=True):
    """How much is shown: problems, pieces of evidence of each, other lists, and of a text."""

    problems: int
    evidence: int
    entries: int
    text: int


_STEPS: Final = (
    _Bounds(200, 10, 500, 1024),
    _Bounds(100, 3, 100, 512),
    _Bounds(50, 2, 50, 512),
    _Bounds(30, 1, 20, 256),
    _Bounds(15, 1, 10, 256),
)


def render(report: Report[Facts]) -> bytes:
    """Give the report as Markdown that fits into an issue."""
    fits = MOST - _LEFT_FOR_A_PERSON
    texts = ("\n\n".join(_blocks(report, bounds)) + "\n" for bounds in _STEPS)
    last = ""
    for text in texts:
        last = text
        if _length(text) <= fits:
            break
    return last.encode()


def _length(text: str) -> int:
    """Count as GitHub's form does: in UTF-16, a line's end as two."""
    return len(text.encode("utf-16-le")) // 2 + text.count("\n")


def _blocks(report: Report[Facts], bounds: _Bounds) -> Iterator[str]:
    yield f"## {report.verdict.value.upper()}: {_short(words.headline(report), bounds)}"
    yield f"{_short(words.about(report), bounds)}.  \n{_short(words.judged(report), bounds)}"
    groups = causes.groups(report)
    if groups:
        yield "### Problems"
    for number, group in enumerate(groups[: bounds.problems], 1):
        yield from _problem(number, group, bounds)
    left = words.problems_total(report) - sum(len(group.pairs) for group in groups[: bounds.problems])
    if left > 0:
        yield f"**{left} more problems** were cut to fit into an issue; `--format json` has them."
    yield from _history(report.logs, bounds)
    yield from _unseen(report, bounds)
    yield from _image(report, bounds)
    yield from _notes(report, bounds)


def _image(report: Report[Facts], bounds: _Bounds) -> Iterator[str]:
    """Say by what the image was told."""
    found = [(field, finding) for field, findings in report.node.evidence.items() for finding in findings]
    if not found:
        return
    lines = []
    for field, finding in found[: bounds.entries]:
        place = words.placed(finding.evidence)[0][:_MOST_PLACE]
        lines.append(f"- {field.replace('_', ' ')}: {_short(finding.says, bounds)} (in {code(place)})")
    yield "### What the image is told by"
    yield _listed(lines, len(found))


def _problem(number: int, group: Group, bounds: _Bounds) -> Iterator[str]:
    (check, problem), *others = group.pairs
    word = problem.severity.value if problem.counts else f"waived {problem.severity.value}"
    if group.cause is None:
        yield f"#### {number}. {word}: {_named(check, problem, bounds)}"
        yield _short(problem.message, bounds)
    else:
        yield f"#### {number}. {group.severity.value}: {_short(causes.says(group), bounds)}"
        yield f"{_named(check, problem, bounds)}: {_short(problem.message, bounds)}"
    yield from _body(problem, bounds)
    yield from _others(problem, others, bounds)


def _named(check: CheckResult, problem: Problem, bounds: _Bounds) -> str:
    return f"{code(check.id)}, {problem.subject.kind} {code(problem.subject.name[: bounds.text])}"


def _others(first: Problem, others: list[Pair], bounds: _Bounds) -> Iterator[str]:
    """Tell in a line each what rests on the same cause, and below them what each rests on."""
    if not others:
        return
    lines = [f"- {_named(check, one, bounds)}: {_short(one.message, bounds)}" for check, one in others]
    yield _listed(lines[: bounds.entries], len(lines))
    rests_on = dict.fromkeys(
        one.evidence[0] for _, one in others if one.evidence[:1] and one.evidence[0] not in first.evidence
    )
    if rests_on:
        yield fenced(words.told(evidence, bounds.text) for evidence in list(rests_on)[: bounds.entries])


def _body(problem: Problem, bounds: _Bounds) -> Iterator[str]:
    cause = "cause" if problem.subject.kind == "signature" else "why"
    said = [
        ("waiver", words.waiver(problem)),
        ("expected", words.expected(problem)),
        (cause, problem.requirement.why if problem.requirement is not msgspec.UNSET else ""),
        ("do", problem.remedy),
    ]
    lines = [f"- **{name}:** {_short(text, bounds)}" for name, text in said if text]
    if lines:
        yield "\n".join(lines)
    kept = words.distinct(problem.evidence)[: bounds.evidence]
    if kept:
        yield fenced(words.told(evidence, bounds.text) for evidence in kept)
    left = len(problem.evidence) - len(kept)
    if left or problem.truncated:
        yield f"*{left or 'more'} pieces of evidence were cut; `--format json` has what was kept.*"


def _history(logs: LogResult, bounds: _Bounds) -> Iterator[str]:
    """Tell what the journal has on what happened on purpose, of what is over, and of errors without a name."""
    over = [one for one in logs.signatures if not one.active and one.severity is not Severity.INFO]
    lines = [
        f"- {one.last}: {_short(one.title, bounds)}" + (f", {one.count} times" if one.count > 1 else "")
        for one in logs.context
    ]
    lines += [f"- over since {one.last}: {_short(one.title, bounds)} ({code(one.id)})" for one in over]
    if lines:
        yield "### In the journal"
        yield _listed(lines[: bounds.entries], len(lines))
    if logs.shapes:
        few = logs.shapes[: min(bounds.entries, _MOST_IDS)]
        yield "**Errors that no signature names**"
        yield fenced(f"{one.count} x {one.unit}: {one.shape[: bounds.text]}" for one in few)
        if len(few) < len(logs.shapes):
            yield f"*and {len(logs.shapes) - len(few)} more; `nodediag logs` has them*"


def _unseen(report: Report[Facts], bounds: _Bounds) -> Iterator[str]:
    """Say each reason once, with the facts it hides and the checks it costs; what was only not captured is folded."""
    others, lacking = unseen.gaps(report)
    broken = [check for check in words.open_checks(report) if check.outcome is Outcome.BROKEN]
    if not others and not lacking and not broken:
        return
    yield "### Could not be seen"
    lines = [_gap(gap, bounds) for gap in others]
    lines += [
        f"- {', '.join(map(code, ids))} {'is' if len(ids) == 1 else 'are'} broken: {_short(why, bounds)}"
        for (_, why), ids in words.grouped(broken).items()
    ]
    total = len(lines)
    if isinstance(report.view.blind_spots_total, int):
        total += report.view.blind_spots_total - len(report.view.blind_spots)
    if total:
        yield _listed(lines[: bounds.entries], total)
    if facts := [fact for gap in lacking for fact in gap.facts]:
        yield f"Not captured: {_codes(facts, bounds)}"
    waited_for = [gap for gap in lacking if gap.checks]
    if waited_for:
        count = sum(len(gap.checks) for gap in waited_for)
        yield f"<details>\n<summary>{unseen.counted(count)} unknown for what was not captured</summary>"
        lines = [f"- {_short(gap.needs, bounds)}: {_codes(gap.checks, bounds)}" for gap in waited_for]
        yield _listed(lines[: bounds.entries], len(lines))
        yield "</details>"


def _gap(gap: unseen.Gap, bounds: _Bounds) -> str:
    detail = _short(next(iter(gap.details)), bounds)
    unknown = f"{_codes(gap.checks, bounds)} {'is' if len(gap.checks) == 1 else 'are'} unknown"
    if not gap.facts:
        return f"- {unknown}: {detail} ({gap.code.value})"
    needs = f"; needs {_short(gap.needs, bounds)}" if gap.needs else ""
    so = f"; so {unknown}" if gap.checks else ""
    return f"- {_codes(gap.facts, bounds)}: {detail} ({gap.code.value}){needs}{so}"


def _codes(names: list[str], bounds: _Bounds) -> str:
    few = ", ".join(code(name[: bounds.text]) for name in names[: bounds.entries])
    return few + (f" and {len(names) - bounds.entries} more" if len(names) > bounds.entries else "")


def _notes(report: Report[Facts], bounds: _Bounds) -> Iterator[str]:
    yield "### Notes"
    lines = [f"- {_short(words.closing(report), bounds)}"]
    if rates := words.rates(report):
        lines.append(f"- {_short(rates, bounds)}.")
    if report.scope is Scope.PARTIAL:
        lines.append("- Not every check was selected: this is a part of a diagnosis.")
    if report.profile is not msgspec.UNSET:
        for one in report.profile.departures[: bounds.entries]:
            row = f"row {one.document}" if one.document != "none" else "no row"
            lines.append(f"- {code(one.path)} ({row} of the document): {_short(one.says, bounds)}")
    lines.append(
        f"- nodediag {prose(report.tool.version)}; looked at {report.observed_at:%Y-%m-%dT%H:%M:%SZ};"
        f" report {code(report.schema)}"
    )
    yield "\n".join(lines)


def _listed(lines: Iterable[str], total: int) -> str:
    """Join the lines of a list, and say how many were cut."""
    kept = list(lines)
    left = total - len(kept)
    return "\n".join([*kept, *([f"- *and {left} more, cut; `--format json` has them*"] if left > 0 else [])])


def _short(text: str, bounds: _Bounds) -> str:
    """Give a sentence as prose, cut where it is long."""
    return prose(text if len(text) <= bounds.text else text[: bounds.text] + " ...")
