"""What two reports say differently: one node before and after, or a good node and a bad one.

That they were made at other times, of nodes of other names, is no difference; by which versions they were, is one.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, TypeVar

import msgspec

from nodediag.model.changes import Noted, Sight, changes, sight
from nodediag.model.fact_changes import FactChanges, Json, fact_changes
from nodediag.model.logs import LogFinding, LogResult
from nodediag.model.outcome import CheckResult, Outcome, Severity, Verdict
from nodediag.model.reason import Reason
from nodediag.model.report import Report

F = TypeVar("F")

_LOOKED: Final = frozenset({Outcome.PASSED, Outcome.FAILED})
_BLIND: Final = frozenset({Outcome.UNKNOWN, Outcome.BROKEN})
_UNTOLD: Final = frozenset({"", "unknown", "none"})
_NO_CHECK: Final = "none"
_IMAGE: Final = (
    "image_type", "os.family", "os.id", "os.name", "os.version", "os.build", "os.milestone", "platform.gke",
    "platform.gce", "platform.gke_version", "runtime.name", "runtime.version", "runtime.endpoint", "kubelet.version",
    "kernel.release", "cgroup.version", "arch",
)  # fmt: skip
_JUDGED_BY: Final = (
    "schema",
    "tool.version",
    "tool.data_digest",
    "profile.name",
    "profile.digest",
    "scope",
    "view.origin",
)


class SameNode(StrEnum):
    """Whether both are of one node, by its machine id or its name."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class CheckSight(StrEnum):
    """Whether a check could look in one of the two only; `both` looked, or neither did."""

    LOST = "lost"
    GAINED = "gained"
    BOTH = "both"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two reports."""

    file: str
    node: str
    observed_at: datetime
    verdict: Verdict
    because: tuple[str, ...]
    version: str


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the report that has another value; what is left out says "unknown"."""

    field: str
    before: str
    after: str


class ProblemChange(msgspec.Struct, frozen=True, kw_only=True):
    """A problem that both have and that weighs otherwise: its severity, or whether a waiver is on it."""

    problem: Noted
    before: Severity
    after: Severity
    waived_before: bool
    waived_after: bool


class Problems(msgspec.Struct, frozen=True, kw_only=True):
    """Problems by what has become of them; where a check could not look, it is not known whether it began or ended."""

    began: tuple[Noted, ...]
    ended: tuple[Noted, ...]
    changed: tuple[ProblemChange, ...]
    still: tuple[Noted, ...]
    only_before: tuple[Noted, ...]
    only_after: tuple[Noted, ...]


class CheckChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A check that ended otherwise; `none` where a report does not have it. `reason` is why one could not look."""

    id: str
    before: str
    after: str
    sight: CheckSight
    reason: Reason | msgspec.UnsetType = msgspec.UNSET


class SignatureChange(msgspec.Struct, frozen=True, kw_only=True):
    """A known failure in the journal that was told another number of times, or is over in one of them only."""

    id: str
    title: str
    severity: Severity
    before: int
    after: int
    active_before: bool
    active_after: bool


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `moved` and `still` are told and are no difference; `journal` says whether both read theirs."""

    schema: Literal["nodediag.diff/0"] = "nodediag.diff/0"
    same: bool
    same_node: SameNode
    rebooted: bool
    before: Side
    after: Side
    image: tuple[FieldChange, ...]
    judged_by: tuple[FieldChange, ...]
    problems: Problems
    checks: tuple[CheckChange, ...]
    journal: bool
    signatures: tuple[SignatureChange, ...]
    facts: FactChanges


def difference(
    files: tuple[str, str], before: Report[F], after: Report[F], facts: tuple[Mapping[str, Json], Mapping[str, Json]]
) -> Difference:
    """Compare two reports; `facts` are theirs as JSON."""
    image, judged_by = _fields(before, after, _IMAGE, "node."), _fields(before, after, _JUDGED_BY, "")
    problems, checks = _problems(sight(before), sight(after)), _checks(before, after)
    journal = bool(before.logs.reader and after.logs.reader)
    signatures = _signatures(before.logs, after.logs) if journal else ()
    compared = fact_changes(*facts)
    found = (image, judged_by, problems.began, problems.ended, problems.changed, problems.only_before,
             problems.only_after, checks, signatures, compared.differ, compared.sights)  # fmt: skip
    same_node = _same_node(before, after)
    return Difference(
        same=before.verdict is after.verdict and not any(found),
        same_node=same_node,
        rebooted=same_node is SameNode.YES and _differ(before.node.boot_id, after.node.boot_id),
        before=_side(files[0], before),
        after=_side(files[1], after),
        image=image,
        judged_by=judged_by,
        problems=problems,
        checks=checks,
        journal=journal,
        signatures=signatures,
        facts=compared,
    )


def _side(file: str, report: Report[F]) -> Side:
    return Side(
        file=file, node=_name(report), observed_at=report.observed_at, verdict=report.verdict,
        because=report.verdict_because, version=report.tool.version,
    )  # fmt: skip


def _name(report: Report[F]) -> str:
    return next((name for name in (report.node.name, report.node.hostname) if name not in _UNTOLD), "unknown")


def _same_node(before: Report[F], after: Report[F]) -> SameNode:
    for one, other in ((before.node.machine_id, after.node.machine_id), (_name(before), _name(after))):
        if not {one, other} & _UNTOLD:
            return SameNode.YES if one == other else SameNode.NO
    return SameNode.UNKNOWN


def _differ(one: str, other: str) -> bool:
    return one != other and not {one, other} & _UNTOLD


def _fields(before: Report[F], after: Report[F], names: tuple[str, ...], prefix: str) -> tuple[FieldChange, ...]:
    pairs = ((name, _field(before, prefix + name), _field(after, prefix + name)) for name in names)
    return tuple(FieldChange(field=name, before=one, after=other) for name, one, other in pairs if one != other)


def _field(report: Report[F], place: str) -> str:
    value: object = report
    for name in place.split("."):
        value = getattr(value, name, "none")
    return str(value)


def _problems(before: Sight, after: Sight) -> Problems:
    """Tell what has become of each problem: `changes` knows, looking forward, what is over; backward, what is new."""
    old = {problem.fingerprint: problem for problem in before.problems}
    new = {problem.fingerprint: problem for problem in after.problems}
    ended, began = set(changes(old, after).ended), set(changes(new, before).ended)
    gone = [problem for mark, problem in old.items() if mark not in new]
    come = [problem for mark, problem in new.items() if mark not in old]
    both = [(problem, new[mark]) for mark, problem in old.items() if mark in new]
    changed = tuple(_problem(one, other) for one, other in both if _weight(one) != _weight(other))

    def is_over(problem: Noted) -> bool:
        return problem.fingerprint in ended and problem.check in after.checks

    def is_new(problem: Noted) -> bool:
        return problem.fingerprint in began and problem.check in before.checks

    return Problems(
        began=tuple(filter(is_new, come)),
        ended=tuple(filter(is_over, gone)),
        changed=changed,
        still=tuple(other for one, other in both if _weight(one) == _weight(other)),
        only_before=tuple(problem for problem in gone if not is_over(problem)),
        only_after=tuple(problem for problem in come if not is_new(problem)),
    )


def _weight(problem: Noted) -> tuple[Severity, bool]:
    return problem.severity, _waived(problem)


def _waived(problem: Noted) -> bool:
    return problem.waiver is not msgspec.UNSET and not problem.waiver.expired


def _problem(one: Noted, other: Noted) -> ProblemChange:
    return ProblemChange(
        problem=other, before=one.severity, after=other.severity, waived_before=_waived(one),
        waived_after=_waived(other),
    )  # fmt: skip


def _checks(before: Report[F], after: Report[F]) -> tuple[CheckChange, ...]:
    old, new = ({check.id: check for check in report.checks} for report in (before, after))
    pairs = ((id_, old.get(id_), new.get(id_)) for id_ in dict.fromkeys((*old, *new)))
    return tuple(_check(id_, one, other) for id_, one, other in pairs if _outcome(one) != _outcome(other))


def _outcome(check: CheckResult | None) -> str:
    return check.outcome.value if check is not None else _NO_CHECK


def _check(id_: str, one: CheckResult | None, other: CheckResult | None) -> CheckChange:
    kind: CheckSight = CheckSight.BOTH
    reason: Reason | msgspec.UnsetType = msgspec.UNSET
    if one is not None and other is not None:
        if one.outcome in _LOOKED and other.outcome in _BLIND:
            kind, reason = CheckSight.LOST, other.reason
        elif one.outcome in _BLIND and other.outcome in _LOOKED:
            kind, reason = CheckSight.GAINED, one.reason
    return CheckChange(id=id_, before=_outcome(one), after=_outcome(other), sight=kind, reason=reason)


def _signatures(before: LogResult, after: LogResult) -> tuple[SignatureChange, ...]:
    old, new = ({finding.id: finding for finding in logs.signatures} for logs in (before, after))
    found = (_signature(old.get(id_), new.get(id_)) for id_ in dict.fromkeys((*old, *new)))
    return tuple(one for one in found if one is not None)


def _signature(one: LogFinding | None, other: LogFinding | None) -> SignatureChange | None:
    named = other or one
    if named is None or (_count(one) == _count(other) and _active(one) == _active(other)):
        return None
    return SignatureChange(
        id=named.id, title=named.title, severity=named.severity, before=_count(one), after=_count(other),
        active_before=_active(one), active_after=_active(other),
    )  # fmt: skip


def _count(finding: LogFinding | None) -> int:
    return finding.count if finding is not None else 0


def _active(finding: LogFinding | None) -> bool:
    return finding is not None and finding.active
