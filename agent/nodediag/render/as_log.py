"""What a run tells of itself: the questions that failed it and what broke in it, each with its time, and its end.

That something is absent, or was not captured, is an answer and no failure: it stands in the recording. All is taken
from what the run came to, so a recording that is looked at again tells the same.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.host.answer import Failure
from nodediag.host.answer_parts import Timing
from nodediag.host.ask import place
from nodediag.host.recording import Told
from nodediag.model.outcome import Outcome
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Report
from nodediag.redact import redact

MOST: Final = 1000  # events of one run
_MOST_TEXT: Final = 1024
_ERRORS: Final = frozenset({Code.CRASHED, Code.TIMED_OUT})
_WARNINGS: Final = frozenset({
    Code.NOT_PERMITTED, Code.TOO_LARGE, Code.UNPARSABLE, Code.WRONG_KIND, Code.ESCAPES_ROOT, Code.UNSUPPORTED,
})  # fmt: skip


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened in a run; `level` is info, warning or error."""

    at: datetime
    level: str
    name: str
    fields: dict[str, str | int]


def events(report: Report[Facts], told: Iterable[Told], options: dict[str, str]) -> list[Event]:
    """Give what happened in a run that was asked for with these options, in the order of time, at most so many."""
    start, told = report.generated_at, tuple(told)
    end = start + timedelta(milliseconds=sum(report.duration_ms.values()))
    end = max((end, *(one.timing.at for one in told if one.timing is not None)))
    found = sorted(_failures(report, told, end), key=lambda event: event.at)
    left_out = len(found) - MOST
    summary: dict[str, str | int] = {
        "verdict": report.verdict.value,
        "origin": report.view.origin.value,
        "root": report.view.root,
        "blind_spots": report.view.blind_spots_total or len(report.view.blind_spots),
        **{f"{step}_ms": duration for step, duration in report.duration_ms.items()},
    }
    return [
        Event(at=start, level="info", name="started", fields={"version": report.tool.version, **options}),
        *found[:MOST],
        *([Event(at=end, level="warning", name="left_out", fields={"events": left_out})] if left_out > 0 else []),
        Event(at=end, level="info", name="diagnosed", fields=summary),
    ]


def render(found: Iterable[Event]) -> bytes:
    """Give events as lines of JSON, secrets masked."""
    lines = [{"timestamp": one.at, "level": one.level, "event": one.name, **_short(one.fields)} for one in found]
    return redact(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def _short(fields: dict[str, str | int]) -> dict[str, str | int]:
    return {name: value[:_MOST_TEXT] if isinstance(value, str) else value for name, value in fields.items()}


def _failures(report: Report[Facts], told: Iterable[Told], end: datetime) -> Iterator[Event]:
    """Give what failed, a reason only once: a question, what could not be made of answers, a check of ours."""
    given: set[Reason] = set()
    for one in told:
        if isinstance(one.reply, Failure):
            given.add(one.reply.reason)
            named = {"question": type(one.ask).__name__, "of": place(one.ask)}
            yield from _failure("not_answered", named, one.reply.reason, one.timing or end)
    for spot in (*report.logs.losses, *report.view.blind_spots):
        if spot.reason not in given:
            given.add(spot.reason)
            yield from _failure("not_known", {"of": spot.what}, spot.reason, end)
    for check in report.checks:
        if check.outcome is Outcome.BROKEN and check.reason is not msgspec.UNSET:
            yield from _failure("check_broken", {"of": check.id}, check.reason, end)


def _failure(name: str, named: dict[str, str], reason: Reason, when: Timing | datetime) -> Iterator[Event]:
    if reason.code not in _ERRORS | _WARNINGS:
        return
    fields: dict[str, str | int] = {**named, "code": reason.code.value, "detail": reason.detail}
    if isinstance(when, Timing):
        fields["took_us"], when = when.took_us, when.at
    yield Event(at=when, level="error" if reason.code in _ERRORS else "warning", name=name, fields=fields)
