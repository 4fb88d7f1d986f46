"""nodediag explain."""

import click

from nodediag.errors import Exit, UsageError
from nodediag.host import own


@click.command("explain")
@click.argument("identity", metavar="[ID]", default="")
def command(identity: str) -> int:
    """Tell what a check looks for, why it matters, and what it must be able to see. Without ID, list all."""
    from nodediag.checks import CHECKS  # noqa: PLC0415 - `--help` need not load them

    if not identity:
        width = max(len(check.id) for check in CHECKS)
        lines = [f"{check.id:<{width}}  {check.title}" for check in CHECKS]
        own.write_stdout(("\n".join(lines) + "\n").encode())
        return Exit.OK
    found = next((check for check in CHECKS if check.id == identity), None)
    if found is None:
        raise UsageError(f"no check is named {identity!r}; `nodediag explain` lists them")
    text = f"{found.id}\n\nGood state: {found.title}.\n\nWhy: {found.about}\n\nNeeds: {found.needs}.\n"
    own.write_stdout((text + _requirements(found.id)).encode())
    return Exit.OK


def _requirements(identity: str) -> str:
    """List where profiles set this check's severity or call it essential."""
    from nodediag.profiles.load import Catalogue, builtin  # noqa: PLC0415 - only `explain` of one needs them

    essential = [profile.name for profile in Catalogue(builtin()).all() if identity in profile.essential]
    return f"\nEssential in: {', '.join(essential)}.\n" if essential else ""
