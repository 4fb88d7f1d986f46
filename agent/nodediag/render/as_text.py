"""The report for a person: the verdict and why, then what is wrong and what to do, then what could not be seen."""

from collections.abc import Iterator
from typing import Final

import msgspec
from rich.text import Text

from nodediag.facts.snapshot import Facts
from nodediag.model.logs import LogResult
from nodediag.model.outcome import CheckResult, Outcome, Problem, Severity, Verdict
from nodediag.model.report import Report
from nodediag.render import causes, unseen, words
from nodediag.render.causes import Group
from nodediag.render.page import Block, indented, page

_EVIDENCE_SHOWN: Final = 3
_EVIDENCE_OF_OTHERS: Final = 1
_TEXT_SHOWN: Final = 240
_PROBLEMS_SHOWN: Final = 10
_BLIND_SHOWN: Final = 20
_FACTS_SHOWN: Final = 8
_HISTORY_SHOWN: Final = 6
_COLOURS: Final = {
    Verdict.HEALTHY: "bold green",
    Verdict.DEGRADED: "bold yellow",
    Verdict.UNHEALTHY: "bold red",
    Verdict.UNKNOWN: "bold magenta",
}
_SEVERITY_COLOURS: Final = {Severity.CRITICAL: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "cyan"}


def render(report: Report[Facts], *, colour: bool) -> bytes:
    """Give the report as lines of at most 80 columns."""
    return page(_blocks(report), colour=colour)


def _blocks(report: Report[Facts]) -> Iterator[Block]:
    yield _first_line(report)
    yield indented(words.about(report))
    yield indented(words.judged(report), below=1)
    shown = causes.groups(report)[:_PROBLEMS_SHOWN]
    for group in shown:
        yield from _problem(*group.pairs[0]) if group.cause is None else _of_one_cause(group)
    left = words.problems_total(report) - sum(len(group.pairs) for group in shown)
    if left > 0:
        yield Text(f"{left} more; `--format json` has them\n")
    yield from _history(report.logs)
    yield from _unseen(report)
    if rates := words.rates(report):
        yield Text(f"{rates}.\n")
    yield Text(words.closing(report))


def _first_line(report: Report[Facts]) -> Text:
    line = Text(report.verdict.value.upper(), style=_COLOURS[report.verdict])
    return line.append(f": {words.headline(report)}", style="bold")


def _of_one_cause(group: Group) -> Iterator[Block]:
    """Tell what has failed, whole, and in a line each what rests on it."""
    (check, problem), *others = group.pairs
    yield _head(group.severity, causes.says(group), counts=True)
    yield indented(f"{check.id}: {problem.message}")
    yield from _body(problem)
    paths: dict[str, list[str]] = {}
    for other, one in others:
        if one.subject.kind == "path":
            paths.setdefault(other.id, []).append(one.subject.name)
            continue
        by_signature = f" {one.subject.name}" if one.subject.kind == "signature" else ""
        yield indented(f"{other.id}{by_signature}: {one.message}")
        for evidence in one.evidence[:_EVIDENCE_OF_OTHERS] if by_signature else ():
            yield indented(words.told(evidence, _TEXT_SHOWN), style="dim", by=4)
    for check_id, names in paths.items():
        yield indented(f"{check_id}: {', '.join(names)}")
    yield Text("")


def _problem(check: CheckResult, problem: Problem) -> Iterator[Block]:
    by_signature = problem.subject.kind == "signature"
    name = f"  {problem.subject.name}" if by_signature else ""
    yield _head(problem.severity, f"{check.id}{name}", counts=problem.counts)
    yield indented(problem.message)
    yield from _body(problem)
    yield Text("")


def _head(severity: Severity, what: str, *, counts: bool) -> Text:
    word = severity.value.upper() if counts else f"waived {severity.value}"
    head = Text(word, style=_SEVERITY_COLOURS[severity] if counts else "dim")
    return head.append(f"  {what}", style="bold")


def _body(problem: Problem) -> Iterator[Block]:
    if waiver := words.waiver(problem):
        yield indented(waiver)
    if expected := words.expected(problem):
        yield indented(f"expected: {expected}")
    if problem.requirement is not msgspec.UNSET:
        yield indented(f"why: {problem.requirement.why}")
    if problem.remedy:
        yield indented(f"do: {problem.remedy}")
    for evidence in words.distinct(problem.evidence)[:_EVIDENCE_SHOWN]:
        yield indented(words.told(evidence, _TEXT_SHOWN), style="dim", by=4)


def _history(logs: LogResult) -> Iterator[Block]:
    """Tell what the journal has on what happened on purpose, and of what is over."""
    over = [one for one in logs.signatures if not one.active and one.severity is not Severity.INFO]
    if not logs.context and not over:
        return
    yield Text("In the journal", style="bold")
    for one in logs.context[-_HISTORY_SHOWN:]:
        yield indented(f"{one.last}: {one.title}" + (f", {one.count} times" if one.count > 1 else ""))
    for one in over[:_HISTORY_SHOWN]:
        yield indented(f"over since {one.last}: {one.title} ({one.id})")
    left = max(0, len(logs.context) - _HISTORY_SHOWN) + max(0, len(over) - _HISTORY_SHOWN)
    if left:
        yield indented(f"and {left} more; `nodediag logs` has them")
    yield Text("")


def _unseen(report: Report[Facts]) -> Iterator[Block]:
    """List what could not be seen and the checks that stay open for it, what was only not captured by what it needs."""
    broken = [check for check in words.open_checks(report) if check.outcome is Outcome.BROKEN]
    others, lacking = unseen.gaps(report)
    if not broken and not others and not lacking:
        return
    yield Text("Could not be seen", style="bold")
    for gap in others[:_BLIND_SHOWN]:
        yield indented(_gap(gap))
    if len(others) > _BLIND_SHOWN:
        yield indented(f"and {len(others) - _BLIND_SHOWN} more; `--format json` has them")
    yield from _lacking(lacking)
    for (outcome, why), ids in words.grouped(broken).items():
        yield indented(f"so {', '.join(ids)} {'is' if len(ids) == 1 else 'are'} {outcome.value}: {why}")
    yield Text("")


def _lacking(gaps: list[unseen.Gap]) -> Iterator[Block]:
    """List what was not captured: what would open several checks at once, then what opens one, then the facts."""
    count = sum(len(gap.checks) for gap in gaps)
    several = [gap for gap in gaps if len(gap.checks) > 1]
    if count:
        yield indented(f"not captured, so {unseen.counted(count)} unknown; what they need:")
    for gap in several[:_BLIND_SHOWN]:
        yield indented(f"{gap.needs}: {unseen.named(gap.checks)}", by=4)
    if few := several[_BLIND_SHOWN:]:
        yield indented(f"{len(few)} more: {unseen.named(one for gap in few for one in gap.checks)}", by=4)
    if one_each := [f"{gap.needs} ({gap.checks[0]})" for gap in gaps if len(gap.checks) == 1]:
        yield indented("; ".join(one_each), by=4)
    facts = [fact for gap in gaps for fact in gap.facts]
    if len(facts) > _FACTS_SHOWN:
        yield indented(f"{len(facts)} facts were not captured; `--format json` names them")
    elif facts:
        yield indented(f"facts not captured: {', '.join(facts)}")


def _gap(gap: unseen.Gap) -> str:
    detail = next(iter(gap.details))
    if not gap.facts:
        return f"so {unseen.so(gap.checks)}: {detail}"
    needs = f"; needs {gap.needs}" if gap.needs else ""
    so = f"; so {unseen.so(gap.checks)}" if gap.checks else ""
    return f"{', '.join(gap.facts)}: {detail} ({gap.code.value}){needs}{so}"
