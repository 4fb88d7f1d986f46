"""nodediag report."""

from typing import TYPE_CHECKING, Final

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
from nodediag.errors import Exit, UsageError
from nodediag.host import own
from nodediag.model.outcome import Severity, Verdict

KEY_BYTES: Final = 32

if TYPE_CHECKING:
    from nodediag.facts.snapshot import Facts
    from nodediag.model.report import Report


@click.command("report")
@node_options
@format_option(FORMATS)
@output_option
@click.option(
    "--fail-on", type=click.Choice(("critical", "warning", "never")), default="critical", show_default=True,
    help="End with 1 from this severity on; `never` ends with 0 once a report is written.",
)  # fmt: skip
@click.option(
    "--anonymise", metavar="KEYFILE",
    help="Put pseudonyms for addresses and names, by this key: made where there is none.",
)  # fmt: skip
def command(form: str | None, output: str, fail_on: str, anonymise: str | None, **node: object) -> int:
    """Collect, check, print: is this node what its image says it should be?

    Ends with 0, or 1 when a problem reaches --fail-on, 3 when the verdict is unknown, 2 for bad usage, 4 when nodediag
    itself failed.
    """
    options = collected(node)
    if anonymise is not None and options.record is not None:
        raise UsageError("--anonymise with --record: a recording holds the node's own names and addresses")
    key = own.secret("--anonymise", anonymise, KEY_BYTES) if anonymise is not None else None
    report = look(options, now())
    if key is not None:
        report = _with_pseudonyms(report, key)
    data = _rendered(report, "text" if wants_text(form, output) else form or "json", output)
    own.write_output(output, data)
    counted = {problem.severity for check in report.checks for problem in check.problems if problem.counts}
    return status(report.verdict, counted, fail_on)


def _with_pseudonyms(report: "Report[Facts]", key: bytes) -> "Report[Facts]":
    """Give the report with pseudonyms for addresses and names; ids and outcomes stay."""
    from nodediag.anonymise import anonymised  # noqa: PLC0415 - only who asks for it pays

    known = {report.node.hostname: "host", report.node.name: "node"}
    return anonymised(report, key, known)


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
