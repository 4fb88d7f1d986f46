"""What the kubelet has had to log and is over, for checks that tell it: what goes on is told by `logs.critical`."""

from collections.abc import Iterator
from typing import Final

from nodediag.model.logs import LogFinding, LogResult
from nodediag.model.outcome import Severity

_OF_KUBELET: Final = "kubelet."


def untold(logs: LogResult, conditions: frozenset[str]) -> Iterator[LogFinding]:
    """Give the kubelet's findings of these conditions that `logs.critical` and `logs.warning` do not tell."""
    for finding in logs.signatures:
        told = finding.active and finding.severity is not Severity.INFO
        if not told and finding.condition in conditions and finding.id.startswith(_OF_KUBELET):
            yield finding


def often(finding: LogFinding) -> str:
    """Say how often it was logged, and when."""
    if finding.count == 1:
        return f"once, at {finding.last}"
    return f"{finding.count} times from {finding.first} to {finding.last}"
