"""Problems that rest on one cause stand together: who reads of nine paths must see that one disk has failed."""

from typing import Final

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import CheckResult, Problem, Severity, Subject
from nodediag.model.report import Report

Pair = tuple[CheckResult, Problem]

_SEVERAL: Final = 2


class Group(msgspec.Struct, frozen=True):
    """Problems with one cause, the one that says most of it first; or a single problem, without a cause."""

    cause: Subject | None
    pairs: tuple[Pair, ...]

    @property
    def severity(self) -> Severity:
        """That of the most severe."""
        return min((problem.severity for _, problem in self.pairs), key=list(Severity).index)


def groups(report: Report[Facts]) -> list[Group]:
    """Give all problems, by urgency; those with one cause stand where the most urgent of them does.

    A waived problem stays alone: it counts for nothing.
    """
    found: dict[object, list[Pair]] = {}
    for number, pair in enumerate(by_urgency(report)):
        cause = pair[1].cause
        found.setdefault(cause if isinstance(cause, Subject) and pair[1].counts else number, []).append(pair)
    return [
        Group(
            cause if isinstance(cause, Subject) and len(pairs) >= _SEVERAL else None,
            tuple(sorted(pairs, key=_of_a_part)),
        )
        for cause, pairs in found.items()
    ]


def by_urgency(report: Report[Facts]) -> list[Pair]:
    """Give all problems with their checks: those that count first, the most severe first."""
    pairs = [(check, problem) for check in report.checks for problem in check.problems]
    order = list(Severity)
    return sorted(pairs, key=lambda pair: (not pair[1].counts, order.index(pair[1].severity)))


def says(group: Group) -> str:
    """Say in one sentence what a group's problems have in common."""
    name = group.cause.name if group.cause is not None else ""
    count = len(group.pairs)
    return f"{name} has failed: the kernel lets nothing be written to it any more; {count} problems rest on that"


def headline(report: Report[Facts]) -> str:
    """Say what has failed where several problems rest on it; empty where none do."""
    return "; ".join(says(group) for group in groups(report) if group.cause is not None)


def _of_a_part(pair: Pair) -> bool:
    """Put what is about one path of many behind what is about the whole."""
    return pair[1].subject.kind == "path"
