"""nodediag explain."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
import msgspec

from nodediag.errors import Exit, UsageError
from nodediag.host import own, package

if TYPE_CHECKING:
    from nodediag.checks.check import Check
    from nodediag.profiles.issue import Issue
    from nodediag.signatures.signature import Signature


@click.command("explain", short_help="Tell what a check, signature or known issue is; or list them.")
@click.argument("identity", metavar="[ID]", default="")
@click.option("--signatures", "listed", is_flag=True, help="Without ID, list the signatures of logs, not the checks.")
@click.option("--issues", "known", is_flag=True, help="Without ID, list the known issues, not the checks.")
def command(identity: str, *, listed: bool, known: bool) -> int:
    """Tell what a check, a signature or a known issue is, why it matters, what it needs, what to do; or list them.

    Of a group such as `mounts` or `kubelet` its checks and signatures are listed.
    """
    from nodediag.checks import CHECKS  # noqa: PLC0415 - `--help` need not load them
    from nodediag.cli.explain_check import explain_check  # noqa: PLC0415 - as above

    if not identity:
        text = _listed(_signatures() if listed else _issues() if known else CHECKS)
    elif group := _within(identity, (*CHECKS, *_issues(), *_signatures())):
        text = _listed(group)
    else:
        check = next((check for check in CHECKS if check.id == identity), None)
        issue = next((one for one in _issues() if one.id == identity), None)
        told = explain_check(check) if check else _of_issue(issue) if issue else _of_signature(identity)
        text = "\n".join(told)
    own.write_stdout(text.encode() + b"\n")
    return Exit.OK


def _within(group: str, named: "Sequence[Check | Issue | Signature]") -> "Sequence[Check | Issue | Signature]":
    return [one for one in named if one.id.startswith(f"{group}.")]


def _listed(named: "Sequence[Check | Issue | Signature]") -> str:
    width = max(len(one.id) for one in named)
    return "\n".join(f"{one.id:<{width}}  {one.title}" for one in named)


def _of_issue(issue: "Issue") -> Iterator[str]:
    yield f"{issue.id}, {issue.severity.value}\n"
    yield f"Tells: {issue.title}.\n"
    yield f"On: {', '.join(one.value for one in issue.image_types)}."
    for kind, name in (("gke", "GKE"), ("milestone", "COS"), ("kernel", "Kernel")):
        spans = (f"{one.since or 'any'} to before {one.before or 'any later'}" for one in getattr(issue, kind))
        if text := "; ".join(spans):
            yield f"{name}: {text}."
    shown = (f"{key} {value}" for key, value in msgspec.structs.asdict(issue.shows).items() if value)
    if text := ", ".join(shown):
        yield f"The node shows: {text}."
    if issue.where:
        yield f"Only where {issue.where}."
    yield f"\nEffect: {issue.effect}.\n"
    yield f"Do: {issue.workaround}.\n"
    yield f"Source: {issue.source}." + (f" Row {issue.document} of the document." if issue.document else "")


def _of_signature(identity: str) -> Iterator[str]:
    """Tell of a signature; raises UsageError where there is none of that name."""
    one = next((one for one in _signatures() if one.id == identity), None)
    if one is None:
        raise UsageError(
            f"no check, signature or known issue is named {identity!r};"
            " `nodediag explain [--signatures|--issues]` lists them"
        )
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


def _issues() -> tuple["Issue", ...]:
    from nodediag.profiles.issues import builtin, merge  # noqa: PLC0415 - as above

    return merge(builtin())
