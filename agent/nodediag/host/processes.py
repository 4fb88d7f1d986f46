"""The process list, read by psutil below any procfs, or from the /proc/PID files that a folder holds."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from nodediag.host.answer import Process, ProcessList

_ARGUMENTS_CAP: Final = 32 * 1024  # a process may carry megabytes; a GKE kubelet's line has some 3 KiB
_ALL_ARGUMENTS_CAP: Final = 8 * 1024 * 1024
_PID_DIGITS: Final = 9
_INIT: Final = 1
_CGROUP_CAP: Final = 2048
INTERPRETERS: Final = ("python", "perl", "ruby", "node", "java", "bash", "dash", "sh", "busybox")
ZOMBIE: Final = "Z"
BLOCKED: Final = "D"  # in uninterruptible sleep
STUCK: Final = frozenset({ZOMBIE, BLOCKED})
_STATES: Final = {  # psutil's words for the letters of proc_pid_stat(5)
    "running": "R", "sleeping": "S", "disk-sleep": "D", "stopped": "T", "tracing-stop": "t", "zombie": "Z",
    "dead": "X", "wake-kill": "K", "waking": "W", "idle": "I", "parked": "P",
}  # fmt: skip


def preload() -> None:
    """Import psutil before it is needed: the child has nothing to do while its parent still imports the rest."""
    import psutil  # noqa: F401, PLC0415 - as below


def living(procfs: str, names: tuple[str, ...] = (), below: tuple[str, ...] = ()) -> ProcessList:
    """List the processes of a mounted procfs, or those of some names or folders and those that do not get on.

    One that ends meanwhile is left out, and so is our own waiting: a parent is in uninterruptible sleep while it starts
    a child. The list is not complete where hidepid (see proc(5)) keeps others' processes,
    PID 1 among them, from our eyes, and where all arguments together are more than we keep.
    """
    import psutil  # noqa: PLC0415 - only the child that lists processes pays for it

    psutil.PROCFS_PATH = procfs
    listing = _Listing(procfs, names, below)
    for pid in sorted(_pids()):
        listing.add(pid)
    for pid in {process.ppid for process in listing.found.values() if process.state == ZOMBIE} - listing.found.keys():
        listing.add(pid, wanted=True)
    found = tuple(listing.found[pid] for pid in sorted(listing.found))
    complete = listing.seen_init and not listing.hidden and listing.left > 0
    return ProcessList(found, complete=complete, programs=complete and listing.programs)


class _Listing:
    """What is found one process after the other."""

    def __init__(self, procfs: str, names: tuple[str, ...], below: tuple[str, ...]) -> None:
        self._procfs = procfs
        self._names = names
        self._below = tuple(folder + "/" for folder in below)
        self._ours = _ours(procfs)
        self.found: dict[int, Process] = {}
        self.left = _ALL_ARGUMENTS_CAP
        self.seen_init = self.hidden = False
        self.programs = True

    def add(self, pid: int, *, wanted: bool = False) -> None:
        """Add a process if it is wanted: by its name, its state, its program's folder, or whatever it is."""
        import psutil  # noqa: PLC0415 - as above

        try:
            process = psutil.Process(pid)
            told = process.as_dict(["name", "status", "ppid"], ad_value=None)
            name: str | None = told["name"]
            state = _STATES.get(told["status"] or "", "")
            self.seen_init = self.seen_init or pid == _INIT
            self.hidden = self.hidden or name is None
            program = self._program(pid) if self._below else ""
            inside = program.startswith(self._below) if self._below else False
            stuck = state in STUCK and not (state == BLOCKED and self._ours & {pid, told["ppid"]})
            wanted = wanted or not self._names or name in self._names or stuck
            scripted = bool(self._below) and program.rpartition("/")[2].startswith(INTERPRETERS)
            if not (wanted or inside or scripted):
                return
            argv = _capped(process.as_dict(["cmdline"], ad_value=None)["cmdline"] or [], min(self.left, _ARGUMENTS_CAP))
        except psutil.NoSuchProcess:
            return
        inside = inside or (scripted and script_of(argv).startswith(self._below))
        if not (wanted or inside):
            return
        self.left -= sum(len(argument) for argument in argv)
        cgroup = self._cgroup(pid) if inside or name in self._names else ""
        self.found[pid] = Process(pid, told["ppid"] or 0, _text(name or ""), argv, state, _text(program), cgroup)

    def _program(self, pid: int) -> str:
        """Give the path of a process's program; kernel threads and zombies have none, and PID 1 is init anyway."""
        try:
            return os.readlink(f"{self._procfs}/{pid}/exe")
        except OSError as error:
            self.programs = self.programs and (pid == _INIT or error.errno in {errno.ENOENT, errno.ESRCH})
            return ""

    def _cgroup(self, pid: int) -> str:
        with suppress(OSError), open(f"{self._procfs}/{pid}/cgroup", "rb") as file:
            return file.read(_CGROUP_CAP).decode("utf-8", "backslashreplace")
        return ""  # it has ended, or the programs are not seen either


def _ours(procfs: str) -> frozenset[int]:
    """Give the numbers, in that procfs, of this process and of the parent that forked it to do this work."""
    try:
        own = os.readlink(f"{procfs}/self")
        with open(f"{procfs}/self/stat", "rb") as file:
            parent = file.read().rpartition(b")")[2].split()[1].decode()
        with open(f"{procfs}/self/cmdline", "rb") as one, open(f"{procfs}/{parent}/cmdline", "rb") as other:
            forked = one.read() == other.read()
    except (OSError, IndexError):  # a folder, or a parent that is not to be seen from here
        return frozenset()
    return frozenset(int(pid) for pid in ((own, parent) if forked else (own,)))


def _pids() -> list[int]:
    import psutil  # noqa: PLC0415 - as above

    try:
        return psutil.pids()
    except IndexError:  # psutil takes it for granted that there is one
        return []


def script_of(argv: tuple[str, ...]) -> str:
    """Give the first argument that is no option: what an interpreter runs, if it runs a file."""
    return next((word for word in argv[1:] if not word.startswith("-")), "")


def pid_of(text: str) -> int | None:
    """Give a process id as /proc and ps(1) write it; None for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _PID_DIGITS else None


def from_files(names: tuple[str, ...], read: Callable[[str], bytes | None]) -> tuple[Process, ...]:
    """Make the list from saved `/proc/PID/cmdline` files; `read` gives None for a file that is not there."""
    found = []
    for name in names:
        pid = pid_of(name)
        if pid is None:
            continue
        saved = read(f"/proc/{name}/cmdline")
        if saved is None:
            continue
        argv = split_cmdline(saved.decode("utf-8", "backslashreplace"))
        comm = (read(f"/proc/{name}/comm") or b"").decode("utf-8", "backslashreplace").strip()
        found.append(Process(pid, 0, comm or (argv[0].rsplit("/", 1)[-1] if argv else ""), argv))
    return tuple(sorted(found, key=lambda process: process.pid))


def split_cmdline(text: str) -> tuple[str, ...]:
    """Split a saved command line: at NULs as the kernel writes it, else before each ` -` as a person copied it.

    In a copy the NULs have become spaces, and spaces inside an argument cannot be told from them; an argument of a
    daemon starts with a dash, so what follows up to the next dash belongs to it. `--flag value` stays two arguments.
    """
    if "\0" in text:
        return tuple(text.rstrip("\0\n").split("\0"))
    first, *rest = text.strip().replace(" -", "\0-").split("\0")
    argv = first.split()
    for piece in rest:
        head, space, value = piece.strip().partition(" ")
        argv += [head, value] if space and "=" not in head else [piece.strip()]
    return tuple(argv)


def _capped(argv: list[str], left: int) -> tuple[str, ...]:
    kept = []
    for argument in argv:
        if left <= 0:
            break
        kept.append(_text(argument[:left]))
        left -= len(argument)
    return tuple(kept)


def _text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
