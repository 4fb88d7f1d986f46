"""Writes docs/checks.md: every check, what it needs and by what it judges, made from the checks and the profiles.

Usage: `python tests/checks_document.py > docs/checks.md`.
"""

import sys
import tomllib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from nodediag.checks import CHECKS
from nodediag.checks.about import About, about
from nodediag.checks.check import Check
from nodediag.facts.needs import needs
from nodediag.profiles.load import Catalogue, builtin

ROOT: Final = Path(__file__).parent.parent
HEAD: Final = """\
# Checks

Written by `python tests/checks_document.py` from the checks and the profiles of this release; a test keeps it current.
`nodediag explain ID` says the same of one. "In a pod" are paths of the node, given at their places below `/host`.
"""


def rows() -> dict[str, list[str]]:
    """Give the rows of the founding documents that each check covers, as docs/coverage.toml says."""
    covered: dict[str, list[str]] = {}
    for row, by in tomllib.loads((ROOT / "docs/coverage.toml").read_text())["by"].items():
        for entry in by:
            kind, _, name = entry.partition(" ")
            if kind == "check":
                covered.setdefault(name, []).append(row)
    return covered


def document() -> str:
    """Write the document."""
    profiles, wanted, covered = Catalogue(builtin()).all(), needs(), rows()
    lines = [HEAD, f"{len(CHECKS)} checks."]
    for name, group in groupby(CHECKS, lambda check: check.id.partition(".")[0]):
        lines += ["", f"## {name}"]
        for check in group:
            lines += ["", *_check(check, about(check, profiles, wanted), covered.get(check.id, []), len(profiles))]
    return "\n".join(lines) + "\n"


def _check(check: Check, one: About, covered: list[str], profiles: int) -> Iterator[str]:
    yield f"### `{check.id}`: {check.title}"
    yield ""
    yield " ".join(check.about.split())
    yield ""
    if one.severities:
        yield f"- Severity: {', '.join(one.severities)}"
    for rule in one.judged_by:
        where = "" if len(rule.profiles) == profiles else f" ({', '.join(rule.profiles)})"
        yield f"- `{rule.key}`{where}: {rule.says or 'asked'}. {_sentence(rule.why)}"
    for section in one.sections:
        yield f"- Judged by `{section}` of the profile"
    yield f"- Needs: {check.needs}"
    yield f"- Facts: {', '.join(f'`{name}`' for name, _ in one.facts)}"
    for what, words in (("Rights", one.rights), ("Options", one.options)):
        if words:
            yield f"- {what}: {'; '.join(words)}"
    if one.mounts:
        yield f"- In a pod: {', '.join(f'`{path}`' for path in one.mounts)}"
    if covered:
        yield f"- Rows of the documents: {', '.join(covered)}"
    if one.essential:
        yield f"- Essential in {', '.join(one.essential)}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


if __name__ == "__main__":
    sys.stdout.write(document())
