"""nodediag report."""

from typing import TYPE_CHECKING

import click

from nodediag.cli.look import look
from nodediag.cli.options import (
    FORMATS,
    collected,
    format_option,
    node_options,
    now,
    output_option,
    wants_colour,
    wants_text,
)
from nodediag.cli.pseudonyms import anonymise_option, anonymiser, key_of
from nodediag.errors import Exit, UsageError
from nodediag.host import own
from nodediag.model.outcome import Severity, Verdict

if TYPE_CHECKING:
    from nodediag.facts.snapshot import Facts
    from nodediag.model.report import Report


@click.command("report", short_help="Collect, check, print: is this node what its image says?")
@node_options
@format_option(FORMATS)
@output_option
@click.option(
    "--fail-on", type=click.Choice(("critical", "warning", "never")), default="critical", show_default=True,
    help="End with 1 from this severity on; `never` ends with 0 once a report is written.",
)  # fmt: skip
@anonymise_option
def command(form: str | None, output: str, fail_on: str, anonymise: str | None, **node: object) -> int:
    """Collect, check, print: is this node what its image says it should be?

    Ends with 0, or 1 when a problem reaches --fail-on, 3 when the verdict is unknown, 2 for bad usage, 4 when nodediag
    itself failed.
    """
    options = collected(node)
    if anonymise is not None and options.record is not None:
        raise UsageError("--anonymise with --record: a recording holds the node's own names and addresses")
    key = key_of(anonymise)
    report = look(options, now())
    if key is not None:
        report = anonymiser(report, key).record(report)
    data = _rendered(report, "text" if wants_text(form, output) else form or "json", output)
    own.write_output(output, data)
    counted = {problem.severity for check in report.checks for problem in check.problems if problem.counts}
    return status(report.verdict, counted, fail_on)


def _rendered(report: "Report[Facts]", form: str, output: str) -> bytes:
    """Give the report in a format; no other renderer is loaded."""
    if form == "text":
        from nodediag.render import as_text  # noqa: PLC0415 - only the one that is asked for

        return as_text.render(report, colour=wants_colour(output))
    if form == "markdown":
        from nodediag.render import as_markdown  # noqa: PLC0415 - as above

        return as_markdown.render(report)
    if form == "html":
        from nodediag.render import as_html  # noqa: PLC0415 - as above

        return as_html.render(report)
    if form == "openmetrics":
        from nodediag.render import as_openmetrics  # noqa: PLC0415 - as above

        return as_openmetrics.render(report)
    from nodediag.render import as_json  # noqa: PLC0415 - as above

    return as_json.render(report)


def status(verdict: Verdict, severities: set[Severity], fail_on: str) -> Exit:
    """Give the exit status of a report that was written."""
    if fail_on == "never":
        return Exit.OK
    counted = {Severity.CRITICAL} if fail_on == "critical" else {Severity.CRITICAL, Severity.WARNING}
    if severities & counted:
        return Exit.PROBLEM
    return Exit.UNKNOWN if verdict is Verdict.UNKNOWN else Exit.OK
