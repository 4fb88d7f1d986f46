# Descriptors, procfs and odd names are looked at as the room under test looks at them.
# ruff: noqa: PTH110, PTH123, PTH208
"""A real file system that never answers: FUSE, served by hand, see Linux' include/uapi/linux/fuse.h."""

import ctypes
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from nodediag.host.ask import Content, Failure, Lock, Locked, Read
from nodediag.host.live import LiveSource
from nodediag.host.sacrifice import Sacrifice
from nodediag.model.reason import Code

pytestmark = pytest.mark.root
MARK = "nodediag-hung-test"
_INIT = 26
_MNT_DETACH = 2
_NOSUID_NODEV = 2 | 4


class HungMount:
    """A mounted file system whose server takes every question and answers none but the greeting."""

    def __init__(self, target: Path) -> None:
        self._target = os.fsencode(target)
        self._libc = ctypes.CDLL(None, use_errno=True)
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if self._libc.mount(b"none", self._target, b"fuse." + MARK.encode(), _NOSUID_NODEV, options) != 0:
            code = ctypes.get_errno()
            os.close(device)
            pytest.skip(f"FUSE cannot be mounted here: {os.strerror(code)}")
        self._server = os.fork()
        if self._server == 0:
            _serve(device)
        os.close(device)

    def abort(self) -> None:
        """End the server; the kernel then answers every waiting question with an error."""
        if self._server:
            os.kill(self._server, signal.SIGKILL)
            os.waitpid(self._server, 0)
            self._server = 0
            self._libc.umount2(self._target, _MNT_DETACH)


def _serve(device: int) -> None:
    """Answer INIT: in: len, opcode, unique, ...; out: len, error, unique, then fuse_init_out of version 7.31."""
    try:
        while True:
            asked = os.read(device, 1 << 18)
            _, opcode, unique = struct.unpack_from("<IIQ", asked)
            if opcode == _INIT:
                answer = struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 17, 0, 12, 9, 1 << 17, 1, 0, 0, 0)
                os.write(device, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
    finally:
        os._exit(0)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("etc", "usr/lib", "proc/1"):
        (tmp_path / "node" / folder).mkdir(parents=True)
    (tmp_path / "node/usr/lib/os-release").write_text("ID=cos\nVERSION_ID=121\n")
    (tmp_path / "node/proc/1/mountinfo").write_text("20 1 253:0 / / ro - ext2 /dev/dm-0 ro\n")
    return tmp_path / "node"


Hang = Callable[[Path], HungMount]


@pytest.fixture
def hang() -> Iterator[Hang]:
    if not os.path.exists("/dev/fuse"):
        pytest.skip("needs /dev/fuse")
    made: list[HungMount] = []

    def mount(target: Path) -> HungMount:
        made.append(HungMount(target))
        return made[-1]

    yield mount
    for one in made:
        one.abort()


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
