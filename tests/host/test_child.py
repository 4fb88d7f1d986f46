"""Children that tell in lines, real ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nodediag.host.child import Child, Tell, reaped

ORPHANED = """
import os, signal, sys, time
from nodediag.host.child import Child
child = Child(lambda tell: time.sleep(600))
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def ended(work: Callable[[Tell], None]) -> tuple[list[bytes], int]:
    """Let a child do something, and give what it told and its status."""
    child = Child(work)
    lines: list[bytes] = []
    more = True
    while more:
        told, more = child.told()
        lines += told
        time.sleep(0.001)
    child.close()
    return lines, os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])


def test_lines_come_whole_and_in_order() -> None:
    long = b"x" * 300_000

    def work(tell: Tell) -> None:
        tell(b"first")
        tell(long)

    assert ended(work) == ([b"first", long], 0)


def test_what_a_child_raises_stays_in_it() -> None:
    def work(tell: Tell) -> None:
        tell(b"so far")
        raise ValueError

    assert ended(work) == ([b"so far"], 1)


def test_a_child_holds_nothing_of_its_parent(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w"):
        fds, status = ended(lambda tell: tell(" ".join(map(str, Path("/proc/self/fd").iterdir())).encode()))
    assert status == 0
    assert len(fds[0].split()) == 5  # three streams that are nothing, its pipe, and the listing itself


def test_a_line_without_an_end_is_not_listened_to() -> None:
    lines, status = ended(lambda tell: tell(b"x" * (1 << 22)))
    assert lines == []
    assert status in {1, -signal.SIGPIPE}


def test_a_child_dies_with_its_parent() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", ORPHANED], stdout=subprocess.PIPE, text=True, check=False)
    child = Path(f"/proc/{int(done.stdout)}")
    until = time.monotonic() + 10
    while child.exists() and "State:\tZ" not in (child / "status").read_text() and time.monotonic() < until:
        time.sleep(0.01)
    assert not child.exists() or "State:\tZ" in (child / "status").read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_how_a_child_ended_is_told(number: signal.Signals) -> None:
    child = Child(lambda _tell: time.sleep(600))
    time.sleep(0.2)
    os.kill(child.pid, number)
    found: dict[int, int] = {}
    until = time.monotonic() + 10
    while child.pid not in found and time.monotonic() < until:
        found.update(reaped())
    child.close()
    assert found[child.pid] == -number
