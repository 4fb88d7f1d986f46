"""nodediag facts."""

import click

from nodediag.cli.look import look
from nodediag.cli.options import collected, node_options, now, output_option
from nodediag.errors import Exit
from nodediag.host import own


@click.command("facts", short_help="Print what is, without a word on what should be, as JSON.")
@node_options
@output_option
def command(output: str, **node: object) -> int:
    """Print the facts alone, as JSON: what is, without a word on what should be."""
    report = look(collected(node), now())
    from nodediag.render import as_json  # noqa: PLC0415 - loaded while the node answers

    own.write_output(output, as_json.encode_facts(report))
    return Exit.OK
