# Descriptors, procfs and odd names are looked at as the room under test looks at them.
# ruff: noqa: PTH123
"""What the tests of the room that touches the machine share: children with other rights, and sources in children."""

import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Protocol

import pytest

from nodediag.host.live import LiveSource
from nodediag.host.sacrifice import Sacrifice

NOBODY = 65534


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") is not None and os.geteuid() != 0:
        pytest.skip("needs root on the machine that runs the tests")


class InChild(Protocol):
    """Does something in a child process and gives what it says; fails the test when the child fails."""

    def __call__(self, work: Callable[[], str], *, uid: int | None = ...) -> str: ...


class Run(Protocol):
    """Runs nodediag, as another user if wished."""

    def __call__(
        self, *arguments: str, user: int | None = ..., cwd: Path | None = ...
    ) -> subprocess.CompletedProcess[str]: ...


class Enter(Protocol):
    """Runs a program in a container that a line of shell has set up, on this machine or on a node made for it."""

    def __call__(
        self, setup: str, *arguments: str, program: tuple[str, ...] = ..., node: str | None = ...
    ) -> subprocess.CompletedProcess[str]: ...


Asked = Callable[[Path], Sacrifice]
# A container sees our own root through an overlay, so python and we are in it, and has a procfs of its own.
CONTAINER = """\
set -eu
new="$1/new"; setup="$2"; shift 2
mount -t tmpfs none "$1/memory" && mkdir "$1/memory/upper" "$1/memory/work"
mount -t overlay -o "lowerdir=/,upperdir=$1/memory/upper,workdir=$1/memory/work" none "$new"
mount -t proc proc "$new/proc"
shift
eval "$setup"
exec chroot "$new" "$@"
"""
# A node of our own making: a PID 1 with mounts of its own, which a line of shell sets up.
NODE = """\
set -eu
mount -t proc proc /proc
printf systemd > /proc/1/comm
setup="$1"; shift
eval "$setup"
"$@"
"""
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
NODEDIAG = (sys.executable, "-I", "-m", "nodediag")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """Make a folder that an ordinary user may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def mounts() -> None:
    """Skip where root may make no mounts and namespaces, as in most containers and in a chroot."""
    command = [*APART, "--uts", "mount", "-t", "proc", "proc", "/proc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"root may not make mounts and namespaces here: {done.stderr.strip()}")


@pytest.fixture
def in_child() -> InChild:
    def run(work: Callable[[], str], *, uid: int | None = None) -> str:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            status = 1
            try:
                os.close(reading)
                said = _as_user(uid, work)
                os.write(writing, said.encode("utf-8", "backslashreplace"))
                status = 0
            finally:
                os._exit(status)
        os.close(writing)
        with open(reading, encoding="utf-8") as file:
            said = file.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status == 0, said
        return said

    return run


def _as_user(uid: int | None, work: Callable[[], str]) -> str:
    try:
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        return work()
    except BaseException:  # noqa: BLE001 - the parent shall read it
        return traceback.format_exc()


@pytest.fixture
def asked() -> Iterator[Asked]:
    """Make sources that answer from a folder through a child, and let go of them in the end."""
    made: list[Sacrifice] = []

    def make(root: Path) -> Sacrifice:
        made.append(Sacrifice(partial(LiveSource, str(root)), budget_s=20))
        return made[-1]

    yield make
    for source in made:
        source.close()


@pytest.fixture
def nodediag() -> Run:
    def run(*arguments: str, user: int | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = (*starting(user), *arguments)
        return subprocess.run(
            command, user=user, group=user, extra_groups=None if user is None else [], cwd=cwd,
            capture_output=True, text=True, check=False, timeout=40,
        )  # fmt: skip

    return run


@cache
def starting(user: int | None) -> tuple[str, ...]:
    """Give what starts nodediag as a user, who may not be allowed to start the python that runs the tests."""
    if user is None:
        return sys.executable, "-I", "-m", "nodediag"
    start = f"import sys; sys.path[:0] = {sys.path[1:]!r}; from nodediag.cli.main import main; main()"
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        command = (python, "-I", "-c", start)
        try:
            done = subprocess.run((*command, "--version"), user=user, group=user, capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return command
    pytest.skip("an ordinary user may not start this python, or not enter the folder of this clone (it is in /root?)")


@pytest.fixture
def enter(tmp_path: Path, mounts: None) -> Enter:  # noqa: ARG001 - it skips
    """Run nodediag in a container that has been set up by a line of shell; `$new` is its root."""
    for folder in ("new", "memory"):
        (tmp_path / folder).mkdir()

    def run(
        setup: str, *arguments: str, program: tuple[str, ...] = NODEDIAG, node: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        container = ["sh", "-c", CONTAINER, "sh", str(tmp_path), setup, str(tmp_path)]
        command = [*APART, "--uts", *container, *program, *(arguments or ("report", "--format", "json"))]
        if node is not None:
            command = [*APART, "sh", "-c", NODE, "sh", node, *command]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return run
