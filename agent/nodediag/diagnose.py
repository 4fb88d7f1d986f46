"""The spine: node in, report out. Read this first.

root -> facts -> image -> logs -> profile -> checks -> report. Each step hands a frozen value on; nothing calls back.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TypeVar

import msgspec

from nodediag import __version__
from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.errors import ProfileError, UsageError
from nodediag.facts import gke_versions, inputs as inputs_
from nodediag.facts.fact import Fact, Known, Unknown, known
from nodediag.facts.gke_versions import GkeVersions, VersionMap
from nodediag.facts.inputs import NO_INPUTS, Inputs
from nodediag.facts.snapshot import Facts, collect
from nodediag.host.host import Host
from nodediag.host.nowhere import REASON as NOWHERE
from nodediag.images import version_map
from nodediag.images.choose import choose
from nodediag.images.describe import describe
from nodediag.images.identify import identify
from nodediag.logs.node import WHAT, Logs
from nodediag.model.digest import digest
from nodediag.model.image import Image
from nodediag.model.logs import LogResult
from nodediag.model.outcome import CheckResult, Outcome, Severity, Verdict
from nodediag.model.reason import BlindSpot, Reason
from nodediag.model.report import (
    FOLDERS,
    Counts,
    DataAge,
    Departure,
    LayoutRule,
    Origin,
    ProfileUsed,
    Report,
    Scope,
    StorageSupport,
    Tool,
    View,
)
from nodediag.model.request import Request
from nodediag.profiles.load import Catalogue
from nodediag.profiles.profile import Profile

MOST_BLIND_SPOTS = 200

T = TypeVar("T")


def diagnose(  # noqa: PLR0913 - all that a diagnosis rests on
    host: Host, journal: Logs, catalogue: Catalogue, request: Request, now: datetime, *, inputs: Inputs = NO_INPUTS
) -> Report[Facts]:
    """Diagnose a node; raises UsageError and ProfileError only, whatever the node is like."""
    clock = _Clock()
    facts = clock.time("facts", lambda: collect(host, inputs, deep=request.deep))
    host.rest()  # while the journal's child, which takes more, is waited for
    image = identify(facts)
    logs = clock.time("logs", lambda: _logs(journal, facts, image))
    observed_at = host.seen.observed_at or (logs.until if host.seen.origin in FOLDERS and logs.reader else now)
    versions = _versions(inputs, facts, observed_at)
    facts = msgspec.structs.replace(facts, image=Known(image), logs=_log_fact(logs), gke_versions=versions)
    profile = catalogue.get(request.profile) if request.profile else choose(image, catalogue)
    judged_at = observed_at.astimezone(UTC)
    profile = msgspec.structs.replace(profile, judged_on=judged_at.date(), judged_at=judged_at)
    results = clock.time("checks", lambda: tuple(run(check, facts, profile, request) for check in CHECKS))
    verdict, because = judge(results, profile)
    blind = _blind_spots(host, facts)
    return Report(
        observed_at=observed_at,
        generated_at=now,
        tool=_tool(catalogue, inputs, observed_at),
        verdict=verdict,
        verdict_because=because,
        scope=Scope.FULL if all(request.selects(check.id) for check in CHECKS) else Scope.PARTIAL,
        counts=_counts(results),
        view=View(
            origin=host.seen.origin,
            root=host.seen.root,
            uid=host.seen.uid,
            blind_spots=blind[:MOST_BLIND_SPOTS],
            blind_spots_total=len(blind) if len(blind) > MOST_BLIND_SPOTS else msgspec.UNSET,
        ),
        node=describe(facts, image),
        profile=_used(profile) if profile.fits else msgspec.UNSET,
        checks=results,
        logs=logs,
        facts=facts,
        duration_ms=clock.durations_ms,
    )


def judge(results: tuple[CheckResult, ...], profile: Profile) -> tuple[Verdict, tuple[str, ...]]:
    """Give the verdict and the ids it rests on: critical problems, then essential unknowns, then warnings.

    Where no check could look at all, as a choice by --only may bring, nothing is known of the node's health either.
    """

    def having(severity: Severity) -> tuple[str, ...]:
        return tuple(
            result.id
            for result in results
            if any(problem.severity is severity and problem.counts for problem in result.problems)
        )

    critical = having(Severity.CRITICAL)
    if critical:
        return Verdict.UNHEALTHY, critical
    unseen = {Outcome.UNKNOWN, Outcome.BROKEN}
    blind = tuple(result.id for result in results if result.outcome in unseen and result.id in profile.essential)
    if blind:
        return Verdict.UNKNOWN, blind
    warning = having(Severity.WARNING)
    if warning:
        return Verdict.DEGRADED, warning
    if not any(result.outcome in {Outcome.PASSED, Outcome.FAILED} for result in results):
        blind = tuple(result.id for result in results if result.outcome in unseen)
    return (Verdict.UNKNOWN, blind) if blind else (Verdict.HEALTHY, ())


def check_selection(request: Request) -> None:
    """Refuse names that select no check, and a choice that leaves none, which is no health; raises UsageError."""
    for entry in (*request.only, *request.skip):
        if not any(Request(only=(entry,)).selects(check.id) for check in CHECKS):
            groups = sorted({check.id.partition(".")[0] for check in CHECKS})
            raise UsageError(
                f"no check is named {entry!r}; `nodediag explain` lists them, groups are {', '.join(groups)}"
            )
    if not any(request.selects(check.id) for check in CHECKS):
        raise UsageError("--only, --skip and --no-logs together leave no check to run")


def check_profile(profile: Profile, file: str) -> None:
    """Refuse a profile of one's own that names checks there are none of; raises ProfileError."""
    ids = {check.id for check in CHECKS}
    waived = tuple(waiver.check for waiver in profile.waivers)
    named = (("essential", profile.essential), ("severity", tuple(profile.severity)), ("waivers", waived))
    for key, names in named:
        for name in names:
            if name not in ids:
                raise ProfileError(
                    file, key, f"found {name!r}, wanted the id of a check as `nodediag explain` lists it"
                )


def _logs(journal: Logs, facts: Facts, image: Image) -> LogResult:
    """Wait for what the journal tells; one that is a container's own is not the node's."""
    logs = journal.judged(image.os_family)
    view = known(facts.host_view)
    if view is None or view.elsewhere is None:
        return logs
    return LogResult.unread(logs.since, logs.until, (BlindSpot(what=WHAT, reason=view.elsewhere),))


def _versions(inputs: Inputs, facts: Facts, at: datetime) -> Fact[GkeVersions]:
    """Take from the map of versions what it says of this node."""
    whole = inputs_.fact(inputs.gke_versions, f"{gke_versions.OPTION} FILE", "a map of GKE's versions")
    return Known(version_map.about(whole.value, facts, at)) if isinstance(whole, Known) else whole


def _tool(catalogue: Catalogue, inputs: Inputs, at: datetime) -> Tool:
    """Say with which data is judged, a map of versions that was given included."""
    dates, texts = catalogue.dates, catalogue.digest
    table = inputs.gke_versions
    if isinstance(table, VersionMap):
        dates |= {"gke_versions": table.created.astimezone(UTC).date().isoformat()}
        texts = digest(texts.encode() + msgspec.json.encode((table.created, table.entries)))
    return Tool(version=__version__, data_digest=texts, data=_ages(dates, at))


def _log_fact(logs: LogResult) -> Fact[LogResult]:
    return Known(logs) if logs.reader else Unknown(logs.losses[-1].reason)


class _Clock:
    """Times the steps of a run."""

    def __init__(self) -> None:
        self.durations_ms: dict[str, int] = {}

    def time(self, step: str, work: Callable[[], T]) -> T:
        start = time.monotonic_ns()
        result = work()
        self.durations_ms[step] = (time.monotonic_ns() - start) // 1_000_000
        return result


def _counts(results: tuple[CheckResult, ...]) -> Counts:
    outcomes = Counter(result.outcome.value for result in results)
    problems = [problem for result in results for problem in result.problems]
    severities = Counter(problem.severity.value for problem in problems if problem.counts)
    waived = sum(not problem.counts for problem in problems)
    return Counts(
        outcomes={outcome.value: outcomes[outcome.value] for outcome in Outcome},
        severities={severity.value: severities[severity.value] for severity in Severity},
        waived=waived or msgspec.UNSET,
    )


def _blind_spots(host: Host, facts: Facts) -> tuple[BlindSpot, ...]:
    """Join what facts lack with what single paths refused; what has one reason is said once."""
    named = facts.blind_spots()
    view = known(facts.host_view)
    whole = () if view is None or view.elsewhere is None else (BlindSpot(what="the node", reason=view.elsewhere),)
    if host.seen.origin is Origin.NONE:
        whole = (BlindSpot(what="the node", reason=NOWHERE),)
    named = tuple(spot for spot in named if not whole or spot.reason != whole[0].reason)
    if known(facts.os_release) is not None:  # the older file says nothing more
        named = tuple(spot for spot in named if spot.what != "lsb_release")
    told: dict[Reason, BlindSpot] = {}
    for spot in (*named, *host.blind_spots()):
        told.setdefault(spot.reason, spot)
    return (*whole, *told.values())


def _used(profile: Profile) -> ProfileUsed:
    return ProfileUsed(
        name=profile.name,
        version=profile.version,
        digest=profile.digest,
        date=profile.date,
        document=profile.document,
        source=profile.source,
        departures=tuple(
            Departure(path=path, document=rule.document or "none", says=rule.departs)
            for path, rule in profile.paths.items()
            if rule.departs
        ),
        storage=tuple(
            StorageSupport(
                volume=name,
                supported=rule.supported.value,
                since_milestone=rule.since_milestone,
                document=rule.document,
            )
            for name, rule in profile.storage.items()
        ),
        layout=tuple(
            LayoutRule(
                path=path,
                writable=rule.writable,
                executable=rule.executable,
                suid=rule.suid,
                devices=rule.devices,
                persistence="" if rule.persistence is msgspec.UNSET else rule.persistence.value,
                on=rule.on,
                optional=rule.optional,
                document=rule.document,
            )
            for path, rule in profile.paths.items()
        ),
    )


def _ages(dates: dict[str, str], observed_at: datetime) -> dict[str, DataAge]:
    """Say how old data is, as of when the node was looked at; what is newer than that is of age 0."""
    days = {kind: (observed_at.date() - date.fromisoformat(text)).days for kind, text in dates.items()}
    return {kind: DataAge(date=text, age_days=max(0, days[kind])) for kind, text in dates.items()}
