"""Answers from a root directory of this machine. Any call here may block; it runs in a child, see sacrifice.py."""

import errno
import fcntl
import os
import stat
from typing import Final

from nodediag.host import processes
from nodediag.host.ask import (
    Ask,
    Content,
    Failure,
    List,
    Lock,
    Locked,
    Names,
    Namespace,
    NamespaceAnswer,
    Namespaces,
    PathStat,
    PathType,
    Processes,
    ProcessList,
    Read,
    Readlink,
    Reply,
    Sharing,
    Stat,
    Target,
    Uname,
    UnameAnswer,
)
from nodediag.host.root import Root
from nodediag.model.reason import Code, Reason

_MOST_NAMES: Final = 100_000
_CODES: Final = {
    errno.ENOENT: Code.ABSENT,
    errno.ENOTDIR: Code.ABSENT,
    errno.ESRCH: Code.ABSENT,
    errno.EACCES: Code.NOT_PERMITTED,
    errno.EPERM: Code.NOT_PERMITTED,
    errno.ELOOP: Code.WRONG_KIND,
    errno.EINVAL: Code.WRONG_KIND,
    errno.EISDIR: Code.WRONG_KIND,
    errno.ENXIO: Code.WRONG_KIND,
    errno.EXDEV: Code.ESCAPES_ROOT,
}
_NEEDS: Final = {Code.NOT_PERMITTED: "root, or the right to read it"}
# The inode numbers of the first namespaces, from the kernel's include/uapi/linux/nsfs.h and include/linux/proc_ns.h.
_FIRST: Final = {Namespace.UTS: 0xEFFFFFFE, Namespace.IPC: 0xEFFFFFFF, Namespace.CGROUP: 0xEFFFFFFB}


class LiveSource:
    """A root directory of this machine, asked directly."""

    def __init__(self, root: str) -> None:
        self._path = root
        self._root = Root(root)
        self._locks: list[int] = []

    def answer(self, ask: Ask) -> Reply:
        """Answer one question; what the system refuses becomes a Failure with its reason."""
        try:
            return self._answer(ask)
        except OSError as error:
            code = _CODES.get(error.errno or 0, Code.CRASHED)
            path = getattr(ask, "path", self._path)
            detail = f"{path}: {os.strerror(error.errno or 0)}"
            if error.errno == errno.ELOOP:
                detail = f"{path}: a loop of symbolic links, or a link only the kernel can follow"
            return Failure(Reason(code=code, detail=detail, needs=_NEEDS.get(code, "")))

    def _answer(self, ask: Ask) -> Reply:  # noqa: PLR0911 - one for each question
        match ask:
            case Read(path, cap_bytes):
                return self._read(path, cap_bytes)
            case List(path):
                return self._list(path)
            case Stat(path):
                return self._stat(path)
            case Readlink(path):
                return self._readlink(path)
            case Processes():
                return ProcessList(processes.living(self._path.rstrip("/") + "/proc"), complete=True)
            case Uname():
                name = os.uname()
                return UnameAnswer(name.sysname, name.nodename, name.release, name.version, name.machine)
            case Namespaces():
                return NamespaceAnswer({kind: self._sharing(kind) for kind in Namespace})
            case Lock(path):
                return self._lock(path)

    def _read(self, path: str, cap_bytes: int) -> Reply:
        opened = self._regular(path)
        if isinstance(opened, Failure):
            return opened
        try:
            chunks: list[bytes] = []
            left = cap_bytes + 1
            while left > 0 and (chunk := os.read(opened, min(left, 1 << 20))):
                chunks.append(chunk)
                left -= len(chunk)
        except BlockingIOError:
            return _wrong(path, "a file that gives its content only when something happens")
        finally:
            os.close(opened)
        if left <= 0:
            return _too_large(path, cap_bytes)
        return Content(b"".join(chunks))

    def _regular(self, path: str) -> int | Failure:
        """Open a regular file; what it is, is looked at before it is opened, since opening a device or FIFO acts."""
        probe = self._root.open(path, os.O_PATH)
        try:
            before = os.fstat(probe)
        finally:
            os.close(probe)
        if not stat.S_ISREG(before.st_mode):
            return _wrong(path, f"a {_type(before.st_mode)}")
        fd = self._root.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        after = os.fstat(fd)
        if (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino):
            os.close(fd)
            return _wrong(path, "replaced by another file while it was opened")
        return fd

    def _list(self, path: str) -> Reply:
        fd = self._root.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
        names: list[str] = []
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    names.append(entry.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
                    if len(names) > _MOST_NAMES:
                        return _too_large(path, _MOST_NAMES, "names")
        finally:
            os.close(fd)
        return Names(tuple(sorted(names)))

    def _stat(self, path: str) -> Reply:
        fd = self._root.open(path, os.O_PATH)
        try:
            found = os.fstat(fd)
        finally:
            os.close(fd)
        device = f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"
        return PathStat(_type(found.st_mode), f"{stat.S_IMODE(found.st_mode):04o}", found.st_size, device)

    def _readlink(self, path: str) -> Reply:
        fd = self._root.open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            if not stat.S_ISLNK(os.fstat(fd).st_mode):
                return _wrong(path, "not a symbolic link")
            target = os.readlink("", dir_fd=fd)
        finally:
            os.close(fd)
        return Target(target.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))

    def _sharing(self, kind: Namespace) -> Sharing:
        ours = os.readlink(f"/proc/self/ns/{kind}")
        theirs = self.answer(Readlink(f"/proc/1/ns/{kind}"))
        if isinstance(theirs, Target):
            return Sharing.SAME if theirs.target == ours else Sharing.OTHER
        first = _FIRST.get(kind)
        # An unprivileged reader may not ask for PID 1's, but a node's PID 1 has the kernel's first ones.
        return Sharing.SAME if first is not None and ours == f"{kind}:[{first}]" else Sharing.UNKNOWN

    def _lock(self, path: str) -> Reply:
        opened = self._regular(path)
        if isinstance(opened, Failure):
            return opened
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            return Locked(held=False)
        self._locks.append(opened)
        return Locked(held=True)


def _wrong(path: str, what: str) -> Failure:
    return Failure(Reason(code=Code.WRONG_KIND, detail=f"{path} is {what}, not a regular file"))


def _too_large(path: str, cap: int, unit: str = "bytes") -> Failure:
    return Failure(Reason(code=Code.TOO_LARGE, detail=f"{path} holds more than {cap} {unit}"))


def _type(mode: int) -> PathType:
    kinds = {
        stat.S_IFREG: PathType.FILE,
        stat.S_IFDIR: PathType.DIRECTORY,
        stat.S_IFLNK: PathType.LINK,
        stat.S_IFIFO: PathType.FIFO,
        stat.S_IFSOCK: PathType.SOCKET,
    }
    return kinds.get(stat.S_IFMT(mode), PathType.DEVICE)
