"""nodediag logs."""

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import click
import msgspec

from nodediag.cli.options import format_option, now, output_option, span, wants_text
from nodediag.errors import Exit, ParseError, ReadError, UsageError
from nodediag.host import own, package
from nodediag.host.host import Host
from nodediag.host.stream import chunks
from nodediag.model.image import OsFamily
from nodediag.model.outcome import Severity
from nodediag.model.reason import BlindSpot

if TYPE_CHECKING:
    from nodediag.model.logs import LogResult

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    source: str | None
    root: str | None
    signatures: str | None
    since: str | None
    until: str | None
    boot: str | None
    family: OsFamily | None
    timeout: float
    form: str | None
    output: str


@click.command("logs")
@click.option("--input", "source", metavar="FILE|-", help="`journalctl -o json` lines, plain or .gz, not a node.")
@click.option("--root", metavar="PATH", help="The node whose journal is read. Default: found by itself.")
@click.option("--signatures", metavar="FILE", help="Signatures of your own, beside those of this release.")
@click.option("--since", metavar="WHEN", help="From then on: 24h, a date, yesterday. Default: 24h, or all of --input.")
@click.option("--until", metavar="WHEN", help="Up to then. Default: now, or the end of --input.")
@click.option(
    "--boot", metavar="N|ID", help="One boot, all of it: 0 the last, -1 the one before, 1 the first, or an id."
)
@click.option("--os", "family", type=click.Choice(("cos", "ubuntu", "other")), help="Whose. Default: the node's.")
@click.option("--timeout", callback=span, default="60s", show_default=True, metavar="SPAN", help="For the whole run.")
@format_option
@output_option
def command(**given: object) -> int:
    """Name the failures that logs tell of. Ends with 1 when a critical one is among them, 3 when none could be read."""
    options = msgspec.convert(given, _Options)
    result = _of_node(options) if options.source is None else _of_input(options, options.source)
    from nodediag.render import logs as shown  # noqa: PLC0415 - `--help` need not load it

    as_text = wants_text(options.form, options.output)
    own.write_output(options.output, shown.as_text(result) if as_text else shown.as_json(result))
    return _status(result)


def _of_input(options: _Options, source: str) -> "LogResult":
    """Judge saved lines; the newest of them is the time at which they were looked at."""
    from nodediag.journal.journal import Query  # noqa: PLC0415 - `--help` need not load them
    from nodediag.journal.saved import SavedJournal  # noqa: PLC0415 - as above
    from nodediag.logs.collect import scan  # noqa: PLC0415 - as above
    from nodediag.logs.matcher import Matcher  # noqa: PLC0415 - as above
    from nodediag.logs.window import moment  # noqa: PLC0415 - as above
    from nodediag.signatures.load import merge  # noqa: PLC0415 - as above

    if options.root is not None:
        raise UsageError("--input and --root exclude each other: lines, or a node")
    boot = _boot(options)
    matcher = Matcher(merge(_signatures(options.signatures)))
    journal = SavedJournal(chunks("--input", source), source)
    end = moment("--until", options.until, now()) if options.until else (journal.newest() or now())
    start = moment("--since", options.since, end) if options.since else _BEGINNING
    query = Query(units=journal.units(), since=start, until=end, boot=boot)
    return scan(journal, matcher, options.family or OsFamily.OTHER, query)


def _of_node(options: _Options) -> "LogResult":
    """Judge the journal of a node, read in a child."""
    from nodediag.host.origin import open_host  # noqa: PLC0415 - `--help` need not load them
    from nodediag.host.work import in_child  # noqa: PLC0415 - as above
    from nodediag.journal.journal import Query  # noqa: PLC0415 - as above
    from nodediag.logs import collect, units  # noqa: PLC0415 - as above
    from nodediag.logs.matcher import Matcher  # noqa: PLC0415 - as above
    from nodediag.logs.window import moment  # noqa: PLC0415 - as above
    from nodediag.model.logs import LogResult  # noqa: PLC0415 - as above
    from nodediag.signatures.load import merge  # noqa: PLC0415 - as above

    own.be_gentle()
    signatures = _signatures(options.signatures)
    if options.signatures is not None:
        Matcher(merge(signatures))  # a mistake in one's own is told here, not by the child
    end = moment("--until", options.until, now()) if options.until else now()
    boot = _boot(options)
    start = _BEGINNING if boot and not options.since else moment("--since", options.since or "24h", end)
    query = Query(units=units.UNITS, since=start, until=end, boot=boot)
    opened = open_host(options.root, budget_s=options.timeout)
    try:
        family = options.family or _family(opened.host)
        work = partial(collect.scan_files, opened.folder, signatures, family, query, options.timeout)
        return collect.unpack(in_child("the journal", work, budget_s=options.timeout))
    except ReadError as error:
        return LogResult.unread(query.since, query.until, (BlindSpot(what="the journal", reason=error.reason),))
    finally:
        opened.close()


def _boot(options: _Options) -> str:
    from nodediag.journal.reach import boot  # noqa: PLC0415 - `--help` need not load it

    return boot("--boot", options.boot) if options.boot else ""


def _family(host: Host) -> OsFamily:
    """Tell the system by its os-release alone: the same words may mean another thing on COS."""
    from nodediag.facts import os_release  # noqa: PLC0415 - `--help` need not load it

    try:
        named = os_release.collect(host).id
    except (ReadError, ParseError):
        return OsFamily.OTHER
    return OsFamily(named) if named in {"cos", "ubuntu"} else OsFamily.OTHER


def _signatures(file: str | None) -> dict[str, str]:
    """Give the texts of this release's signatures, and of one's own."""
    texts = package.texts("signatures/data")
    if file is not None:
        texts[file] = own.read_text("--signatures", file)
    return texts


def _status(result: "LogResult") -> Exit:
    if not result.entries:  # a journal that says nothing is not known to be a healthy one's
        return Exit.UNKNOWN
    critical = any(finding.severity is Severity.CRITICAL for finding in result.signatures)
    return Exit.PROBLEM if critical else Exit.OK
