"""nodediag logs."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click
import msgspec

from nodediag.cli.options import is_terminal, now, output_option
from nodediag.errors import Exit
from nodediag.host import own, package
from nodediag.host.stream import chunks
from nodediag.model.image import OsFamily
from nodediag.model.outcome import Severity

if TYPE_CHECKING:
    from nodediag.logs.matcher import Matcher
    from nodediag.model.logs import LogResult

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Options(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    signatures: str | None
    since: str | None
    until: str | None
    family: OsFamily
    form: str | None
    output: str


@click.command("logs")
@click.option("--input", "source", metavar="FILE|-", required=True, help="`journalctl -o json` lines, plain or .gz.")
@click.option("--signatures", metavar="FILE", help="Signatures of your own, beside those of this release.")
@click.option("--since", metavar="WHEN", help="From then on: 24h, 2026-11-21, yesterday. Default: all of the input.")
@click.option("--until", metavar="WHEN", help="Up to then.")
@click.option("--os", "family", type=click.Choice(("cos", "ubuntu", "other")), default="other", help="Of which system.")
@click.option("--format", "form", type=click.Choice(("json", "text")), help="Default: text on a terminal, else json.")
@output_option
def command(**given: object) -> int:
    """Name the failures that logs tell of. Ends with 1 when a critical one is among them."""
    from nodediag.journal.journal import Query  # noqa: PLC0415 - `--help` need not load them
    from nodediag.journal.saved import SavedJournal  # noqa: PLC0415 - as above
    from nodediag.logs.scan import Scan  # noqa: PLC0415 - as above
    from nodediag.logs.window import moment  # noqa: PLC0415 - as above
    from nodediag.render import logs as shown  # noqa: PLC0415 - as above

    options = msgspec.convert(given, _Options)
    journal = SavedJournal(chunks("--input", options.source), options.source)
    end = moment("--until", options.until, now()) if options.until else (journal.newest() or now())
    start = moment("--since", options.since, end) if options.since else _BEGINNING
    query = Query(units=journal.units(), since=start, until=end)
    result = Scan(_matcher(options.signatures), options.family).run(journal, query)
    to_terminal = options.output == "-" and is_terminal()
    as_text = (options.form or ("text" if to_terminal else "json")) == "text"
    own.write_output(options.output, shown.as_text(result) if as_text else shown.as_json(result))
    return _status(result)


def _matcher(signatures: str | None) -> "Matcher":
    from nodediag.logs.matcher import Matcher  # noqa: PLC0415 - as above
    from nodediag.signatures.load import merge  # noqa: PLC0415 - as above

    texts = package.texts("signatures/data")
    if signatures is not None:
        texts |= {signatures: own.read_text("--signatures", signatures)}
    return Matcher(merge(texts))


def _status(result: "LogResult") -> Exit:
    critical = any(finding.severity is Severity.CRITICAL for finding in result.signatures)
    return Exit.PROBLEM if critical else Exit.OK
