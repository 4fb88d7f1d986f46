"""nodediag diff."""

from typing import TYPE_CHECKING, Final

import click
import msgspec

from nodediag.cli.options import format_option, output_option, wants_colour, wants_text
from nodediag.errors import Exit, UsageError
from nodediag.host import own
from nodediag.host.stream import chunks

if TYPE_CHECKING:
    from nodediag.model.fact_changes import Json
    from nodediag.model.report import Report

_FORMATS: Final = ("json", "text", "markdown")
_MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_PACKED_BYTES: Final = 64 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"


class _Head(msgspec.Struct):
    schema: str


@click.command("diff", short_help="Say what two reports or bundles tell differently.")
@click.argument("before", metavar="A|-")
@click.argument("after", metavar="B|-")
@format_option(_FORMATS)
@output_option
def command(before: str, after: str, form: str | None, output: str) -> int:
    """Say what two reports, as JSON or in bundles, tell differently: a node before and after, or a good and a bad one.

    Ends with 0 where they tell the same, 1 where they differ, as diff(1) does. Names, times, and what only moves with
    time are no difference.
    """
    from nodediag.model.differences import difference  # noqa: PLC0415 - `--help` need not load it
    from nodediag.render import diff as shown  # noqa: PLC0415 - as above

    if before == after == "-":
        raise UsageError("diff: only one of the two can be standard input")
    (one, facts), (other, other_facts) = _read(before), _read(after)
    found = difference((before, after), one, other, (facts, other_facts))
    if wants_text(form, output):
        data = shown.as_text(found, colour=wants_colour(output))
    else:
        data = shown.as_markdown(found) if form == "markdown" else shown.as_json(found)
    own.write_output(output, data)
    return Exit.OK if found.same else Exit.PROBLEM


def _read(path: str) -> "tuple[Report[dict[str, msgspec.Raw]], dict[str, Json]]":
    """Read a report; raises UsageError that says what is wrong with it."""
    from nodediag.model.report import SCHEMA, Report  # noqa: PLC0415 - `--help` need not load it

    data = _bytes(path)
    try:
        schema = msgspec.json.decode(data, type=_Head).schema
        if schema != SCHEMA:
            raise UsageError(f"diff {path}: its schema is {schema[:80]!r}, wanted {SCHEMA!r}")
        report = msgspec.json.decode(data, type=Report[dict[str, msgspec.Raw]])
        facts: dict[str, Json] = {name: msgspec.json.decode(raw) for name, raw in report.facts.items()}
    except msgspec.MsgspecError as error:
        raise UsageError(f"diff {path}: not a report as `nodediag report --format json` writes it: {error}") from error
    except RecursionError as error:
        raise UsageError(f"diff {path}: not a report: it is nested too deeply") from error
    return report, facts


def _bytes(path: str) -> bytes:
    data = bytearray()
    for chunk in chunks("diff", path):
        data += chunk
        most = _MOST_PACKED_BYTES if data.startswith(_GZIP) else _MOST_BYTES
        if len(data) > most:
            raise UsageError(f"diff {path}: larger than {most} bytes; a report is at most 1 MiB")
    if not data.startswith(_GZIP):
        return bytes(data)
    from nodediag.bundle.pack import report_in  # noqa: PLC0415 - only who gives a bundle needs it

    report = report_in(bytes(data))
    if report is None:
        raise UsageError(f"diff {path}: neither a report nor a bundle, which holds one")
    return report
