"""nodediag logs."""

from typing import TYPE_CHECKING

import click
import msgspec

from nodediag.cli.log_options import LogOptions, log_options, logs_of
from nodediag.cli.options import LOG_FORMATS, format_option, now, output_option, span, wants_text
from nodediag.errors import Exit, ParseError, ReadError, UsageError
from nodediag.host import own
from nodediag.host.host import Host
from nodediag.host.stream import chunks
from nodediag.model.image import OsFamily
from nodediag.model.outcome import Severity

if TYPE_CHECKING:
    from nodediag.model.logs import LogResult


class _Options(LogOptions, frozen=True, kw_only=True):
    source: str | None
    root: str | None
    family: OsFamily | None
    timeout: float
    form: str | None
    output: str


@click.command("logs")
@click.option("--input", "source", metavar="FILE|-", help="What journalctl printed, best with -o json; plain or .gz.")
@click.option("--root", metavar="PATH", help="The node whose journal is read. Default: found by itself.")
@log_options
@click.option("--os", "family", type=click.Choice(("cos", "ubuntu", "other")), help="Whose. Default: the node's.")
@click.option("--timeout", callback=span, default="60s", show_default=True, metavar="SPAN", help="For the whole run.")
@format_option(LOG_FORMATS)
@output_option
def command(**given: object) -> int:
    """Name the failures that logs tell of.

    Ends with 1 when one that is critical is not over, 3 when none could be read. Of --input all is read, unless
    --since says otherwise.
    """
    options = msgspec.convert(given, _Options)
    result = _of_node(options) if options.source is None else _of_input(options, options.source)
    from nodediag.render import logs as shown  # noqa: PLC0415 - `--help` need not load it

    as_text = wants_text(options.form, options.output)
    own.write_output(options.output, shown.as_text(result) if as_text else shown.as_json(result))
    return _status(result)


def _of_input(options: _Options, source: str) -> "LogResult":
    """Judge saved lines; the newest of them is the time at which they were looked at."""
    from nodediag.journal.printed import either  # noqa: PLC0415 - `--help` need not load them
    from nodediag.logs.collect import scan  # noqa: PLC0415 - as above
    from nodediag.logs.matcher import Matcher  # noqa: PLC0415 - as above
    from nodediag.signatures.load import merge  # noqa: PLC0415 - as above

    if options.root is not None:
        raise UsageError("--input and --root exclude each other: lines, or a node")
    window = options.window(now(), default="")
    matcher = Matcher(merge(options.texts()))
    journal = either(chunks("--input", source, options.timeout), source, window.now)
    query = msgspec.structs.replace(window, now=journal.newest() or window.now).query(journal.units())
    return scan(journal, matcher, query).judged(options.family or OsFamily.OTHER)


def _of_node(options: _Options) -> "LogResult":
    """Judge the journal of a node, read in a child, or give what a recording of one holds."""
    from nodediag.host.origin import open_host  # noqa: PLC0415 - `--help` need not load it

    own.be_gentle()
    texts = options.texts()
    opened = open_host(options.root, budget_s=options.timeout)
    try:
        logs = logs_of(opened, options, texts, now(), options.timeout)
        result = logs.judged(options.family or _family(opened.host))
        logs.close()
    finally:
        opened.close()
    return result


def _family(host: Host) -> OsFamily:
    """Tell the system by its os-release alone: the same words may mean another thing on COS."""
    from nodediag.facts import os_release  # noqa: PLC0415 - `--help` need not load it

    try:
        named = os_release.collect(host).id
    except (ReadError, ParseError):
        return OsFamily.OTHER
    return OsFamily(named) if named in {"cos", "ubuntu"} else OsFamily.OTHER


def _status(result: "LogResult") -> Exit:
    if not result.entries:  # a journal that says nothing is not known to be a healthy one's
        return Exit.UNKNOWN
    critical = any(finding.severity is Severity.CRITICAL and finding.active for finding in result.signatures)
    return Exit.PROBLEM if critical else Exit.OK
