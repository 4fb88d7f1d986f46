"""What the documents show is what the program prints."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from nodediag.checks import CHECKS
from nodediag.cli.main import _VERBS
from tests import coverage_document

ROOT = Path(__file__).parent.parent
CLOUD = "layout-d6-cloud-on-disk mounts.persistence"
README = (ROOT / "README.md").read_text()
NODE = ROOT / "tests/nodes/cos-gce-2025-tmp-overmounted/root"


def test_the_report_in_the_readme_is_the_one_of_that_node(tmp_path: Path) -> None:
    (tmp_path / "saved").symlink_to(NODE)
    command = [sys.executable, "-I", "-m", "nodediag", "report", "--root", "saved", "--format", "text"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert shown.replace(f"uid {os.geteuid()}", "uid 0") in README


def test_the_readme_names_every_verb() -> None:
    assert [verb for verb in _VERBS if f"nodediag {verb}" not in README] == []


def test_the_changelog_names_every_check() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert [check.id for check in CHECKS if f"`{check.id}`" not in changelog] == []


def test_links_between_documents_lead_somewhere() -> None:
    for document in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_what_covers_each_row_of_the_documents_is_current() -> None:
    command = [sys.executable, "-I", str(ROOT / "tests/coverage_document.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == (ROOT / "docs/coverage.md").read_text(), "run tests/coverage_document.py"


@pytest.mark.parametrize(
    ("row", "fails", "passes", "words"),
    [
        ("D6", f"{CLOUD} path:/var", CLOUD, "path:/var'"),
        ("D6", "layout-d7-etc-on-disk mounts.persistence path:/var/lib/cloud", CLOUD, "in no case"),
        ("D6", "no-such-story mounts.persistence", CLOUD, "'no-such-story'"),
        ("D6", CLOUD, "layout-d6-cloud-on-disk mounts.executable", "not the check"),
        ("D6", CLOUD, "layout-d9-local-ssds mounts.persistence", "no case of"),
        ("E1", CLOUD, CLOUD, "covers the row"),
    ],
)
def test_a_row_that_no_story_breaks_or_keeps_is_named(row: str, fails: str, passes: str, words: str) -> None:
    data = coverage_document.read()
    assert list(coverage_document.shown(data)) == []
    data.stories[row] = coverage_document.Stories(fails=fails, passes=passes)
    said, *_ = coverage_document.shown(data)
    assert said.startswith(f"stories.{row}: ")
    assert words in said
    del data.stories[row]
    assert list(coverage_document.shown(data)) == [f"stories.{row}: there is none"]


def test_what_is_told_of_each_check_is_current() -> None:
    command = [sys.executable, "-I", str(ROOT / "tests/checks_document.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "docs/checks.md").read_text(), "run tests/checks_document.py > docs/checks.md"


def test_every_row_stands_in_the_list_of_rows_and_in_that_of_what_covers_it() -> None:
    lists = tomllib.loads((ROOT / "docs/coverage.toml").read_text())
    assert list(lists["rows"]) == list(lists["by"])
    assert list(lists["rows"]) == list(lists["stories"])
    numbers = {"A": range(1, 11), "B": range(1, 8), "C": range(1, 2), "D": range(10), "E": range(1, 11)}
    numbers |= {"F": range(1, 3), "G": range(1, 2), "H": range(1, 3)}
    assert set(lists["rows"]) == {f"{letter}{number}" for letter, all_ in numbers.items() for number in all_}
