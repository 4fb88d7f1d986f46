# Descriptors, procfs and odd names are looked at as the room under test looks at them.
# ruff: noqa: PTH123, PTH208
"""A real file system that never answers."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from nodediag.host.answer import Content, Failure, Locked
from nodediag.host.ask import Lock, Read
from nodediag.host.live import LiveSource
from nodediag.host.sacrifice import Sacrifice
from nodediag.model.reason import Code

pytestmark = pytest.mark.root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("etc", "usr/lib", "proc/1"):
        (tmp_path / "node" / folder).mkdir(parents=True)
    (tmp_path / "node/usr/lib/os-release").write_text("ID=cos\nVERSION_ID=121\n")
    (tmp_path / "node/proc/1/mountinfo").write_text("20 1 253:0 / / ro - ext2 /dev/dm-0 ro\n")
    return tmp_path / "node"


class Hung(Protocol):
    def abort(self) -> None: ...


Hang = Callable[[Path], Hung]


def running(mark: str) -> set[int]:
    """Give the processes whose command line holds a text, but for us."""
    found = set()
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and int(name) != os.getpid():
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    if mark.encode() in file.read():
                        found.add(int(name))
        except OSError:
            continue
    return found


def state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def gone_within(seconds: float, mark: str) -> bool:
    until = time.monotonic() + seconds
    while running(mark) and time.monotonic() < until:
        time.sleep(0.02)
    return not running(mark)


@pytest.mark.parametrize("where", ["etc", "usr", "proc/1"])
def test_the_report_comes_in_time_and_nothing_is_left_that_keeps_a_caller_waiting(
    tree: Path, hang: Hang, where: str
) -> None:
    mount = hang(tree / where)
    start = time.monotonic()
    command = [sys.executable, "-I", "-m", "nodediag", "report", "--root", str(tree), "--timeout", "20s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # waits for end of file
    took = time.monotonic() - start
    assert took < 20
    assert '"timed_out"' in done.stdout
    assert done.returncode in {1, 3}, done.stderr
    assert done.stderr == ""
    left = running(str(tree))
    assert {state(pid) for pid in left} == {"D"}  # what no signal reaches, and only that
    assert {parent(pid) for pid in left} == {1}
    mount.abort()
    assert gone_within(5, str(tree))


def test_a_hung_root_is_told_within_seconds(tree: Path, hang: Hang) -> None:
    hang(tree / "etc")
    (tree / "link").symlink_to("etc/below")
    for root in (tree / "etc", tree / "link"):
        start = time.monotonic()
        command = [sys.executable, "-I", "-m", "nodediag", "report", "--root", str(root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert time.monotonic() - start < 10
        assert done.returncode == 2
        assert done.stderr.startswith(f"nodediag: --root {root}: ")
        assert "no answer within 2.0 s" in done.stderr


def test_a_child_left_behind_does_not_keep_the_lock_from_the_next_run(tree: Path, hang: Hang) -> None:
    (tree / "etc/os-release").touch()
    (tree / "hung").mkdir()
    hang(tree / "hung")
    first = Sacrifice(partial(LiveSource, str(tree)), budget_s=20, patience_s=0.5)
    second = Sacrifice(partial(LiveSource, str(tree)), budget_s=20)
    assert first.answer(Lock("/etc/os-release")) == Locked(held=True)
    stuck = first.answer(Read("/hung/file", 100))
    assert isinstance(stuck, Failure)
    assert stuck.reason.code is Code.TIMED_OUT
    assert isinstance(first.answer(Read("/usr/lib/os-release", 100)), Content)
    assert second.answer(Lock("/etc/os-release")) == Locked(held=False)
    first.close()
    assert second.answer(Lock("/etc/os-release")) == Locked(held=True)
    second.close()
