import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodediag.host.answer import Failure, Locked
from nodediag.host.ask import Lock
from nodediag.host.live import LiveSource
from nodediag.model.reason import Code

if TYPE_CHECKING:
    from tests.host.conftest import Asked, InChild

COMMAND = [sys.executable, "-I", "-m", "nodediag", "report", "--only", "image", "--fail-on", "never"]


@contextmanager
def held(path: str, uid: int = 0) -> Iterator[None]:
    """Have another process hold the lock of a file."""
    ready, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if uid:
                os.setuid(uid)
            fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX)
            os.write(say, b"x")
            time.sleep(60)
        finally:
            os._exit(0)
    os.read(ready, 1)
    try:
        yield
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(ready)
        os.close(say)


def test_one_holds_it_and_the_other_does_not_until_it_is_let_go(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "os-release").touch()
    first, second = asked(tmp_path), asked(tmp_path)
    lock = Lock("/os-release")
    assert first.answer(lock) == Locked(held=True)
    assert second.answer(lock) == Locked(held=False)
    first.close()
    assert second.answer(lock) == Locked(held=True)


def test_through_a_link_it_is_the_same_lock(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "os-release").touch()
    (tmp_path / "link").symlink_to("/os-release")
    assert asked(tmp_path).answer(Lock("/link")) == Locked(held=True)
    assert asked(tmp_path).answer(Lock("/os-release")) == Locked(held=False)


def test_nothing_is_written_by_it(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "os-release").touch(mode=0o444)
    before = (tmp_path / "os-release").stat()
    asked(tmp_path).answer(Lock("/os-release"))
    assert (tmp_path / "os-release").stat() == before


@pytest.mark.parametrize("kind", ["fifo", "folder", "missing"])
def test_what_cannot_be_locked_is_told_at_once(tmp_path: Path, asked: "Asked", kind: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    start = time.monotonic()
    reply = asked(tmp_path).answer(Lock(f"/{kind}"))
    assert isinstance(reply, Failure)
    assert reply.reason.code in {Code.WRONG_KIND, Code.ABSENT}
    assert time.monotonic() - start < 10


@pytest.mark.root
def test_a_second_run_waits_and_then_ends_with_four() -> None:
    with held("/etc/os-release"):
        start = time.monotonic()
        done = subprocess.run([*COMMAND, "--timeout", "1s"], capture_output=True, text=True, check=False)
        took = time.monotonic() - start
    assert done.returncode == 4, done.stderr
    assert done.stdout == ""
    assert done.stderr == "nodediag: another diagnosis of this node still ran after 1 s\n"
    assert 1 <= took < 3


@pytest.mark.root
def test_a_second_run_goes_on_as_soon_as_the_first_has_ended() -> None:
    with held("/etc/os-release"):
        waiting = subprocess.Popen([*COMMAND, "--timeout", "20s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.8)
        assert waiting.poll() is None
    said, _ = waiting.communicate(timeout=10)
    assert waiting.returncode == 0
    assert said.startswith(b"{")


@pytest.mark.root
def test_what_an_ordinary_user_holds_does_not_keep_root_waiting() -> None:
    with held("/etc/os-release", uid=65534):
        done = subprocess.run([*COMMAND, "--timeout", "10s"], capture_output=True, check=False, timeout=8)
    assert done.returncode == 0


def ask_for_lock() -> str:
    return str(LiveSource("/").answer(Lock("/etc/os-release")))


@pytest.mark.root
def test_what_an_ordinary_user_holds_keeps_another_waiting(in_child: "InChild") -> None:
    with held("/etc/os-release", uid=65534):
        assert in_child(ask_for_lock, uid=65533) == str(Locked(held=False))
    assert in_child(ask_for_lock, uid=65533) == str(Locked(held=True))
