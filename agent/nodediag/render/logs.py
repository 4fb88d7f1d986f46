"""The log part alone, as JSON and for a person."""

from collections.abc import Iterator
from io import StringIO
from typing import Final

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from nodediag.model.logs import LogFinding, LogResult
from nodediag.render.visible import visible

_WIDTH: Final = 80
_SAMPLES: Final = 1
_MINUTES: Final = 90


def as_json(result: LogResult) -> bytes:
    """Give the section as it stands in a report."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"


def as_text(result: LogResult) -> bytes:
    """Give it as lines of at most 80 columns: what was found, then what has no name, then what was lost."""
    out = StringIO()
    console = Console(file=out, width=_WIDTH, color_system=None, highlight=False, markup=False, emoji=False)
    for block in _blocks(result):
        console.print(block)
    lines = (line.rstrip() for line in out.getvalue().split("\n"))
    return ("\n".join(lines).rstrip("\n") + "\n").encode("utf-8", "backslashreplace")


def _blocks(result: LogResult) -> Iterator[Text | Padding]:
    reached = f", the oldest of {result.reached}" if result.reached else ""
    yield Text(f"{result.entries} entries of {len(result.units)} units{reached}")
    yield Text("")
    for finding in (*result.context, *result.signatures):
        yield from _finding(finding)
    if result.shapes:
        yield Text("Errors without a name")
        for shape in result.shapes:
            yield _indented(f"{shape.count} x {shape.unit}: {shape.shape}")
        yield Text("")
    for loss in result.losses:
        yield Text(visible(f"lost: {loss.what}: {loss.reason.detail}"))


def _finding(finding: LogFinding) -> Iterator[Text | Padding]:
    over = "" if finding.active else ", over since"
    yield Text(visible(f"{finding.severity.value.upper()}  {finding.id}: {finding.title}"))
    times = f", {finding.first} to {finding.last}" if finding.first else ""
    yield _indented(f"{finding.count} times in {', '.join(finding.units)}{times}{over}")
    for relation in finding.follows:
        yield _indented(f"{_span(relation.after_ms)} after {relation.id}: {relation.title}")
    if finding.subjects:
        yield _indented(f"about {', '.join(finding.subjects)}")
    yield _indented(f"cause: {finding.cause}")
    yield _indented(f"do: {finding.remedy}")
    for sample in finding.samples[:_SAMPLES]:
        yield _indented(sample.text[:240], by=4)
    yield Text("")


def _span(after_ms: int) -> str:
    """Give a span as a person says it."""
    seconds = round(after_ms / 1000)
    return f"{seconds} s" if seconds < _MINUTES else f"{seconds // 60} min {seconds % 60} s"


def _indented(text: str, by: int = 2) -> Padding:
    return Padding(Text(visible(text)), (0, 0, 0, by))
