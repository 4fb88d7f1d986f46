"""What `nodediag explain` says of a check: in 80 columns, for somebody who was woken for it."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nodediag.checks.about import About, JudgedBy
    from nodediag.checks.check import Check

_WIDTH: Final = 80


def explain_check(check: "Check") -> Iterator[str]:
    """Give the lines."""
    from nodediag.checks.about import about  # noqa: PLC0415 - only `explain` of one needs them
    from nodediag.facts.needs import needs  # noqa: PLC0415 - as above
    from nodediag.profiles.load import Catalogue, builtin  # noqa: PLC0415 - as above

    profiles = Catalogue(builtin()).all()
    one = about(check, profiles, needs())
    yield f"{check.id}\n"
    yield from _paragraph("Good state: ", f"{check.title}.")
    yield ""
    yield from _paragraph("Why: ", " ".join(check.about.split()))
    if one.severities:
        yield f"\nIts problems are: {', '.join(one.severities)}."
    if one.judged_by or one.sections:
        yield "\nJudged by:"
        for rule in one.judged_by:
            yield from _rule(rule, len(profiles))
        for section in one.sections:
            yield f"  {section}: see `nodediag profile show NAME`"
    remedies = dict.fromkeys(rule.remedy for rule in one.judged_by if rule.remedy)
    if remedies:
        yield "\nDo:"
        for remedy in remedies:
            yield from _paragraph("  - ", f"{remedy}.")
    yield from _needs(one)
    if one.essential:
        yield ""
        yield from _paragraph("Essential in: ", f"{', '.join(one.essential)}.")


def _rule(rule: "JudgedBy", profiles: int) -> Iterator[str]:
    names = rule.profiles
    where = "" if len(names) == profiles else f" in {', '.join(names)}"
    row = f"; row {rule.document} of the document" if rule.document else ""
    yield from _paragraph("  ", f"{rule.key}{where}: {rule.says or 'asked'}{row}")
    if rule.why:
        yield from _paragraph("    ", f"{rule.why} ({rule.source})")


def _needs(one: "About") -> Iterator[str]:
    yield ""
    yield from _paragraph("Needs: ", f"{one.check.needs}.")
    for name, fact in one.facts:
        yield from _paragraph(f"  {name}: ", fact.reads)
    yield from _paragraph("Rights: ", f"{'; '.join(one.rights)}." if one.rights else "any user may read all of it.")
    if one.mounts:
        yield from _paragraph("In a pod: ", f"{', '.join(one.mounts)} of the node, at the same place below /host.")
    if one.options:
        yield from _paragraph("Options: ", f"{'; '.join(one.options)}.")


def _paragraph(head: str, text: str) -> Iterator[str]:
    """Set a text behind its head, further lines indented to it, though no further than a few columns."""
    indent = " " * (len(head) - len(head.lstrip()) + 2)
    yield from textwrap.wrap(
        head + text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
