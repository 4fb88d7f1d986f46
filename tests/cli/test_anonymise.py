"""`report --anonymise KEYFILE`: ids and outcomes stay, names and addresses do not, and the key is its owner's."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

NODEDIAG = (sys.executable, "-I", "-m", "nodediag")
NODES = sorted(path.parent for path in (Path(__file__).parent.parent / "nodes").glob("*/ORIGIN.md"))
NODE = Path(__file__).parent.parent / "nodes/gke-cos-containerd-1.34/root"
NAME = "gke-gke-test-default-pool-e5de334e-i8hi"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NODEDIAG, "report", "--no-logs", *arguments], capture_output=True, text=True, check=False)


def told(*arguments: str) -> dict[str, object]:
    done = run("--format", "json", *arguments)
    assert done.stderr == ""
    made: dict[str, object] = json.loads(done.stdout)
    return made


@pytest.mark.parametrize("node", NODES, ids=lambda path: path.name)
def test_ids_and_outcomes_are_those_of_the_report_without(node: Path, tmp_path: Path) -> None:
    plain = told("--root", str(node / "root"))
    made = told("--root", str(node / "root"), "--anonymise", str(tmp_path / "key"))
    for report in (plain, made):
        assert isinstance(report["checks"], list)
    pairs = zip(plain["checks"], made["checks"], strict=True)  # type: ignore[call-overload]  # lists, as asserted
    for one, other in pairs:
        assert {key: one.get(key) for key in ("id", "outcome", "title")} == {
            key: other.get(key) for key in ("id", "outcome", "title")
        }
        assert [problem["fingerprint"] for problem in one["problems"]] == [
            problem["fingerprint"] for problem in other["problems"]
        ]
    assert (plain["verdict"], plain["verdict_because"]) == (made["verdict"], made["verdict_because"])
    node_plain, node_made = plain["node"], made["node"]
    assert isinstance(node_plain, dict)
    assert isinstance(node_made, dict)
    for key in ("machine_id", "boot_id", "os", "image_type", "platform", "kernel", "runtime"):
        assert node_plain[key] == node_made[key]
    if node_plain["hostname"] not in {"unknown", "localhost"}:
        assert node_plain["hostname"] not in json.dumps(made)


@pytest.mark.parametrize("form", ["json", "text", "markdown", "html", "openmetrics"])
def test_no_format_names_the_node(form: str, tmp_path: Path) -> None:
    key = str(tmp_path / "key")
    plain = run("--root", str(NODE), "--format", form)
    made = run("--root", str(NODE), "--format", form, "--anonymise", key)
    assert plain.returncode == made.returncode
    assert NAME not in made.stdout
    assert (NAME in plain.stdout) == bool(re.search("node-[0-9a-f]{8}", made.stdout)) == (form != "openmetrics")


def test_a_key_is_made_once_and_gives_the_same_names_again(tmp_path: Path) -> None:
    key, other = tmp_path / "key", tmp_path / "other"
    first = told("--root", str(NODE), "--anonymise", str(key))
    kept = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert told("--root", str(NODE), "--anonymise", str(key))["node"] == first["node"]
    assert key.read_bytes() == kept
    assert told("--root", str(NODE), "--anonymise", str(other))["node"] != first["node"]


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        (0o640, "00" * 32 + "\n", "others than its owner"),
        (0o604, "00" * 32 + "\n", "others than its owner"),
        (0o600, "00" * 31, "not a key"),
        (0o600, "hello", "not a key"),
        (0o600, "", "not a key"),
    ],
)
def test_a_key_that_others_can_read_or_that_is_none_is_refused_and_left_alone(
    mode: int, text: str, words: str, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(text)
    key.chmod(mode)
    done = run("--root", str(NODE), "--anonymise", str(key))
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""
    assert key.read_text() == text


def test_a_key_cannot_be_where_there_is_no_place_for_it(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "none/key"):
        assert run("--root", str(NODE), "--anonymise", str(place)).returncode == 2


def test_a_recording_is_not_made_beside_pseudonyms(tmp_path: Path) -> None:
    done = run("--root", str(NODE), "--anonymise", str(tmp_path / "key"), "--record", str(tmp_path / "kept"))
    assert done.returncode == 2
    assert "a recording holds the node's own names" in done.stderr
    assert not (tmp_path / "kept").exists()
