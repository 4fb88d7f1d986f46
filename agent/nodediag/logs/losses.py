"""What journald itself says it lost: silence in such a span is not health."""

from collections.abc import Iterable, Iterator

from nodediag.logs.tally import Tally
from nodediag.logs.times import said
from nodediag.model.reason import BlindSpot, Code, Reason


def losses(tallies: Iterable[Tally]) -> Iterator[BlindSpot]:
    """Give one blind spot for each program, or journal file, that something was lost of."""
    for tally in tallies:
        for whose, lost in tally.lost.items():
            number = f"{lost.messages} messages, " if lost.messages else ""
            often = "once" if lost.times == 1 else f"{lost.times} times"
            when = said(lost.first) if lost.times == 1 else f"{said(lost.first)} to {said(lost.last)}"
            detail = f"{tally.signature.title}: {number}{often}{', ' if when.strip(' to') else ''}{when}"
            what = f"the journal of {whose}" if whose else "the journal"
            yield BlindSpot(what=what, reason=Reason(code=Code.NOT_CAPTURED, detail=detail))
