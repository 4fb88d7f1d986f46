"""nodediag bundle."""

import re
import sys
from typing import TYPE_CHECKING, Final

import click

from nodediag.cli.look import Taken, look
from nodediag.cli.options import collected, node_options, now, output_option
from nodediag.errors import Exit, OutputError, UsageError
from nodediag.host import own
from nodediag.host.recording import JOURNAL
from nodediag.model.report import Origin

if TYPE_CHECKING:
    from datetime import datetime

    from nodediag.bundle.pack import Member
    from nodediag.cli.options import NodeOptions

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)B?")
_BYTES: Final = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_SPARE_BYTES: Final = 4096  # the manifest says more where something is cut
_SHOWN: Final = 5
_READING: Final = 0.5  # of --timeout; the diagnosis has read the journal before


def _size(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Give a size such as `25MB` in bytes, for click."""
    match = _SIZE.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no size; wanted one such as 25MB or 500kB", ctx=ctx, param=param)
    return int(float(match[1]) * _BYTES[match[2]])


@click.command("bundle")
@node_options
@output_option
@click.option(
    "--max-size", callback=_size, default="25MB", metavar="SIZE", show_default=True,
    help="Take along no more of the journal than fits; the manifest says what was left out.",
)  # fmt: skip
@click.option("--estimate", is_flag=True, help="Write nothing, print what would be in it and its size.")
def command(output: str, max_size: int, estimate: bool, **node: object) -> int:  # noqa: FBT001 - click gives it so
    """Pack what a support ticket needs: all that the diagnosis read, its report, the journal's part, secrets masked.

    `nodediag report --root FILE` says the same of it anywhere. Ends with 0 when the bundle was written, 2 for bad
    usage, 4 when it could not be written, or when a secret was found in it.
    """
    options = collected(node)
    if options.record is not None:
        raise UsageError("--record: a bundle holds the recording")
    if output == "-" and not estimate and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("-o: a bundle is no text for a terminal; wanted a file, such as -o node.tar.gz")
    at = now()
    _progress("looking at the node")
    look(options, at, lambda taken: _pack(taken, options, output, max_size, estimate=estimate, at=at))
    return Exit.OK


def _pack(  # noqa: PLR0913 - what was asked
    taken: Taken, options: "NodeOptions", output: str, max_size: int, *, estimate: bool, at: "datetime"
) -> None:
    from nodediag.bundle import gather  # noqa: PLC0415 - after the children were made
    from nodediag.bundle.pack import survivors  # noqa: PLC0415 - as above

    _progress("reading the journal")
    journal = _journal(taken, options, at)
    _progress("packing")
    members = gather.judged(taken.report, taken.profile, taken.signatures, asked=taken.asked)
    members += gather.recorded(taken.recorder, taken.head, taken.others)
    members, data = _within(max_size, taken, members, journal)
    _progress("looking for secrets that are left")
    found = survivors(data)
    if found:
        some = "; ".join(f"{one.path} line {one.line}: {one.kind}" for one in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise OutputError(f"the bundle was not written, secrets are left in it: {some}{more}")
    _progress("")
    if estimate:
        own.write_stdout(_estimated(members, len(data)))
    else:
        own.write_output(output, data)


def _within(max_size: int, taken: Taken, members: list["Member"], journal: bytes) -> tuple[list["Member"], bytes]:
    """Pack with as much of the journal as there is room for; raises OutputError where the rest alone is too large."""
    from nodediag.bundle import gather  # noqa: PLC0415 - as above
    from nodediag.bundle.pack import Member, fitting, packed  # noqa: PLC0415 - as above

    folder, version, observed = gather.folder_of(taken.report), taken.report.tool.version, taken.report.observed_at
    data = packed(folder, members, version, observed)
    room = max_size - len(data) - _SPARE_BYTES
    if room < 0:
        raise OutputError(f"--max-size {max_size}: what the verdict rests on takes {len(data) + _SPARE_BYTES} bytes")
    whole = members
    while journal and (whole is members or len(data) > max_size):
        kept, left_out = fitting(journal, room)
        whole = [*members, Member(path=JOURNAL, data=kept, source="the journal", left_out=left_out)]
        data = packed(folder, whole, version, observed)
        room -= _SPARE_BYTES
    return whole, data


def _journal(taken: Taken, options: "NodeOptions", at: "datetime") -> bytes:
    """Give the lines of the journal that are taken along: read from its files, or what a bundle took along before."""
    from nodediag.bundle.entries import collect  # noqa: PLC0415 - only the child needs all of it
    from nodediag.errors import ReadError  # noqa: PLC0415 - as above
    from nodediag.host.work import Work  # noqa: PLC0415 - as above
    from nodediag.journal.journal import Query  # noqa: PLC0415 - as above
    from nodediag.logs.units import UNITS  # noqa: PLC0415 - as above

    origin = taken.opened.host.seen.origin
    if origin is Origin.RECORDING:
        return taken.opened.kept(JOURNAL) or b""
    if options.no_logs or origin is Origin.NONE:
        return b""
    query = Query(units=UNITS, since=taken.report.logs.since, until=min(taken.report.logs.until, at))
    budget_s = _READING * options.timeout
    work = Work(
        "the journal",
        lambda: collect(taken.opened.folder, taken.signatures, query, budget_s=budget_s),
        budget_s=budget_s,
    )
    try:
        return work.result()
    except ReadError as error:
        _progress(f"the journal's part is missing: {error}\n")
        return b""
    finally:
        work.close()


def _estimated(members: list["Member"], size: int) -> bytes:
    """Say what would be packed, the largest first, and how large that is in the end."""
    rows = sorted(members, key=lambda member: (-len(member.data), member.path))
    lines = [
        f"{len(member.data):>12}  {member.path}" + (f"  ({member.left_out} lines left out)" if member.left_out else "")
        for member in rows
    ]
    return "\n".join((*lines, f"{size:>12}  packed", "")).encode("utf-8", "backslashreplace")


def _progress(step: str) -> None:
    """Tell a person at a terminal what takes its time."""
    if sys.stderr is not None and sys.stderr.isatty():
        click.echo(f"\r\033[K{step}" + (" ..." if step and not step.endswith("\n") else ""), err=True, nl=False)
