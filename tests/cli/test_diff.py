import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import jsonschema
import msgspec
import pytest
from markdown_it import MarkdownIt

from nodediag.cli.schema import text as schema_text
from nodediag.model.report import Report
from nodediag.render import as_json
from tests.render.conftest import (
    JOURNAL,
    MakeDiagnosis,
    MakeReport,
    diagnosed as diagnosed,  # noqa: PLC0414 - a fixture
    report_of as report_of,  # noqa: PLC0414 - a fixture
)
from tests.scenarios.story import Node

README = Path(__file__).parent.parent.parent / "README.md"
UNAME = "Linux gke-1 6.6.97+ #1 SMP Sat Aug  9 10:02:10 UTC 2025 x86_64 GNU/Linux"
NODES = Path(__file__).parent.parent / "nodes"
NODEDIAG = (sys.executable, "-I", "-m", "nodediag", "diff")


def diff(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*NODEDIAG, *map(str, arguments)], input=stdin, capture_output=True, check=False)


@pytest.fixture
def files(report_of: MakeReport, tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / f"{name}.json" for name in ("healthy", "broken", "hostile")}
    for name, file in made.items():
        file.write_bytes(as_json.render(report_of(name)))
    return made


def test_a_good_node_and_a_bad_one_differ_and_it_ends_with_one(files: dict[str, Path]) -> None:
    done = diff(files["healthy"], files["broken"])
    assert (done.returncode, done.stderr) == (1, b"")
    found = json.loads(done.stdout)
    jsonschema.validate(found, json.loads(schema_text("diff")))
    assert (found["before"]["verdict"], found["after"]["verdict"]) == ("healthy", "unhealthy")
    assert {one["check"] for one in found["problems"]["began"]} >= {"mounts.root-read-only", "logs.critical"}
    places = {one["place"]: (one["before"], one["after"]) for one in found["facts"]["differ"]}
    assert places["mounts.mounts[/var].options"] == ("rw", "ro")


def test_journals_that_were_not_read_are_named_apart_from_the_facts(files: dict[str, Path], tmp_path: Path) -> None:
    unread = json.loads(files["healthy"].read_text())
    unread["logs"]["reader"] = ""
    (tmp_path / "unread.json").write_text(json.dumps(unread))
    text = diff(files["healthy"], tmp_path / "unread.json", "--format", "text").stdout.decode()
    assert "\nNot compared\n  the journals: both must have been read\n" in text
    assert "Facts that only one saw" not in text


def test_the_example_in_the_readme_is_what_is_printed(diagnosed: MakeDiagnosis, tmp_path: Path) -> None:
    ro = ["/dev/sda1[/var] /var ext4 ro,nosuid,nodev,noexec,relatime,commit=30"]
    nodes = (Node(base="cos_containerd", mount=rows, uname=UNAME, journal=JOURNAL) for rows in ([], ro))
    healthy, sick = map(diagnosed, nodes)
    earlier = msgspec.structs.replace(healthy, observed_at=healthy.observed_at - timedelta(hours=1))
    for name, report in (("before", earlier), ("after", sick)):
        (tmp_path / f"{name}.json").write_bytes(as_json.render(report))
    command = [*NODEDIAG, "before.json", "after.json", "--format", "text"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout
    assert f"$ nodediag diff before.json after.json\n{shown}```" in README.read_text()


def test_two_looks_that_tell_the_same_end_with_zero(files: dict[str, Path]) -> None:
    done = diff(files["broken"], files["broken"], "--format", "text")
    assert done.returncode == 0
    assert done.stdout.startswith(b"The same: unhealthy\n")


@pytest.mark.parametrize("name", sorted(path.parent.name for path in NODES.glob("*/report.json")))
def test_every_report_on_record_can_be_compared(name: str, files: dict[str, Path]) -> None:
    done = diff(NODES / name / "report.json", files["healthy"])
    assert (done.returncode, done.stderr) == (1, b"")
    jsonschema.validate(json.loads(done.stdout), json.loads(schema_text("diff")))
    assert diff(NODES / name / "report.json", NODES / name / "report.json").returncode == 0


def test_the_text_says_what_began_and_fits_a_terminal(files: dict[str, Path]) -> None:
    text = diff(files["healthy"], files["broken"], "--format", "text").stdout.decode()
    assert text.startswith("HEALTHY -> UNHEALTHY\n")
    assert "\nBegan\n  critical mounts.root-read-only: / is writable; it must be read-only\n" in text
    assert "kubelet.pleg-unhealthy: 0 -> 1 times" in text
    hostile = diff(files["broken"], files["hostile"], "--format", "text").stdout.decode()
    for lines in (text.splitlines(), hostile.splitlines()):
        assert [line for line in lines if len(line) > 80 or not line.isprintable()] == []


def test_nothing_of_a_node_is_alive_in_the_markdown(files: dict[str, Path]) -> None:
    done = diff(files["healthy"], files["hostile"], "--format", "markdown")
    tokens = MarkdownIt("commonmark", {"html": True}).parse(done.stdout.decode())
    leaves = {leaf.type for token in tokens for leaf in (token.children or [token])}
    assert not leaves & {"html_inline", "html_block", "link_open", "image", "em_open", "strong_open"}


def test_one_of_the_two_can_be_standard_input(files: dict[str, Path]) -> None:
    done = diff("-", files["broken"], stdin=files["healthy"].read_bytes())
    assert done.returncode == 1
    assert json.loads(done.stdout)["before"]["file"] == "-"
    assert b"only one of the two" in diff("-", "-").stderr


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", b"not a report"),
        (b"no json", b"not a report"),
        (b"\xff\xfe{}", b"not a report"),
        (b"[]", b"not a report"),
        (b'{"schema": "nodediag.report/1"}', b"not a report"),
        (b'{"schema": "nodediag.report/7"}', b"its schema is 'nodediag.report/7', wanted 'nodediag.report/1'"),
        (b'{"schema": "nodediag.watch/0"}', b"its schema is 'nodediag.watch/0'"),
        (b'{"schema": "nodediag.report/1", "facts": ' + b"[" * 200_000, b"not a report"),
        (b"[" * 200_000, b"not a report"),
        (b" " * (17 * 1024 * 1024), b"larger than 16777216 bytes"),
    ],
    ids=["empty", "text", "bytes", "a list", "a head", "a later schema", "another document", "deep facts", "deep",
         "too large"],
)  # fmt: skip
def test_what_is_no_report_is_named(data: bytes, words: bytes, files: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "odd.json"
    file.write_bytes(data)
    done = diff(files["healthy"], file)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"odd.json" in done.stderr
    assert words in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_deeply_nested_facts_are_refused_not_followed(files: dict[str, Path], tmp_path: Path) -> None:
    report = json.loads(files["healthy"].read_bytes())
    report["facts"] = {"mounts": "DEEP"}
    file = tmp_path / "deep.json"
    file.write_text(json.dumps(report).replace('"DEEP"', "[" * 100_000 + "]" * 100_000))
    done = diff(file, files["healthy"])
    assert done.returncode == 2
    assert b"nested too deeply" in done.stderr


def test_a_file_that_is_not_there_is_named(files: dict[str, Path], tmp_path: Path) -> None:
    done = diff(tmp_path / "none.json", files["healthy"])
    assert done.returncode == 2
    assert b"none.json: No such file" in done.stderr


def test_a_report_is_read_as_the_type_it_was_written_from(files: dict[str, Path]) -> None:
    read = msgspec.json.decode(files["hostile"].read_bytes(), type=Report[dict[str, msgspec.Raw]])
    assert read.verdict.value == "unhealthy"
