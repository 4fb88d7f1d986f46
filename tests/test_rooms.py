"""The rules of the house that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

import nodediag
from nodediag.checks import CHECKS
from nodediag.checks.check import Check

ROOT = Path(__file__).parent.parent
SOURCE = Path(nodediag.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MACHINE = {"os", "pathlib", "subprocess", "socket", "shutil", "tempfile", "glob", "psutil", "ctypes", "fcntl", "select"}
PLACES = {
    "yaml": ["host/yaml_text.py"],
    "jeepney": ["host/dbus.py"],
    "psutil": ["host/processes.py"],
    "re2": ["bundle/rescan.py", "logs/matcher.py", "redact.py"],
    "structlog": ["log.py"],
    "systemd": ["journal/native.py"],
}
LONGEST = 500
IDS = re.compile(r"[a-z]+(\.[a-z0-9-]+)+")
ADDRESSES = re.compile(r"--(extra-)?index-url|--find-links|https?://|file://")


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_only_the_host_room_touches_the_machine(file: Path) -> None:
    room = file.relative_to(SOURCE).parts[0]
    if room == "host":
        return
    assert not imported(file) & MACHINE
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "open"]


@pytest.mark.parametrize(("package", "places"), PLACES.items())
def test_each_package_has_its_place(package: str, places: list[str]) -> None:
    assert [str(file.relative_to(SOURCE)) for file in FILES if package in imported(file)] == places


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_file_is_too_long_to_read(file: Path) -> None:
    assert len(file.read_text().splitlines()) < LONGEST


def test_every_check_that_is_defined_is_listed() -> None:
    defined = re.findall(
        r'^@check\(\s*"([^"]+)"', "\n".join(f.read_text() for f in (SOURCE / "checks").glob("*.py")), re.MULTILINE
    )
    assert sorted(defined) == sorted(check.id for check in CHECKS)


def test_check_ids_are_well_formed_and_unique() -> None:
    ids = [check.id for check in CHECKS]
    assert len(set(ids)) == len(ids)
    assert [identity for identity in ids if not IDS.fullmatch(identity)] == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_says_what_is_good_why_it_matters_and_what_it_needs(check: Check) -> None:
    assert check.title
    assert check.about
    assert check.needs


def test_no_lock_file_names_an_index() -> None:
    for lock in ROOT.glob("*.lock"):
        assert not ADDRESSES.search(lock.read_text()), lock.name
