"""The report for a person: the verdict and why, then what is wrong and what to do, then what could not be seen."""

from collections.abc import Iterator
from typing import Final

import msgspec
from rich.text import Text

from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import (
    DbusEvidence,
    Evidence,
    FileEvidence,
    HttpEvidence,
    InputEvidence,
    JournalEvidence,
    NodeObjectEvidence,
    PathEvidence,
    ProcessEvidence,
    StatvfsEvidence,
    UnameEvidence,
)
from nodediag.model.image import Answer, ImageType, OsFamily, RuntimeName
from nodediag.model.logs import LogResult
from nodediag.model.outcome import CheckResult, Outcome, Problem, Severity, Verdict
from nodediag.model.reason import Code
from nodediag.model.report import Origin, Report
from nodediag.render.page import Block, indented, page

_EVIDENCE_SHOWN: Final = 3
_TEXT_SHOWN: Final = 240
_PROBLEMS_SHOWN: Final = 10
_BLIND_SHOWN: Final = 20
_HISTORY_SHOWN: Final = 6
_COLOURS: Final = {
    Verdict.HEALTHY: "bold green",
    Verdict.DEGRADED: "bold yellow",
    Verdict.UNHEALTHY: "bold red",
    Verdict.UNKNOWN: "bold magenta",
}
_SEVERITY_COLOURS: Final = {Severity.CRITICAL: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "cyan"}
_FAMILIES: Final = {
    OsFamily.COS: "Container-Optimized OS",
    OsFamily.UBUNTU: "Ubuntu",
    OsFamily.WINDOWS: "Windows Server",
    OsFamily.UNKNOWN: "an unknown system",
}


def render(report: Report[Facts], *, colour: bool) -> bytes:
    """Give the report as lines of at most 80 columns."""
    return page(_blocks(report), colour=colour)


def _blocks(report: Report[Facts]) -> Iterator[Block]:
    yield _first_line(report)
    yield indented(_about(report))
    yield indented(_judged(report), below=1)
    problems = [(check, problem) for check in report.checks for problem in check.problems]
    order = list(Severity)
    problems.sort(key=lambda pair: (not pair[1].counts, order.index(pair[1].severity)))
    for check, problem in problems[:_PROBLEMS_SHOWN]:
        yield from _problem(check, problem)
    left = sum(_total(check) for check in report.checks) - min(len(problems), _PROBLEMS_SHOWN)
    if left > 0:
        yield Text(f"{left} more; `--format json` has them\n")
    yield from _history(report.logs)
    yield from _unseen(report)
    yield Text(_closing(report))


def _first_line(report: Report[Facts]) -> Text:
    line = Text(report.verdict.value.upper(), style=_COLOURS[report.verdict])
    because = ", ".join(report.verdict_because)
    match report.verdict:
        case Verdict.HEALTHY:
            line.append(f": nothing that was looked at is wrong{_but_waived(report)}", style="bold")
        case Verdict.UNKNOWN:
            line.append(f": what decides could not be seen ({because})", style="bold")
        case Verdict.DEGRADED | Verdict.UNHEALTHY:
            line.append(f": {because}", style="bold")
    if report.profile is msgspec.UNSET and not _is_elsewhere(report):
        line.append("; no image profile fits, the base profile judges", style="bold")
    return line


def _but_waived(report: Report[Facts]) -> str:
    ids = dict.fromkeys(check.id for check in report.checks for problem in check.problems if not problem.counts)
    return f", but what is waived ({', '.join(ids)})" if ids else ""


def _is_elsewhere(report: Report[Facts]) -> bool:
    """Tell a report that could see a container only, not the node."""
    spots = report.view.blind_spots
    return any(spot.what == "the node" and spot.reason.code is Code.OTHER_NAMESPACE for spot in spots)


def _about(report: Report[Facts]) -> str:
    """Say in one sentence what this machine is."""
    node, view = report.node, report.view
    system = node.os.name if node.os.name not in {"unknown", "none"} else _FAMILIES.get(node.os.family, node.os.id)
    numbers = (node.os.milestone, "" if node.os.build in {"unknown", "none"} else f"({node.os.build})")
    build = "".join(f" {number}" for number in numbers if number not in {"", "unknown", "none"})
    name = node.name if node.name not in {"unknown", "none"} else node.hostname
    where = f"{system}{build}" + (f" on {name}" if name != "unknown" else "")
    kernel = f", kernel {node.kernel.release}" if node.kernel.release != "unknown" else ""
    if view.origin is Origin.NONE:
        return f"{where}{kernel}; the node itself was not looked at, only files that tell of it"
    return f"{where}{kernel}; seen from {view.origin.value} at {view.root} as uid {view.uid}"


def _judged(report: Report[Facts]) -> str:
    """Say which image this is taken for, and by which profile it was judged."""
    node = report.node
    if _is_elsewhere(report):
        return "This is a container's own view; the node it runs on was not seen, and is not judged."
    match node.image_type:
        case ImageType.NONE:
            what = "No GKE node image"
        case ImageType.UNKNOWN:
            what = (
                "Which GKE node image this is could not be told"
                if node.platform.gke is Answer.YES
                else _undecided(report)
            )
        case _:
            what = f"GKE node image {node.image_type.value}"
    if node.runtime.name is RuntimeName.NONE:
        what += ", no kubelet runs here"
    if any(check.id == "logs.readable" and check.outcome is Outcome.NOT_SELECTED for check in report.checks):
        what += ", the journal was not read"
    if report.profile is msgspec.UNSET:
        return f"{what}."
    return f"{what}; judged by the profile {report.profile.name} of {report.profile.date}."


def _undecided(report: Report[Facts]) -> str:
    on_gke = "on GKE or not" if report.node.platform.gke is Answer.UNKNOWN else "and its image"
    return f"Not enough was seen to tell the image ({on_gke} is open)"


def _problem(check: CheckResult, problem: Problem) -> Iterator[Block]:
    word = problem.severity.value.upper() if problem.counts else f"waived {problem.severity.value}"
    head = Text(word, style=_SEVERITY_COLOURS[problem.severity] if problem.counts else "dim")
    by_signature = problem.subject.kind == "signature"
    head.append(f"  {check.id}" + (f"  {problem.subject.name}" if by_signature else ""), style="bold")
    yield head
    yield indented(problem.message)
    if problem.waiver is not msgspec.UNSET:
        held = f"its waiver expired on {problem.waiver.expires}" if problem.counts else f"to {problem.waiver.expires}"
        yield indented(f"waived by {problem.waiver.owner}, {held}: {problem.waiver.reason}")
    if problem.requirement is not msgspec.UNSET:
        rule = problem.requirement
        row = f", row {rule.document} of the document" if rule.document else ""
        if not by_signature:  # nobody expects a failure
            yield indented(f"expected: {problem.expected}, by {rule.profile} {rule.key}{row}")
        yield indented(f"why: {rule.why}")
    if problem.remedy:
        yield indented(f"do: {problem.remedy}")
    for evidence in problem.evidence[:_EVIDENCE_SHOWN]:
        yield indented(_told(evidence), style="dim", by=4)
    yield Text("")


def _told(evidence: Evidence) -> str:  # noqa: C901, PLR0911 - one for each kind
    match evidence:
        case FileEvidence(path=path, line=line, text=text):
            return f"{path}{f':{line}' if line else ''}: {text[:_TEXT_SHOWN]}"
        case PathEvidence(path=path, type=kind):
            return f"{path}: {kind}"
        case StatvfsEvidence(path=path, size_bytes=size, available_bytes=left, inodes=inodes, inodes_free=free):
            return f"statvfs {path}: {left} of {size} bytes available, {free} of {inodes} inodes free"
        case ProcessEvidence(pid=pid, name=name, text=text):
            return f"process {pid} ({name}): {text[:_TEXT_SHOWN]}"
        case UnameEvidence(text=text):
            return f"uname: {text[:_TEXT_SHOWN]}"
        case JournalEvidence(time=time, unit=unit, text=text):
            return f"{time} {unit}: {text[:_TEXT_SHOWN]}".lstrip()
        case NodeObjectEvidence(node=node, field=field, text=text):
            return f"node object {node}, {field}: {text[:_TEXT_SHOWN]}"
        case HttpEvidence(url=url, text=text):
            return f"{url}: {text[:_TEXT_SHOWN]}"
        case InputEvidence(option=option, path=path, text=text):
            return f"{option} {path}: {text[:_TEXT_SHOWN]}"
        case DbusEvidence(path=path, name=name, text=text):
            return f"{path} on {name}: {text[:_TEXT_SHOWN]}"


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
    """List what could not be seen, what was only not captured together, and the checks that stay open for it."""
    open_checks = [check for check in report.checks if check.outcome in {Outcome.UNKNOWN, Outcome.BROKEN}]
    spots = report.view.blind_spots
    if not open_checks and not spots:
        return
    yield Text("Could not be seen", style="bold")
    others = [spot for spot in spots if spot.reason.code is not Code.NOT_CAPTURED]
    for spot in others[:_BLIND_SHOWN]:
        needs = f"; needs {spot.reason.needs}" if spot.reason.needs else ""
        yield indented(f"{spot.what}: {spot.reason.detail} ({spot.reason.code.value}){needs}")
    if len(others) > _BLIND_SHOWN:
        yield indented(f"and {len(others) - _BLIND_SHOWN} more; `--format json` has them")
    lacking = [spot for spot in spots if spot.reason.code is Code.NOT_CAPTURED]
    if lacking:
        needs = ", ".join(dict.fromkeys(spot.reason.needs for spot in lacking if spot.reason.needs))
        yield indented(f"not captured: {', '.join(spot.what for spot in lacking)}; would need {needs}")
    for (outcome, why), ids in _grouped(open_checks).items():
        yield indented(f"so {', '.join(ids)} {'is' if len(ids) == 1 else 'are'} {outcome.value}: {why}")
    yield Text("")


def _grouped(checks: list[CheckResult]) -> dict[tuple[Outcome, str], list[str]]:
    grouped: dict[tuple[Outcome, str], list[str]] = {}
    for check in checks:
        why = check.reason.detail if check.reason is not msgspec.UNSET else ""
        grouped.setdefault((check.outcome, why), []).append(check.id)
    return grouped


def _closing(report: Report[Facts]) -> str:
    counts = report.counts.outcomes
    said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    return f"{sum(counts.values())} checks: {said}. `nodediag explain ID` tells more of one.{_data(report)}"


def _data(report: Report[Facts]) -> str:
    """Say of which dates the data is that judged; `tool.data` of the JSON has its age."""
    kinds: dict[str, list[str]] = {}
    for kind, data in report.tool.data.items():
        kinds.setdefault(data.date, []).append(kind)
    dated = "; ".join(f"{', '.join(names)} of {day}" for day, names in kinds.items())
    return f" Judged with {dated}." if dated else ""


def _total(check: CheckResult) -> int:
    return check.problems_total if isinstance(check.problems_total, int) else len(check.problems)
