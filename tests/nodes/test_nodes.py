"""Whole nodes: a folder of files each, and the report that must come of it, key by key.

`pytest tests/nodes --refresh-goldens` writes the reports anew; they are reviewed by eye.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import jsonschema
import msgspec
import pytest

from nodediag.cli.schema import text as schema
from nodediag.diagnose import diagnose
from nodediag.facts.snapshot import Facts
from nodediag.host.host import Host, Seen, Source, Taken
from nodediag.host.live import LiveSource
from nodediag.host.origin import open_host
from nodediag.host.package import texts
from nodediag.host.redacting import RedactingSource
from nodediag.host.tree import TreeSource
from nodediag.logs.node import ReadLogs, not_asked
from nodediag.logs.window import Window
from nodediag.model.outcome import CheckResult
from nodediag.model.report import Origin, Report, Tool
from nodediag.model.request import Request
from nodediag.profiles import issues
from nodediag.profiles.load import Catalogue, builtin
from nodediag.render import as_json, as_markdown, as_text

HERE: Final = Path(__file__).parent
NODES: Final = sorted(path.parent for path in HERE.glob("*/ORIGIN.md"))
MOST_BYTES: Final = 200_000
WIDTH: Final = 80

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


def report_of(node: Path, now: datetime) -> Report[Facts]:
    """Diagnose a folder; what differs between machines, releases and runs is made the same."""
    opened = open_host(str(node / "root"), budget_s=30)
    try:
        logs = ReadLogs(
            opened.folder, texts("signatures/data"), Window(now=now, since="24h"), budget_s=30, saved=Taken()
        )
        report = diagnose(opened.host, logs, Catalogue(builtin(), issues=issues.builtin()), Request(), now)
        logs.close()
    finally:
        opened.close()
    profile = msgspec.structs.replace(report.profile, digest="") if report.profile else report.profile
    return msgspec.structs.replace(
        report,
        tool=Tool(version="", data_digest=""),
        view=msgspec.structs.replace(report.view, root="/node", uid=0),
        profile=profile,
        duration_ms={},
    )


@pytest.fixture(params=NODES, ids=lambda path: path.name)
def node(request: pytest.FixtureRequest) -> Iterator[Path]:
    path: Path = request.param
    yield path
    size = sum(file.stat().st_size for file in (path / "root").rglob("*") if file.is_file())
    assert size < MOST_BYTES, "a fixture is small"


def test_a_node_gets_the_report_on_record(node: Path, refresh: bool, now: datetime) -> None:  # noqa: FBT001 - a fixture
    made = as_json.render(report_of(node, now))
    golden = node / "report.json"
    if refresh:
        golden.write_bytes(made)
    told: dict[str, Json] = json.loads(made)
    kept: dict[str, Json] = json.loads(golden.read_bytes())
    assert list(told) == list(kept)
    assert differences(told, kept, "") == []


def differences(told: Json, kept: Json, place: str) -> list[str]:
    """Name each place where two documents differ, for a failure that can be read."""
    if isinstance(told, dict) and isinstance(kept, dict):
        names = dict.fromkeys((*told, *kept))
        return [one for name in names for one in differences(told.get(name), kept.get(name), f"{place}.{name}")]
    if isinstance(told, list) and isinstance(kept, list) and len(told) == len(kept):
        pairs = enumerate(zip(told, kept, strict=True))
        return [one for index, (new, old) in pairs for one in differences(new, old, f"{place}[{index}]")]
    return [] if told == kept else [f"{place}: now {told!r}, on record {kept!r}"]


def test_a_report_on_record_keeps_to_the_schema(node: Path, refresh: bool) -> None:  # noqa: FBT001 - a fixture
    if refresh:
        pytest.skip("it is being written")
    validator = jsonschema.Draft202012Validator(json.loads(schema("report")))
    golden = json.loads((node / "report.json").read_bytes())
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(golden)] == []


def test_a_report_for_a_person_fits_a_terminal(node: Path, now: datetime) -> None:
    lines = as_text.render(report_of(node, now), colour=False).decode().split("\n")
    assert [line for line in lines if len(line) > WIDTH] == []
    assert [line for line in lines if not line.isprintable()] == []


def test_a_node_gets_the_markdown_on_record(node: Path, refresh: bool, now: datetime) -> None:  # noqa: FBT001 - a fixture
    made = as_markdown.render(report_of(node, now)).decode()
    golden = node / "report.md"
    if refresh:
        golden.write_text(made)
    assert made.splitlines() == golden.read_text().splitlines()


def test_masking_its_secrets_twice_changes_nothing_that_is_said_of_a_node(node: Path, now: datetime) -> None:
    def said(source: Source) -> list[CheckResult]:
        host = Host(source, Seen(origin=Origin.TREE, root="/node", uid=0))
        catalogue = Catalogue(builtin(), issues=issues.builtin())
        return list(diagnose(host, not_asked(Window(now=now)), catalogue, Request(logs=False), now).checks)

    files = TreeSource(LiveSource(str(node / "root")))
    assert said(RedactingSource(RedactingSource(files))) == said(files)


def test_each_node_says_where_it_is_from(refresh: bool) -> None:  # noqa: FBT001 - a fixture
    folders = {path for path in HERE.iterdir() if path.is_dir() and not path.name.startswith("__")}
    assert folders == set(NODES)
    assert refresh or all((path / "report.json").is_file() for path in NODES)
