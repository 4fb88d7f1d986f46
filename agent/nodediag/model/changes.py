"""What changed between two looks at a node: problems that began, problems that ended.

A check that could not look has not seen that a problem is over, nor that there is a new one.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from nodediag.model.outcome import CheckResult, Outcome, Severity, Subject, Waiver
from nodediag.model.report import Report

F = TypeVar("F")

_LOOKED: Final = frozenset({Outcome.PASSED, Outcome.FAILED})
_MOST_TEXT: Final = 500


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A problem as it is remembered from one look to the next."""

    fingerprint: str
    check: str
    severity: Severity
    subject: Subject
    message: str
    waiver: Waiver | msgspec.UnsetType = msgspec.UNSET


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What one look came to: which checks there are, which of them saw all they wanted to see, and the problems."""

    observed_at: datetime
    checks: frozenset[str]
    whole: frozenset[str]
    problems: tuple[Noted, ...]


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """The problems that are new, and the fingerprints of those that are over."""

    began: tuple[Noted, ...]
    ended: tuple[str, ...]


def sight(report: Report[F]) -> Sight:
    """Reduce a report to what its changes follow from."""
    return Sight(
        observed_at=report.observed_at,
        checks=frozenset(check.id for check in report.checks),
        whole=frozenset(check.id for check in report.checks if _saw_all(check)),
        problems=tuple(
            Noted(
                fingerprint=problem.fingerprint,
                check=check.id,
                severity=problem.severity,
                subject=problem.subject,
                message=problem.message[:_MOST_TEXT],
                waiver=problem.waiver,
            )
            for check in report.checks
            if check.outcome in _LOOKED
            for problem in check.problems
        ),
    )


def changes(before: Mapping[str, Noted], now: Sight, young: Collection[str] = ()) -> Changes:
    """Compare the problems that were open with what is seen now.

    `young` are those that were found while this look was already under way: it need not have seen them. A problem of a
    check that there is no more is over.
    """
    seen = {problem.fingerprint: problem for problem in now.problems}
    return Changes(
        began=tuple(problem for mark, problem in seen.items() if mark not in before),
        ended=tuple(
            mark
            for mark, problem in before.items()
            if mark not in seen
            and mark not in young
            and (problem.check in now.whole or problem.check not in now.checks)
        ),
    )


def _saw_all(check: CheckResult) -> bool:
    """Tell whether what a check does not name is not there: it went to its end, and its list was not cut."""
    return check.outcome in _LOOKED and check.reason is msgspec.UNSET and check.problems_total is msgspec.UNSET
