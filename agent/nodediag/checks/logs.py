"""What the journal tells: known failures by their signatures, boots that crashed, and what it does not hold."""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks import cause
from nodediag.checks.check import Check, check
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.snapshot import Facts
from nodediag.logs.node import NEEDS
from nodediag.model.evidence import FileEvidence, JournalEvidence
from nodediag.model.logs import AbruptEnd, LogFinding, LogResult
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.profiles.profile import Profile

_MOST_SUBJECTS: Final = 5
_MINUTE_MS: Final = 60_000
# What kept us from looking at a journal that is there, unlike what the journal itself has lost.
_OURS: Final = frozenset({Code.TIMED_OUT, Code.CRASHED, Code.NOT_PERMITTED, Code.TOO_LARGE, Code.UNSUPPORTED})
_DAMAGED_REMEDY: Final = (
    "keep a copy of the damaged files, then let journald begin new ones: `journalctl --rotate`; look for a full or "
    "failing disk"
)
_LOST_REMEDY: Final = (
    "do not take silence in that span for health; where it was a limit of journald's, see RateLimitBurst= and "
    "SystemMaxUse= in journald.conf(5)"
)
_DAMAGED: Final = _OURS | {Code.UNPARSABLE}


@check("logs.readable", title="The node's journal can be read", needs=NEEDS)
def readable(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A verdict without the journal has not heard what the kubelet, the runtime and the kernel complained of."""
    del profile
    logs = need(facts.logs)
    if not logs.entries:
        detail = (
            f"the journal holds no entry of the kubelet, the runtime or the kernel from {logs.since} to {logs.until}"
        )
        raise NotKnownError(Reason(code=Code.ABSENT, detail=detail, needs=NEEDS))
    yield from ()


@check("logs.critical", title="The journal tells of nothing that takes the node down", needs=NEEDS)
def critical(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Known failures, recognised by their messages, that make pods fail now or within hours and are not over."""
    del profile
    yield from _told(facts, Severity.CRITICAL)


@check("logs.warning", title="The journal tells of nothing that needs action this week", needs=NEEDS)
def warning(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Known failures, recognised by their messages, that will become worse if nobody acts and are not over."""
    del profile
    yield from _told(facts, Severity.WARNING)


@check("logs.crashes", title="Every boot in the window of the journal ended with a shutdown", needs=NEEDS)
def crashes(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A boot that just stops was a crash, a reset or a loss of power; its last lines are what is left to tell why."""
    del profile
    logs = need(facts.logs)
    for end in logs.abrupt_ends:
        yield _crash(end, logs)
    must_be_whole(logs)


@check("logs.complete", title="The journal holds all that was logged in its window", needs=NEEDS)
def complete(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Silence is health only where nothing is missing: lines that journald dropped, files that are damaged or gone."""
    del profile
    logs = need(facts.logs)
    for spots in _by_subject(logs.losses).values():
        yield _loss(spots, logs)


def _told(facts: Facts, severity: Severity) -> Iterator[Problem]:
    logs = need(facts.logs)
    failed = cause.failed(facts)
    for finding in logs.signatures:
        if finding.severity is severity and finding.active:
            yield msgspec.structs.replace(_problem(finding), cause=failed.of(finding.subjects))
    must_be_whole(logs)


def must_be_whole(logs: LogResult) -> None:
    """What we did not get to read may hold another failure; what the journal lost is told by `logs.complete`."""
    for loss in logs.losses:
        if loss.reason.code in _OURS:
            raise NotKnownError(loss.reason)


def _problem(finding: LogFinding) -> Problem:
    often = "once" if finding.count == 1 else f"{finding.count} times"
    about = f" ({', '.join(finding.subjects[:_MOST_SUBJECTS])})" if finding.subjects else ""
    last = finding.last or "at a time not known"
    after = "".join(
        f"; the last time it began {_span(relation.after_ms)} after: {relation.title}"
        for relation in finding.follows[:1]
    )
    return Problem(
        severity=finding.severity,
        subject=Subject("signature", finding.id),
        message=f"{finding.title}{about}: {often} in {', '.join(finding.units)}, last {last}{after}",
        expected="no such message, or one later that says it is over",
        observed=often if finding.first == finding.last else f"{often} from {finding.first} to {finding.last}",
        values={
            "condition": finding.condition,
            "count": finding.count,
            "first": finding.first,
            "last": finding.last,
            "subjects": finding.subjects,
            "follows": tuple(relation.id for relation in finding.follows),
        },
        requirement=Requirement(profile="signatures", key=finding.id, why=finding.cause, source=finding.source),
        remedy=finding.remedy,
        evidence=tuple(one.evidence for one in finding.samples),
    )


def _crash(end: AbruptEnd, logs: LogResult) -> Problem:
    planned = [one.title for one in logs.context if one.first <= end.last <= one.last]
    return Problem(
        severity=Severity.WARNING,
        subject=Subject("boot", end.boot),
        message=f"The boot {end.boot} ended at {end.last} without a shutdown"
        + (f"; about then: {', '.join(planned)}" if planned else ""),
        expected="the messages of a shutdown at the end of a boot",
        observed=f"its last line is: {end.lines[-1].text if end.lines else ''}",
        remedy="read its last lines; ask the cloud for the serial console, and for host errors or resets at that time",
        evidence=tuple(one.evidence for one in end.lines),
    )


def _loss(spots: tuple[BlindSpot, ...], logs: LogResult) -> Problem:
    damaged = any(spot.reason.code in _DAMAGED for spot in spots)
    return Problem(
        severity=Severity.WARNING if damaged else Severity.INFO,
        subject=Subject("journal", spots[0].what),
        message="; ".join(spot.reason.detail for spot in spots),
        expected="every message of the window",
        observed=", ".join(dict.fromkeys(spot.reason.code.value for spot in spots)),
        remedy=_DAMAGED_REMEDY if damaged else _LOST_REMEDY,
        evidence=_heard(spots, logs) or _files(spots[0].what, logs),
    )


def _heard(spots: tuple[BlindSpot, ...], logs: LogResult) -> tuple[JournalEvidence, ...]:
    """Give the messages in which journald itself says that something is missing."""
    said = [
        finding for finding in logs.signatures if any(spot.reason.detail.startswith(finding.title) for spot in spots)
    ]
    return tuple(sample.evidence for finding in said for sample in finding.samples)


def _files(name: str, logs: LogResult) -> tuple[FileEvidence, ...]:
    """Give what the header of the file says, or of all files where the loss is none of a single one."""
    files = [file for file in logs.files if file.path == name] or logs.files
    return tuple(
        FileEvidence(
            path=file.path, line=0, text=f"{file.state}, {file.entries} entries from {file.first} to {file.last}"
        )
        for file in files
    )


def _by_subject(losses: tuple[BlindSpot, ...]) -> dict[str, tuple[BlindSpot, ...]]:
    """Put together what was lost of one file or unit: a problem is known by its subject."""
    found: dict[str, tuple[BlindSpot, ...]] = {}
    for loss in losses:
        found[loss.what] = (*found.get(loss.what, ()), loss)
    return found


def _span(milliseconds: int) -> str:
    return f"{milliseconds // _MINUTE_MS} min" if milliseconds >= _MINUTE_MS else f"{milliseconds // 1000} s"


CHECKS: Final[tuple[Check, ...]] = (readable, critical, warning, crashes, complete)
