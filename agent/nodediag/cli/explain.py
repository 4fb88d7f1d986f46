"""nodediag explain."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from nodediag.errors import Exit, UsageError
from nodediag.host import own, package

if TYPE_CHECKING:
    from nodediag.checks.check import Check
    from nodediag.signatures.signature import Signature


@click.command("explain")
@click.argument("identity", metavar="[ID]", default="")
@click.option("--signatures", "listed", is_flag=True, help="Without ID, list the signatures of logs, not the checks.")
def command(identity: str, *, listed: bool) -> int:
    """Tell what a check or a signature looks for, why it matters, what it needs, what to do. Without ID, list all."""
    from nodediag.checks import CHECKS  # noqa: PLC0415 - `--help` need not load them

    if not identity:
        pairs = _signatures() if listed else CHECKS
        width = max(len(one.id) for one in pairs)
        text = "\n".join(f"{one.id:<{width}}  {one.title}" for one in pairs)
    else:
        check = next((check for check in CHECKS if check.id == identity), None)
        text = "\n".join(_of_check(check) if check is not None else _of_signature(identity))
    own.write_stdout(text.encode() + b"\n")
    return Exit.OK


def _of_check(check: "Check") -> Iterator[str]:
    from nodediag.profiles.load import Catalogue, builtin  # noqa: PLC0415 - only `explain` of one needs them

    yield f"{check.id}\n"
    yield f"Good state: {check.title}.\n"
    yield f"Why: {check.about}\n"
    yield f"Needs: {check.needs}."
    essential = [profile.name for profile in Catalogue(builtin()).all() if check.id in profile.essential]
    if essential:
        yield f"\nEssential in: {', '.join(essential)}."


def _of_signature(identity: str) -> Iterator[str]:
    """Tell of a signature; raises UsageError where there is none of that name."""
    one = next((one for one in _signatures() if one.id == identity), None)
    if one is None:
        raise UsageError(f"no check or signature is named {identity!r}; `nodediag explain [--signatures]` lists them")
    yield f"{one.id}, {one.severity.value}, of the condition {one.condition}\n"
    yield f"Tells: {one.title}.\n"
    if one.minimum > 1:
        yield f"Counts from {one.minimum} times within {one.window} on; until then it is only info.\n"
    for family, severity in one.on_image.items():
        yield f"On {family.value} it is {severity.value}.\n"
    yield f"Cause: {one.cause}.\n"
    yield f"Do: {one.remedy}.\n"
    yield f"In: {', '.join(one.units) or 'any unit'}; such as:\n"
    yield from (f"  {sample}" for sample in one.samples)
    yield f"\nSource: {one.source}."


def _signatures() -> tuple["Signature", ...]:
    from nodediag.signatures.load import merge  # noqa: PLC0415 - only who asks for one pays

    return merge(package.texts("signatures/data"))
