"""What nodediag logged of itself goes with a recording and a bundle, and stays what it was when packed again."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.unpacked import opened
from tests.watch.conftest import Node

NODEDIAG: Final = (sys.executable, "-I", "-m", "nodediag")
LOG: Final = "nodediag.jsonl"
NAME: Final = "gke-shop-pool-1-0a1b2c3d-x1y2"


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run([*NODEDIAG, *arguments], capture_output=True, check=False)
    assert done.returncode in {0, 1, 3}, done.stderr
    return done


def bundle(root: Path, output: Path, *options: str) -> dict[str, bytes]:
    run("bundle", "--root", str(root), "-o", str(output), *options)
    return opened(output)


def events(log: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.splitlines()]


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with something where it should not be, which only this run can tell."""
    made = Node(tmp_path / "node")
    (made.root / "etc/containerd/config.toml").mkdir(parents=True)
    (made.root / "etc/hostname").write_text(f"{NAME}\n")
    return made


def test_a_bundle_holds_what_the_run_logged_and_what_failed_in_it(node: Node, tmp_path: Path) -> None:
    told = events(bundle(node.root, tmp_path / "a.tar.gz", "--no-logs")[LOG])
    assert [told[0]["event"], told[-1]["event"]] == ["started", "diagnosed"]
    assert (told[0]["root"], told[0]["no_logs"]) == (str(node.root), "True")
    (failed,) = (event for event in told if event.get("of") == "/etc/containerd/config.toml")
    assert (failed["event"], failed["level"], failed["code"]) == ("not_answered", "warning", "wrong_kind")
    assert [event["timestamp"] for event in told] == sorted(str(event["timestamp"]) for event in told)


def test_packed_again_the_log_is_that_of_the_run_that_looked_at_the_node(node: Node, tmp_path: Path) -> None:
    first = bundle(node.root, tmp_path / "a.tar.gz")
    assert bundle(tmp_path / "a.tar.gz", tmp_path / "b.tar.gz")[LOG] == first[LOG]
    run("report", "--root", str(node.root), "--record", str(tmp_path / "kept"))
    kept = (tmp_path / "kept" / LOG).read_bytes()
    assert [event["event"] for event in events(kept)] == [event["event"] for event in events(first[LOG])]
    assert bundle(tmp_path / "kept", tmp_path / "c.tar.gz")[LOG] == kept


def test_a_recording_without_a_log_gives_equal_bytes_too(node: Node, tmp_path: Path) -> None:
    run("report", "--root", str(node.root), "--record", str(tmp_path / "kept"))
    before = (tmp_path / "kept" / LOG).read_bytes()
    (tmp_path / "kept" / LOG).unlink()
    log = bundle(tmp_path / "kept", tmp_path / "a.tar.gz")[LOG]
    bundle(tmp_path / "kept", tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    assert [event["event"] for event in events(log)] == [event["event"] for event in events(before)]
    assert "facts_ms" not in events(log)[-1]


def test_with_pseudonyms_the_log_names_nobody(node: Node, tmp_path: Path) -> None:
    home = tmp_path / f"home/zoe/{NAME}"
    home.parent.mkdir(parents=True)
    node.root.rename(home)
    log = bundle(home, tmp_path / "a.tar.gz", "--anonymise", str(tmp_path / "key"))[LOG]
    assert not [name for name in (b"zoe", b"shop") if name in log]
    assert events(log)[-1]["event"] == "diagnosed"


def test_a_run_says_the_same_of_itself_where_it_is_asked_to(node: Node, tmp_path: Path) -> None:
    said = events(run("report", "-v", "--root", str(node.root), "--record", str(tmp_path / "kept")).stderr)
    kept = events((tmp_path / "kept" / LOG).read_bytes())
    assert [event["event"] for event in said] == [event["event"] for event in kept]
    assert said == kept
