"""The log part alone, as JSON and for a person."""

from collections.abc import Iterator
from typing import Final

import msgspec
from rich.text import Text

from nodediag.model.logs import LogFinding, LogResult
from nodediag.render.page import Block, indented, page
from nodediag.render.visible import visible

_SAMPLES: Final = 1
_MINUTES: Final = 90


def as_json(result: LogResult) -> bytes:
    """Give the section as it stands in a report."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def as_text(result: LogResult) -> bytes:
    """Give it as lines of at most 80 columns: what was found, then what has no name, then what was lost."""
    return page(_blocks(result), colour=False)


def _blocks(result: LogResult) -> Iterator[Block]:
    reached = f", the oldest of {result.reached}" if result.reached else ""
    yield Text(
        f"{_counted(result.entries, 'entry', 'entries')} of {_counted(len(result.units), 'unit', 'units')}{reached}"
    )
    yield Text("")
    for finding in (*result.context, *result.signatures):
        yield from _finding(finding)
    if result.shapes:
        yield Text("Errors without a name")
        for shape in result.shapes:
            yield indented(f"{shape.count} x {shape.unit}: {shape.shape}")
        yield Text("")
    for loss in result.losses:
        yield Text(visible(f"lost: {loss.what}: {loss.reason.detail}"))


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _finding(finding: LogFinding) -> Iterator[Block]:
    over = "" if finding.active else ", over since"
    often = "once" if finding.count == 1 else f"{finding.count} times"
    yield Text(visible(f"{finding.severity.value.upper()}  {finding.id}: {finding.title}"))
    times = f", {finding.first}" + (f" to {finding.last}" if finding.last != finding.first else "")
    yield indented(f"{often} in {', '.join(finding.units)}{times if finding.first else ''}{over}")
    for relation in finding.follows:
        yield indented(f"{_span(relation.after_ms)} after {relation.id}: {relation.title}")
    if finding.subjects:
        yield indented(f"about {', '.join(finding.subjects)}")
    yield indented(f"cause: {finding.cause}")
    yield indented(f"do: {finding.remedy}")
    for sample in finding.samples[:_SAMPLES]:
        yield indented(sample.text[:240], by=4)
    yield Text("")


def _span(after_ms: int) -> str:
    """Give a span as a person says it."""
    seconds = round(after_ms / 1000)
    return f"{seconds} s" if seconds < _MINUTES else f"{seconds // 60} min {seconds % 60} s"
