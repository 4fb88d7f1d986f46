"""The guides name commands, files and pages that there are."""

import re
from pathlib import Path

import pytest

from tests.guides import GUIDES

ROOT = Path(__file__).parent.parent.parent
PAGES = tuple(f"docs/{guide}.md" for guide in GUIDES)
VERSION = re.findall(r'__version__ = "(.+)"', (ROOT / "agent/nodediag/__init__.py").read_text())[0]


@pytest.mark.parametrize("guide", PAGES)
def test_what_a_guide_names_is_there(guide: str) -> None:
    text = (ROOT / guide).read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b", text)) <= targets
    assert [path for path in re.findall(r"(?:packaging|docker)/[\w/-]+", text) if not (ROOT / path).exists()] == []
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert set(re.findall(r"nodediag[\w-]*[:_](\d+\.\d+\.\d+)", text)) <= {VERSION}


@pytest.mark.parametrize("guide", PAGES)
def test_the_readme_leads_to_every_guide(guide: str) -> None:
    assert f"]({guide})" in (ROOT / "README.md").read_text()
