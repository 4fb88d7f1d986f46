# Descriptors, procfs and odd names are looked at as the room under test looks at them.
# ruff: noqa: PTH123
"""Which node is meant, with real namespaces: containers made by unshare(1), with an overlay as runtimes make it."""

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodediag.errors import UsageError
from nodediag.host import packet_filter
from nodediag.host.origin import RUNNING, open_host
from nodediag.model.report import Origin

if TYPE_CHECKING:
    from tests.host.conftest import Enter, Run


NODE_AT = 'mkdir -p "$new/{at}"; mount --rbind / "$new/{at}"'


def root_mounts(pid: str) -> list[str]:
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as file:
        return [line for line in file if line.split()[4] == "/"]


@pytest.fixture
def node(mounts: None) -> None:  # noqa: ARG001 - it skips
    """Skip where our `/` is not PID 1's, so that binding it somewhere shows no node."""
    if root_mounts("self") != root_mounts("1"):
        pytest.skip("the tests run in another mount namespace than PID 1, so no node's root can be bound")


def view(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)["view"]
    return told["origin"], told["root"]


@pytest.mark.root
@pytest.mark.usefixtures("node")
@pytest.mark.parametrize(("at", "origin"), [("host", "pod"), ("media/root", "toolbox")])
def test_a_node_bound_into_a_container_is_found_by_itself(enter: "Enter", at: str, origin: str) -> None:
    done = enter(NODE_AT.format(at=at))
    assert view(done) == (origin, f"/{at}")
    facts = json.loads(done.stdout)["facts"]
    with open("/proc/1/mountinfo", encoding="utf-8") as file:
        assert len(facts["mounts"]["value"]["mounts"]) == len(file.readlines())
    assert facts["mounts"]["value"]["path"] == "/proc/1/mountinfo"


@pytest.mark.root
@pytest.mark.usefixtures("node")
def test_the_toolbox_comes_before_the_pod(enter: "Enter") -> None:
    setup = NODE_AT.format(at="host") + "; " + NODE_AT.format(at="media/root")
    assert view(enter(setup)) == ("toolbox", "/media/root")


@pytest.mark.root
@pytest.mark.usefixtures("node")
def test_a_node_at_another_place_is_one_when_it_is_named(enter: "Enter") -> None:
    setup = NODE_AT.format(at="mnt/a node") + '; ln -s "/mnt/a node" "$new/link"'
    assert view(enter(setup, "report", "--format", "json", "--root", "/mnt/a node/")) == ("pod", "/mnt/a node/")


@pytest.mark.root
@pytest.mark.parametrize("at", ["host", "media/root"])
@pytest.mark.parametrize(
    "decoy",
    [
        'mkdir -p "$new/{at}"',
        'mkdir -p "$new/{at}/etc"; cp /etc/os-release "$new/{at}/etc"',
        'mkdir -p "$new/{at}/proc/1" "$new/{at}/etc"; cat /proc/1/mountinfo > "$new/{at}/proc/1/mountinfo"',
        'mkdir -p "$new/{at}"; mount --rbind "$new" "$new/{at}"',
        'mkdir -p "$new/{at}"; mount --bind "$new" "$new/{at}"; mount -t proc proc "$new/{at}/proc"',
        'mkdir -p "$new/{at}"; mount --bind / "$new/{at}"',
        'mkdir -p "$new/{at}"; mount --bind /usr "$new/{at}"',
        'mkdir -p "$(dirname "$new/{at}")"; ln -s / "$new/{at}"',
        'mkdir -p "$(dirname "$new/{at}")"; ln -s {at} "$new/{at}"',
        'mkdir -p "$(dirname "$new/{at}")"; touch "$new/{at}"',
        'mkdir -p "$(dirname "$new/{at}")"; mkfifo "$new/{at}"',
    ],
    ids=[
        "empty", "some files", "copied mountinfo", "own root", "own root, other procfs", "no procfs",
        "a part", "link to own root", "loop", "file", "fifo",
    ],
)  # fmt: skip
def test_a_decoy_never_wins_and_the_report_says_what_to_mount(enter: "Enter", at: str, decoy: str) -> None:
    done = enter(decoy.format(at=at))
    assert view(done) == ("live", "/")
    assert done.returncode == 3
    report = json.loads(done.stdout)
    assert report["verdict"] == "unknown"
    assert any("/host" in spot["reason"].get("needs", "") for spot in report["view"]["blind_spots"]), report["view"]


def test_a_plain_folder_is_a_tree_and_a_recording_a_recording(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    opened = open_host(str(tmp_path), budget_s=10)
    assert (opened.host.seen.origin, opened.host.seen.root) == (Origin.TREE, str(tmp_path))
    opened.close()
    head = '{"version":"1","observed_at":"2026-01-01T00:00:00Z","origin":"live","root":"/"}\n'
    (tmp_path / "answers.jsonl").write_text(head)
    opened = open_host(str(tmp_path), budget_s=10)
    assert opened.host.seen.origin is Origin.RECORDING
    opened.close()


@pytest.mark.parametrize("root", ["/", "//", "/.", "/usr/../", "link", "link/."])
def test_this_machine_s_own_root_is_live_however_it_is_written(tmp_path: Path, root: str) -> None:
    (tmp_path / "link").symlink_to("/")
    opened = open_host(root if root.startswith("/") else f"{tmp_path}/{root}", budget_s=10)
    assert (opened.host.seen.origin, opened.host.seen.root) == (Origin.LIVE, "/")
    opened.close()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing", "there is no such folder"), ("file", "empty file; wanted a bundle"),
        ("fifo", "neither a folder nor a file; wanted a bundle"), ("loop", "a loop of symbolic links"),
        ("n" * 300, "File name too long"), ("file/x", "there is no such folder"),
    ],
)  # fmt: skip
def test_a_root_that_is_no_folder_is_bad_usage(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match=why):
        open_host(f"{tmp_path}/{name}", budget_s=10)


def test_an_empty_name_is_no_root() -> None:
    with pytest.raises(UsageError, match="--root : there is no such folder"):
        open_host("", budget_s=10)


@pytest.mark.root
def test_a_root_one_may_not_enter_is_told_by_its_reason(reachable: Path, nodediag: "Run") -> None:
    (reachable / "closed/below").mkdir(parents=True)
    (reachable / "closed").chmod(0o700)
    done = nodediag("report", "--root", str(reachable / "closed/below"), user=65534)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Permission denied" in done.stderr
    done = nodediag("report", "--format", "json", "--root", str(reachable / "closed"), user=65534)
    assert done.returncode in {2, 3}
    assert "Permission denied" in done.stdout + done.stderr


def test_a_root_whose_name_is_no_text_is_shown_visibly(tmp_path: Path, nodediag: "Run") -> None:
    root = tmp_path / os.fsdecode(b"odd\xff")
    (root / "etc").mkdir(parents=True)
    done = nodediag("report", "--format", "json", "--root", str(root))
    assert view(done) == ("tree", f"{tmp_path}/odd\\xff"), done.stderr


def test_a_relative_root_is_one(tmp_path: Path, nodediag: "Run") -> None:
    (tmp_path / "node/etc").mkdir(parents=True)
    (tmp_path / "node/etc/os-release").write_text("ID=cos\n")
    done = nodediag("report", "--format", "json", "--root", "node", cwd=tmp_path)
    assert view(done) == ("tree", "node")
    assert json.loads(done.stdout)["facts"]["os_release"]["state"] == "known"


@pytest.mark.root
def test_an_ordinary_user_s_report_lists_what_root_would_have_seen(nodediag: "Run") -> None:
    done = nodediag("report", "--format", "json", user=65534)
    told = json.loads(done.stdout)["view"]
    assert (told["origin"], told["uid"]) == ("live", 65534)
    for spot in told["blind_spots"]:
        if spot["reason"]["code"] == "not_permitted":
            assert spot["reason"]["needs"] in {"root, or the right to read it", packet_filter.NEEDS}


def test_what_is_to_be_done_meanwhile_is_done_once_and_the_node_is_opened() -> None:
    done: list[str] = []
    opened = open_host(None, budget_s=20, meanwhile=lambda: done.append("once"))
    opened.close()
    assert done == ["once"]
    assert opened.host.seen.origin in RUNNING
