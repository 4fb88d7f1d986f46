"""This machine under a lab: mounts, cgroups and processes, made so that whatever is left behind can be found again."""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
_PROPAGATED: Final = Path("/run/systemd/nspawn/propagate")  # where a killed systemd-nspawn leaves a folder
TOOLS: Final = (
    "systemd-nspawn", "debootstrap", "mke2fs", "mount", "umount", "nsenter", "chroot", "cc", "ssh", "ssh-keygen",
    "iptables-legacy",
)  # fmt: skip
_PATIENCE_S: Final = 20


class LabError(Exception):
    """The lab itself could not be set up."""


def call(*command: str | Path, check: bool = True, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a command of this machine; raises LabError with what it said."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout,
    )
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done


def lacking() -> str:
    """Say what this machine lacks for a lab, empty where it has all."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"needs the programs {', '.join(missing)}"
    if not Path("/dev/loop-control").exists():
        return "needs loop devices"
    if (CGROUPS / "cgroup.controllers").exists() or not _hierarchies():
        return f"needs cgroup version 1 at {CGROUPS}: the images that its nodes stand for start with it"
    made = call("unshare", "--mount", "--pid", "--net", "--fork", "mount", "-t", "tmpfs", "lab", "/mnt", check=False)
    return f"root may not make mounts and namespaces here: {made.stderr.strip()}" if made.returncode else ""


def _hierarchies() -> list[Path]:
    return sorted(path for path in CGROUPS.glob("*") if path.is_dir() and not path.is_symlink() and path.is_mount())


class Cgroup:
    """A cgroup of its own in every hierarchy, so that a node's systemd is alone in its tree and can be ended whole."""

    def __init__(self, name: str) -> None:
        self._folders = [hierarchy / name for hierarchy in _hierarchies()]

    def entering(self, *command: str) -> list[str]:
        """Make it, and give the command that runs another in it."""
        for folder in self._folders:
            folder.mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):  # version 1 takes nobody in before these are set
                inherited = folder.parent / name
                if inherited.exists() and not (folder / name).read_text().strip():
                    (folder / name).write_text(inherited.read_text())
        joined = " ".join(f"{folder}/cgroup.procs" for folder in self._folders)
        return ["sh", "-ec", f'for file in {joined}; do echo $$ >"$file"; done; exec "$@"', "sh", *command]

    def processes(self) -> set[int]:
        """Give the processes in it and below it."""
        found: set[int] = set()
        for folder in self._folders:
            for file in folder.rglob("cgroup.procs") if folder.exists() else ():
                try:
                    found |= {int(line) for line in file.read_text().split()}
                except OSError:
                    continue
        return found - {0}

    def end(self) -> None:
        """Kill all that is in it, and remove it."""
        until = time.monotonic() + _PATIENCE_S
        while (left := self.processes()) and time.monotonic() < until:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.05)
        for top in self._folders:
            for folder in sorted((path.parent for path in top.rglob("cgroup.procs")), reverse=True):
                try:
                    folder.rmdir()
                except OSError:
                    continue


def mount(what: str | Path, where: Path, *options: str) -> None:
    """Mount; an image by a loop device that goes with its mount."""
    where.mkdir(parents=True, exist_ok=True)
    call("mount", *options, what, where)


def unmount_below(folder: Path) -> None:
    """Unmount all there is at or below a folder, the last first."""
    for target in reversed(_mounted(folder)):
        if call("umount", target, check=False).returncode != 0:
            call("umount", "--lazy", target, check=False)


def remove(folder: Path) -> None:
    """Remove a folder, unless something is still mounted in it."""
    if folder.exists() and not _mounted(folder):
        shutil.rmtree(folder)


def _mounted(folder: Path) -> list[str]:
    with Path("/proc/self/mountinfo").open(encoding="utf-8", errors="surrogateescape") as table:
        targets = [line.split()[4] for line in table]
    return [target for target in targets if f"{target}/".startswith(f"{folder}/")]


class Workshop:
    """A folder for one run of the lab, held by a lock; what runs left behind that hold theirs no more is cleared."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        with (parent / ".lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            for left in parent.glob("lab-*"):
                _clear(left)
            self.folder = parent / f"lab-{secrets.token_hex(4)}"
            self.folder.mkdir()
            self._lock = (self.folder / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def cgroup(self, name: str) -> Cgroup:
        """Name a cgroup that goes with this run."""
        return Cgroup(f"{self.folder.name}-{name}")

    def close(self) -> None:
        """Take all down."""
        self._lock.close()
        _clear(self.folder)


def _clear(folder: Path) -> None:
    """Take down what a run left in a folder, if that run is over."""
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return
        names = {path.name for hierarchy in _hierarchies() for path in hierarchy.glob(f"{folder.name}-*")}
        for name in names:
            Cgroup(name).end()
        for left in _PROPAGATED.glob(f"{folder.name}-*"):
            left.rmdir()
        unmount_below(folder)
        remove(folder)
