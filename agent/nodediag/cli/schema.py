"""nodediag schema."""

from typing import Final

import click
import msgspec

from nodediag.errors import Exit
from nodediag.host import own

WHAT: Final = ("report", "profile", "signature", "issue", "watch", "diff")


@click.command("schema", short_help="Print JSON Schemas.")
@click.argument("what", type=click.Choice(WHAT), default="report")
def command(what: str) -> int:
    """Print the JSON Schema of the report, of a file of profiles, signatures or issues, of `watch` or `diff`."""
    own.write_stdout(text(what))
    return Exit.OK


def text(what: str) -> bytes:
    """Make a schema from the types themselves."""
    if what == "profile":
        from nodediag.profiles.profile import ProfileFile  # noqa: PLC0415 - only the one that is asked for

        schema = msgspec.json.schema(ProfileFile)
    elif what == "watch":
        from nodediag.watch.sinks import Line  # noqa: PLC0415 - as above

        schema = msgspec.json.schema(Line)
    elif what == "diff":
        from nodediag.model.differences import Difference  # noqa: PLC0415 - as above

        schema = msgspec.json.schema(Difference)
    elif what == "signature":
        from nodediag.signatures.signature import SignatureFile  # noqa: PLC0415 - as above

        schema = msgspec.json.schema(SignatureFile)
    elif what == "issue":
        from nodediag.profiles.issue import IssueFile  # noqa: PLC0415 - as above

        schema = msgspec.json.schema(IssueFile)
    else:
        from nodediag.facts.snapshot import Facts  # noqa: PLC0415 - as above
        from nodediag.model.report import Report  # noqa: PLC0415 - as above

        schema = msgspec.json.schema(Report[Facts])
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"
