"""One step's answer: a value, what speaks for it, and, where it stays open, why."""

from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from nodediag.model.evidence import Evidence
from nodediag.model.image import Finding
from nodediag.model.reason import Code, Reason

T = TypeVar("T")


class Decision(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """A decided or open question."""

    value: T
    findings: tuple[Finding, ...] = ()
    open: Reason | None = None


def found(says: str, evidence: Evidence) -> Finding:
    """Make a finding."""
    return Finding(says=says, evidence=evidence)


def short(detail: str, needs: str) -> Reason:
    """Give the reason for a question that the evidence at hand is too short for."""
    return Reason(code=Code.NOT_CAPTURED, detail=detail, needs=needs)


def present(findings: Iterable[Finding | None]) -> tuple[Finding, ...]:
    """Keep the findings that were made."""
    return tuple(finding for finding in findings if finding is not None)
