"""What a report says in words, whatever it is shown as: one sentence is written once."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from nodediag.facts.fact import Unknown
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import (
    CriEvidence,
    DbusEvidence,
    Evidence,
    FileEvidence,
    HttpEvidence,
    InputEvidence,
    JournalEvidence,
    NodeObjectEvidence,
    PacketFilterEvidence,
    PathEvidence,
    ProcessEvidence,
    StatvfsEvidence,
    UnameEvidence,
)
from nodediag.model.image import Answer, ImageType, OsFamily, RuntimeName
from nodediag.model.outcome import CheckResult, Outcome, Problem, Verdict
from nodediag.model.reason import Code
from nodediag.model.report import Origin, Report
from nodediag.render import causes

_MOST_TEXT: Final = 1024
_NUMBER: Final = re.compile(r"\d+")
_FAMILIES: Final = {
    OsFamily.COS: "Container-Optimized OS",
    OsFamily.UBUNTU: "Ubuntu",
    OsFamily.WINDOWS: "Windows Server",
    OsFamily.UNKNOWN: "an unknown system",
}


def headline(report: Report[Facts]) -> str:
    """Say what the verdict rests on, after its word."""
    base = report.profile is msgspec.UNSET and not _is_elsewhere(report)
    return _because(report) + ("; no image profile fits, the base profile judges" if base else "")


def _because(report: Report[Facts]) -> str:
    because = ", ".join(report.verdict_because)
    match report.verdict:
        case Verdict.HEALTHY:
            return f"nothing that was looked at is wrong{_but_waived(report)}"
        case Verdict.UNKNOWN:
            return f"what decides could not be seen ({because})"
        case Verdict.DEGRADED | Verdict.UNHEALTHY:
            failed = causes.headline(report)
            return f"{because}; {failed}" if failed else because


def problems_total(report: Report[Facts]) -> int:
    """Count the problems found, those beyond a bound too."""
    return sum(_total(check) for check in report.checks)


def open_checks(report: Report[Facts]) -> list[CheckResult]:
    """Give the checks that could not look; what wants only a second look is said by `rates`."""
    return [check for check in _open(report) if not _wants_second_look(check, report)]


def rates(report: Report[Facts]) -> str:
    """Say how many checks want a second look, and how to get it; empty where none does."""
    count = sum(_wants_second_look(check, report) for check in _open(report))
    earlier = report.facts.earlier
    if not count or not isinstance(earlier, Unknown):
        return ""
    way = "; `--sample 5s` takes a second one" if earlier.reason.code is Code.ONE_SAMPLE else ""
    return f"{count} rates (`--only rates`) were not judged: {earlier.reason.detail}{way}"


def _open(report: Report[Facts]) -> list[CheckResult]:
    return [check for check in report.checks if check.outcome in {Outcome.UNKNOWN, Outcome.BROKEN}]


def _wants_second_look(check: CheckResult, report: Report[Facts]) -> bool:
    earlier = report.facts.earlier
    return isinstance(earlier, Unknown) and check.reason == earlier.reason and check.id.startswith("rates.")


def waiver(problem: Problem) -> str:
    """Say who bears a problem and to when; empty where nobody does."""
    if problem.waiver is msgspec.UNSET:
        return ""
    held = f"its waiver expired on {problem.waiver.expires}" if problem.counts else f"to {problem.waiver.expires}"
    return f"waived by {problem.waiver.owner}, {held}: {problem.waiver.reason}"


def expected(problem: Problem) -> str:
    """Say what was expected, and by which line of which profile; empty for a failure, which nobody expects."""
    if problem.requirement is msgspec.UNSET or problem.subject.kind == "signature":
        return ""
    rule = problem.requirement
    row = f", row {rule.document} of the document" if rule.document else ""
    return f"{problem.expected}, by {rule.profile} {rule.key}{row}"


def _but_waived(report: Report[Facts]) -> str:
    ids = dict.fromkeys(check.id for check in report.checks for problem in check.problems if not problem.counts)
    return f", but what is waived ({', '.join(ids)})" if ids else ""


def _is_elsewhere(report: Report[Facts]) -> bool:
    """Tell a report that could see a container only, not the node."""
    spots = report.view.blind_spots
    return any(spot.what == "the node" and spot.reason.code is Code.OTHER_NAMESPACE for spot in spots)


def about(report: Report[Facts]) -> str:
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


def judged(report: Report[Facts]) -> str:
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


def told(evidence: Evidence, most: int = _MOST_TEXT) -> str:  # noqa: C901, PLR0911 - one for each kind
    """Give a piece of evidence as one line."""
    match evidence:
        case FileEvidence(path=path, line=line, text=text):
            return f"{path}{f':{line}' if line else ''}: {text[:most]}"
        case PathEvidence(path=path, type=kind):
            return f"{path}: {kind}"
        case StatvfsEvidence(path=path, size_bytes=size, available_bytes=left, inodes=inodes, inodes_free=free):
            return f"statvfs {path}: {left} of {size} bytes available, {free} of {inodes} inodes free"
        case ProcessEvidence(pid=pid, name=name, text=text):
            return f"process {pid} ({name}): {text[:most]}"
        case UnameEvidence(text=text):
            return f"uname: {text[:most]}"
        case JournalEvidence(time=time, unit=unit, text=text):
            return f"{time} {unit}: {text[:most]}".lstrip()
        case NodeObjectEvidence(node=node, field=field, text=text):
            return f"node object {node}, {field}: {text[:most]}"
        case HttpEvidence(url=url, text=text):
            return f"{url}: {text[:most]}"
        case InputEvidence(option=option, path=path, text=text):
            return f"{option} {path}: {text[:most]}"
        case CriEvidence(path=path, name=name, text=text) | DbusEvidence(path=path, name=name, text=text):
            return f"{path} on {name}: {text[:most]}"
        case PacketFilterEvidence(name=name, text=text):
            return f"packet filter, {name}: {text[:most]}"


def distinct(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Give evidence without lines of a log that differ from one before them in numbers alone."""
    found: dict[object, Evidence] = {}
    for one in evidence:
        same = (one.unit, _NUMBER.sub("0", one.text)) if isinstance(one, JournalEvidence) else one
        found.setdefault(same, one)
    return list(found.values())


def placed(evidence: Evidence) -> tuple[str, str]:
    """Give where a piece of evidence stands, and what stands there."""
    said = told(evidence)
    if isinstance(evidence, PathEvidence | StatvfsEvidence):
        place, _, text = said.partition(": ")
        return place, text
    text = evidence.text[:_MOST_TEXT]
    return said.removesuffix(text).removesuffix(": "), text


def grouped(checks: Iterable[CheckResult]) -> dict[tuple[Outcome, str], list[str]]:
    """Put together the checks that ended alike for one reason."""
    groups: dict[tuple[Outcome, str], list[str]] = {}
    for check in checks:
        why = check.reason.detail if check.reason is not msgspec.UNSET else ""
        groups.setdefault((check.outcome, why), []).append(check.id)
    return groups


def closing(report: Report[Facts]) -> str:
    """Count the outcomes, and say of which dates the data is that judged."""
    return f"{outcomes(report)} `nodediag explain ID` tells more of one.{_data(report)} {captured(report)}".rstrip()


def outcomes(report: Report[Facts]) -> str:
    """Count the outcomes."""
    counts = report.counts.outcomes
    said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    return f"{sum(counts.values())} checks: {said}."


def captured(report: Report[Facts]) -> str:
    """Say what was said of the node when it was bundled, nothing where it was not."""
    if report.captured is msgspec.UNSET:
        return ""
    told = report.captured
    return f"When it was bundled, by nodediag {told.version}, the verdict was {told.verdict.value}."


def _data(report: Report[Facts]) -> str:
    """Say of which dates the data is that judged; `tool.data` of the JSON has its age."""
    kinds: dict[str, list[str]] = {}
    for kind, data in report.tool.data.items():
        kinds.setdefault(data.date, []).append(kind)
    dated = "; ".join(f"{', '.join(names)} of {day}" for day, names in kinds.items())
    return f" Judged with {dated}." if dated else ""


def _total(check: CheckResult) -> int:
    return check.problems_total if isinstance(check.problems_total, int) else len(check.problems)
