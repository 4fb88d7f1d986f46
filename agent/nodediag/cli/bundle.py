"""nodediag bundle."""

import re
import sys
from functools import partial
from io import SEEK_END
from typing import IO, TYPE_CHECKING, Final

import click
import msgspec

from nodediag.cli.look import look
from nodediag.cli.options import collected, node_options, now, output_option
from nodediag.cli.pseudonyms import anonymise_option, anonymiser, key_of
from nodediag.errors import Exit, OutputError, UsageError
from nodediag.host import own
from nodediag.host.recording import JOURNAL, LOG
from nodediag.model.report import Origin

if TYPE_CHECKING:
    from nodediag.bundle.gather import Gathered
    from nodediag.bundle.pack import Manifest, Member
    from nodediag.cli.diagnosed import Taken
    from nodediag.host.origin import Opened

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([kMG]?)B?")
_BYTES: Final = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_SHOWN: Final = 5
_PIECE_BYTES: Final = 64 * 1024


def _size(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """Give a size such as `25MB` in bytes, for click."""
    match = _SIZE.fullmatch(value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no size; wanted one such as 25MB or 500kB", ctx=ctx, param=param)
    return int(float(match[1]) * _BYTES[match[2]])


@click.command("bundle", short_help="Pack what a support ticket needs, secrets masked.")
@node_options
@output_option
@click.option(
    "--max-size", callback=_size, default="25MB", metavar="SIZE", show_default=True,
    help="Take along no more of the journal than fits; the manifest says what was left out.",
)  # fmt: skip
@click.option("--estimate", is_flag=True, help="Write nothing, print what would be in it and its size.")
@anonymise_option
def command(
    output: str,
    max_size: int,
    estimate: bool,  # noqa: FBT001 - click gives it so
    anonymise: str | None,
    **node: object,
) -> int:
    """Pack what a support ticket needs: all that the diagnosis read, its report, the journal's part, secrets masked.

    `nodediag report --root FILE` says the same of it anywhere; with pseudonyms it is the checks' outcomes and the
    verdict that stay. Ends with 0 when the bundle was written, 2 for bad
    usage, 4 when it could not be written, or when a secret was found in it.
    """
    options = collected(node)
    if options.record is not None:
        raise UsageError("--record: a bundle holds the recording")
    if output == "-" and not estimate and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("-o: a bundle is no text for a terminal; wanted a file, such as -o node.tar.gz")
    at, key = now(), key_of(anonymise)

    def keep(taken: "Taken") -> None:
        gathered = _gathered(taken)
        _write(gathered if key is None else _disguised(gathered, key), "" if estimate else output, max_size)

    _progress("looking at the node")
    try:
        look(options, at, keep, excerpt=True)
    finally:
        _progress("")
    return Exit.OK


def _gathered(taken: "Taken") -> "Gathered":
    from nodediag.bundle.gather import Gathered  # noqa: PLC0415 - after the children were made
    from nodediag.facts.inputs import INPUTS  # noqa: PLC0415 - as above

    before = _manifest(taken.opened) if taken.opened.host.seen.origin is Origin.RECORDING else None
    return Gathered(
        report=taken.report,
        told=taken.recorder.told,
        head=taken.head,
        others=taken.others,
        log=taken.log,
        profile=taken.profile,
        asked=taken.asked,
        signatures=taken.signatures,
        journal=_journal(taken, before),
        masked=({} if before is None else {path: before.counts(path) for path in (INPUTS, LOG)}) | taken.masked,
    )


def _journal(taken: "Taken", before: "Manifest | None") -> "Member":
    """Give the lines of the journal that are taken along: of this reading, or what a bundle took along before."""
    from nodediag.bundle.gather import redactions  # noqa: PLC0415 - as above
    from nodediag.bundle.pack import Member  # noqa: PLC0415 - as above

    if taken.opened.host.seen.origin is Origin.RECORDING:
        member = Member(path=JOURNAL, data=taken.opened.kept(JOURNAL) or b"", source="the journal")
        return member if before is None else before.said_of(member)
    kept = taken.excerpt
    found = redactions(JOURNAL, kept.masked)
    at = taken.report.generated_at
    return Member(path=JOURNAL, data=kept.lines, source="the journal", at=at, took_us=kept.took_us, redactions=found)


def _manifest(opened: "Opened") -> "Manifest | None":
    """Give the manifest of a bundle, None for a recording that was never packed; raises UsageError."""
    from nodediag.bundle.pack import MANIFEST, Manifest  # noqa: PLC0415 - as above

    data = opened.kept(MANIFEST)
    try:
        return None if data is None else msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{MANIFEST} of the bundle is none of ours: {error}") from error


def _disguised(gathered: "Gathered", key: bytes) -> "Gathered":
    _progress("making pseudonyms")
    return gathered.disguised(anonymiser(gathered.report, key, gathered.strings()))


def _write(gathered: "Gathered", output: str, max_size: int) -> None:
    """Write the bundle, or say what would be in it where there is no output."""
    if output in {"", "-"}:
        with own.scratch() as file:
            manifest = _packed(file, gathered, max_size)
            size = file.seek(0, SEEK_END)
            file.seek(0)
            pieces = iter(partial(file.read, _PIECE_BYTES), b"") if output else (_estimated(manifest, size),)
            for piece in pieces:
                own.write_stdout(piece)
    else:
        with own.draft(output) as file:
            _packed(file, gathered, max_size)


def _packed(out: IO[bytes], gathered: "Gathered", max_size: int) -> "Manifest":
    """Pack with as much of the journal as there is room for, and look at what came of it.

    Raises OutputError where the rest alone is too large, or a secret is left.
    """
    from nodediag.bundle.pack import Packing, fitting, survivors  # noqa: PLC0415 - after the children were made

    _progress("packing")
    report, journal = gathered.report, gathered.journal
    with Packing(out, gathered.folder(), report.tool.version, report.observed_at) as packing:
        packing.add(gathered.members())
        size = packing.size_bytes()
        if size > max_size:
            raise OutputError(f"--max-size {max_size}: what the verdict rests on takes {size} bytes")
        if journal.data:
            kept, left_out = fitting(journal.data, max_size - size)
            packing.add([msgspec.structs.replace(journal, data=kept, left_out=journal.left_out + left_out)])
    _progress("looking for secrets that are left")
    found = survivors(out)
    if found:
        some = "; ".join(f"{one.path} line {one.line}: {one.kind}" for one in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise OutputError(f"the bundle was not written, secrets are left in it: {some}{more}")
    return packing.manifest


def _estimated(manifest: "Manifest", size: int) -> bytes:
    """Say what would be packed, the largest first, and how large that is in the end."""
    rows = sorted(manifest.files, key=lambda one: (-one.size_bytes, one.path))
    lines = [
        f"{one.size_bytes:>12}  {one.path}" + (f"  ({one.left_out} lines left out)" if one.left_out else "")
        for one in rows
    ]
    return "\n".join((*lines, f"{size:>12}  packed", "")).encode("utf-8", "backslashreplace")


def _progress(step: str) -> None:
    """Tell a person at a terminal what takes its time."""
    if sys.stderr is not None and sys.stderr.isatty():
        click.echo(f"\r\033[K{step}" + (" ..." if step and not step.endswith("\n") else ""), err=True, nl=False)
