"""Writes docs/coverage.md: each row of the founding documents and what covers it, made from data alone.

Usage: `python tests/coverage_document.py > docs/coverage.md`. Ends with 1, naming it, where an entry is of nothing.
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from nodediag.checks import CHECKS
from nodediag.facts.snapshot import Facts
from nodediag.model.report import Node, Report
from nodediag.profiles import issues
from nodediag.profiles.load import builtin, parse
from nodediag.profiles.profile import ProfileFile

ROOT: Final = Path(__file__).parent.parent
HEAD: Final = """\
# What covers each row of Google's documents

Written by `python tests/coverage_document.py` from the profiles, the known issues and [coverage.toml](coverage.toml); a
test keeps it current. The rows are the facts of "Node images" (GKE) and "Container-Optimized OS overview" that a
diagnosis can use. Each is broken in a story of [tests/scenarios](../tests/scenarios/README.md), and kept in one.
"""


STORIES: Final = ROOT / "tests/scenarios/stories"
ONLY_OPEN: Final = frozenset({"image.identified"})  # what it does not find it leaves open
ISSUES: Final = issues.merge(issues.builtin())
NAMED: Final[dict[str, set[str]]] = {
    "check": {check.id for check in CHECKS},
    "fact": set(Facts.__struct_fields__),
    "issue": {issue.id for issue in ISSUES},
    "profile": set(ProfileFile.__struct_fields__),
    "report": {*Report.__struct_fields__, *(f"node.{name}" for name in Node.__struct_fields__)},
}


class Stories(msgspec.Struct, forbid_unknown_fields=True):
    """Where a row is broken, and where it is kept: `STORY CHECK`, and of what fails its subject."""

    fails: str
    passes: str


class CoverageFile(msgspec.Struct, forbid_unknown_fields=True):
    """What docs/coverage.toml holds."""

    rows: dict[str, str]
    by: dict[str, list[str]]
    stories: dict[str, Stories]


def requirements(profile: ProfileFile) -> Iterator[tuple[str, str]]:
    """Give the row and the key of each requirement of a file that names one."""
    named = [(rule.document, f"paths.{path}") for path, rule in profile.paths.items()]
    named += [(rule.document, f"storage.{name}") for name, rule in profile.storage.items()]
    named += [(profile.root.document, "root")] if profile.root else []
    yield from ((row, key) for row, key in named if row)


def found() -> dict[str, list[str]]:
    """Give what the data itself says of the rows."""
    asking: dict[tuple[str, str], list[str]] = {}
    for profile in (parse(file, text) for file, text in builtin().items()):
        for row, key in requirements(profile):
            asking.setdefault((row, key), []).append(profile.name)
    covering: dict[str, list[str]] = {}
    for (row, key), names in asking.items():
        covering.setdefault(row, []).append(f"requirement `{key}` of {', '.join(names)}")
    for issue in ISSUES:
        if issue.document:
            covering.setdefault(issue.document, []).append(f"known issue `{issue.id}`")
    return covering


def exists(entry: str) -> bool:
    """Tell whether what an entry names is there."""
    kind, _, name = entry.partition(" ")
    if kind == "test":
        return (ROOT / name).is_file()
    return name in NAMED.get(kind, ())


def expected(story: str) -> list[dict[str, list[str]]]:
    """Give what each case of a story must come to; none where there is no such story."""
    path = STORIES / f"{story}.toml"
    told = tomllib.loads(path.read_text()) if path.is_file() else {"expect": {}}
    return [case["expect"] for case in (told, *told.get("twin", ()))]


def shown(data: CoverageFile) -> Iterator[str]:
    """Name the rows that no story breaks, or none keeps, by a check that covers them."""
    for row in data.rows:
        if row not in data.stories:
            yield f"stories.{row}: there is none"
            continue
        breaking, _, failed = data.stories[row].fails.partition(" ")
        keeping, _, passed = data.stories[row].passes.partition(" ")
        if failed.partition(" ")[0] != passed or f"check {passed}" not in data.by.get(row, ()):
            yield f"stories.{row}: {passed!r} is not the check that fails, or none that covers the row"
        if not any(
            any(f"{told} ".startswith(f"{failed} ") for told in case.get("failed", ()))
            or (failed in ONLY_OPEN and failed in case.get("unknown", ()))
            for case in expected(breaking)
        ):
            yield f"stories.{row}: in no case of {breaking!r} fails {failed!r}"
        if not any(passed in case.get("passed", ()) for case in expected(keeping)):
            yield f"stories.{row}: no case of {keeping!r} says that {passed!r} passes"


def mistakes(data: CoverageFile, covering: dict[str, list[str]]) -> list[str]:
    """Name what is wrong: entries that cover nothing, and rows that there are none of."""
    wrong = [f"by.{row}: there is no {entry!r}" for row, by in data.by.items() for entry in by if not exists(entry)]
    wrong += [f"there is no row {row}" for row in {**data.by, **data.stories, **covering} if row not in data.rows]
    return wrong + list(shown(data))


def document(data: CoverageFile, covering: dict[str, list[str]]) -> str:
    """Write the document."""
    lines, open_rows = [], []
    for row, says in data.rows.items():
        by = [f"{kind} `{name}`" for kind, _, name in (entry.partition(" ") for entry in data.by.get(row, []))]
        by += covering.get(row, [])
        open_rows += [] if by else [row]
        where = data.stories[row]
        told = f"`{where.fails.partition(' ')[0]}` | `{where.passes.partition(' ')[0]}`"
        lines.append(f"| {row} | {says} | {'; '.join(by) or '**open**'} | {told} |")
    covered = f"{len(data.rows) - len(open_rows)} of {len(data.rows)} rows are covered"
    left = f"; open are {', '.join(open_rows)}." if open_rows else "."
    return (
        "\n".join(
            (
                HEAD,
                covered + left,
                "",
                "| row | says | covered by | broken in | kept in |",
                "|---|---|---|---|---|",
                *lines,
            )
        )
        + "\n"
    )


def read() -> CoverageFile:
    """Read docs/coverage.toml."""
    return msgspec.convert(tomllib.loads((ROOT / "docs/coverage.toml").read_text()), CoverageFile)


def main() -> int:
    """Write it to standard output, unless something is wrong."""
    data = read()
    covering = found()
    wrong = mistakes(data, covering)
    if wrong:
        sys.stderr.write("\n".join(wrong) + "\n")
        return 1
    sys.stdout.write(document(data, covering))
    return 0


if __name__ == "__main__":
    sys.exit(main())
