"""Answers from a root directory of this machine. Any call here may block; it runs in a child, see sacrifice.py."""

import errno
import os
import socket
import stat
import time
from collections.abc import Callable
from typing import Final

from nodediag.host import folders, lock, processes
from nodediag.host.answer import (
    Content,
    Digested,
    Failure,
    Locked,
    Names,
    NamespaceAnswer,
    PathStat,
    PathType,
    Reply,
    Sharing,
    Target,
    UnameAnswer,
    VfsStat,
)
from nodediag.host.ask import (
    BUS_SOCKET,
    PRIVATE_SOCKET,
    Ask,
    Below,
    Certificates,
    Connect,
    Cri,
    Digest,
    Healthz,
    Kubeconfig,
    List,
    Lock,
    Metadata,
    Namespace,
    Namespaces,
    PacketFilter,
    Processes,
    Read,
    Readlink,
    Sizes,
    Stat,
    Statvfs,
    Uname,
    Units,
)
from nodediag.host.node_root import open_root
from nodediag.host.root import NotGivenError, Root
from nodediag.model.reason import Code, Reason

UNITS_BUDGET_S: Final = 5.0  # less than a child is given, so that the answer is ours
SOCKET_BUDGET_S: Final = 1.5  # as above
CRI_BUDGET_S: Final = 4.0  # as above
_NAMES_CAP_BYTES: Final = 8 * 1024 * 1024
_NAME_COSTS_BYTES: Final = 64  # in memory, beside its letters
_LISTS_BYTES: Final = 1024 * 1024  # of modules, of tables
_LOCKS_CAP_BYTES: Final = 4 * 1024 * 1024
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
    errno.ECONNREFUSED: Code.ABSENT,  # a socket that nobody listens at any more
    errno.ENAMETOOLONG: Code.UNSUPPORTED,
    errno.ETIMEDOUT: Code.TIMED_OUT,
    errno.EOPNOTSUPP: Code.UNSUPPORTED,
}
_NEEDS: Final = {
    Code.NOT_PERMITTED: "root, or the right to read it",
    Code.TIMED_OUT: "a file system that answers",
    Code.CRASHED: "a file system or device that does not fail",
}
_MOST: Final = (1 << 63) - 1  # what an answer may say; a file system may claim more
_UNIX_FIELDS: Final = 7  # Num RefCount Protocol Flags Type St Inode, then a path
_TABLE_BYTES: Final = 64 * 1024 * 1024
# The inode numbers of the first namespaces, from the kernel's include/uapi/linux/nsfs.h and include/linux/proc_ns.h.
_FIRST: Final = {
    Namespace.IPC: 0xEFFFFFFF, Namespace.UTS: 0xEFFFFFFE, Namespace.PID: 0xEFFFFFFC, Namespace.CGROUP: 0xEFFFFFFB,
}  # fmt: skip


class LiveSource:
    """A root directory of this machine, asked directly; a lock it takes is handed over, so that it outlives a child."""

    def __init__(
        self,
        root: str,
        hand_over: Callable[[int], None] | None = None,
        *,
        units_budget_s: float = UNITS_BUDGET_S,
        socket_budget_s: float = SOCKET_BUDGET_S,
        cri_budget_s: float = CRI_BUDGET_S,
    ) -> None:
        self._path = root
        self._root: Root | None = None
        self._units_budget_s = units_budget_s
        self._socket_budget_s = socket_budget_s
        self._cri_budget_s = cri_budget_s
        self._locks: list[int] = []
        self._hand_over = hand_over or self._locks.append

    def answer(self, ask: Ask) -> Reply:
        """Answer one question; what the system refuses becomes a Failure with its reason."""
        try:
            return self._answer(ask)
        except OSError as error:
            return failure(error, getattr(ask, "path", self._path))

    def _answer(self, ask: Ask) -> Reply:  # noqa: C901, PLR0911, PLR0912 - one for each question
        match ask:
            case Read(path=path, cap_bytes=cap_bytes):
                return self._read(path, cap_bytes)
            case List(path):
                return self._list(path)
            case Stat(path):
                return self._stat(path)
            case Statvfs(path):
                return self._statvfs(path)
            case Readlink(path):
                return self._readlink(path)
            case Processes(names, below):
                return self._processes(names, below)
            case Uname():
                name = os.uname()
                return UnameAnswer(name.sysname, name.nodename, name.release, name.version, name.machine)
            case Namespaces():
                return NamespaceAnswer({kind: self._sharing(kind) for kind in Namespace})
            case Lock(path):
                return self._lock(path)
            case Metadata(keys, server):
                from nodediag.host import metadata  # noqa: PLC0415 - http.client, which only who asks needs

                return metadata.fetch(keys, server)
            case Units():
                return self._units()
            case Digest(path, cap_bytes):
                return self._digest(path, cap_bytes)
            case Certificates(path):
                from nodediag.host import certificates  # noqa: PLC0415 - a node without a kubelet need not load it

                return certificates.answer(path, self._read(path, certificates.CAP_BYTES))
            case Healthz(address, port):
                from nodediag.host import healthz  # noqa: PLC0415 - as above

                return healthz.ask(address, port)
            case Kubeconfig(path):
                from nodediag.host import kubeconfig  # noqa: PLC0415 - as above

                return kubeconfig.answer(path, self._read(path, kubeconfig.CAP_BYTES))
            case Connect(path):
                return self._connect(path)
            case Cri(path):
                return self._cri(path)
            case Below(path, names, depth):
                return folders.files(self._folder(path), names, depth)
            case Sizes(path, depth):
                return folders.sizes(self._folder(path), depth)
            case PacketFilter():
                return self._packet_filter()

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

    def _digest(self, path: str, cap_bytes: int) -> Reply:
        from hashlib import md5  # noqa: PLC0415 - only a deep look pays for it

        opened = self._regular(path)
        if isinstance(opened, Failure):
            return opened
        digest, left = md5(usedforsecurity=False), cap_bytes
        try:
            while chunk := os.read(opened, 1 << 20):
                left -= len(chunk)
                if left < 0:
                    return _too_large(path, cap_bytes)
                digest.update(chunk)
        finally:
            os.close(opened)
        return Digested(digest.hexdigest())

    def _open(self, path: str, flags: int) -> int:
        return self._opened().open(path, flags)

    def _opened(self) -> Root:
        if self._root is None:
            self._root = open_root(self._path)
        return self._root

    def _regular(self, path: str) -> int | Failure:
        """Open a regular file; what it is, is looked at before it is opened, since opening a device or FIFO acts.

        What was looked at is what is opened, whatever stands at the path by then; only where we have no procfs of our
        own is the path looked up again.
        """
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        probe = self._open(path, os.O_PATH)
        try:
            seen = os.fstat(probe)
            if not stat.S_ISREG(seen.st_mode):
                return _wrong(path, f"a {_type(seen.st_mode)}")
            if os.path.lexists(f"/proc/self/fd/{probe}"):
                return os.open(f"/proc/self/fd/{probe}", flags)
        finally:
            os.close(probe)
        fd = self._open(path, flags)
        if os.path.samestat(seen, os.fstat(fd)):
            return fd
        os.close(fd)
        return _wrong(path, "replaced by another file while it was opened")

    def _folder(self, path: str) -> int:
        return self._open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)

    def _list(self, path: str) -> Reply:
        fd = self._folder(path)
        names: list[str] = []
        left = _NAMES_CAP_BYTES
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    names.append(_text(entry.name))
                    left -= len(names[-1]) + _NAME_COSTS_BYTES
                    if left < 0:
                        return _too_large(path, len(names) - 1, "names")
        finally:
            os.close(fd)
        return Names(tuple(sorted(names)))

    def _stat(self, path: str) -> Reply:
        fd = self._open(path, os.O_PATH)
        try:
            found = os.fstat(fd)
        finally:
            os.close(fd)
        return PathStat(
            kind=_type(found.st_mode),
            mode=f"{stat.S_IMODE(found.st_mode):04o}",
            size_bytes=found.st_size,
            device=_device(found),
            uid=found.st_uid,
            gid=found.st_gid,
        )

    def _statvfs(self, path: str) -> Reply:
        fd = self._open(path, os.O_PATH)
        try:
            found, device = os.fstatvfs(fd), _device(os.fstat(fd))
        finally:
            os.close(fd)
        return VfsStat(
            device=device,
            size_bytes=min(found.f_blocks * found.f_frsize, _MOST),
            available_bytes=min(found.f_bavail * found.f_frsize, _MOST),
            inodes=min(found.f_files, _MOST),
            inodes_free=min(found.f_ffree, _MOST),
            read_only=bool(found.f_flag & os.ST_RDONLY),
        )

    def _readlink(self, path: str) -> Reply:
        fd = self._open(path, os.O_PATH | os.O_NOFOLLOW)
        try:
            if not stat.S_ISLNK(os.fstat(fd).st_mode):
                return _wrong(path, "not a symbolic link")
            target = os.readlink("", dir_fd=fd)
        finally:
            os.close(fd)
        return Target(_text(target))

    def _processes(self, names: tuple[str, ...], below: tuple[str, ...]) -> Reply:
        """List them by a descriptor, since psutil, given a path, would follow its links out of the root."""
        try:
            procfs = self._open("/proc", os.O_PATH | os.O_DIRECTORY)
        except OSError as error:
            return failure(error, "/proc")
        try:
            return processes.living(f"/proc/self/fd/{procfs}", names, below)
        finally:
            os.close(procfs)

    def _connect(self, path: str) -> Reply:
        fd = self._open(path, os.O_PATH)
        from nodediag.host import sockets  # noqa: PLC0415 - only where there is a socket

        try:
            return sockets.knock(fd, path, self._socket_budget_s)
        finally:
            os.close(fd)

    def _cri(self, path: str) -> Reply:
        fd = self._open(path, os.O_PATH)
        from nodediag.host import cri  # noqa: PLC0415 - only where there is a socket

        try:
            return cri.ask(fd, path, self._cri_budget_s)
        finally:
            os.close(fd)

    def _units(self) -> Reply:
        """Ask at the first socket that answers; the bus's failure is told first, unless there is no bus."""
        until = time.monotonic() + self._units_budget_s
        refused = Failure(Reason(code=Code.ABSENT, detail="systemd has no socket here"))
        for path in (BUS_SOCKET, PRIVATE_SOCKET):
            try:
                said = self._units_at(path, until)
            except OSError as error:
                said = failure(error, path)
            if not isinstance(said, Failure):
                return said
            if refused.reason.code is Code.ABSENT:
                refused = said
        return refused

    def _units_at(self, path: str, until: float) -> Reply:
        fd = self._open(path, os.O_PATH)
        from nodediag.host import dbus  # noqa: PLC0415 - only where there is a socket

        try:
            with dbus.connected(fd, path, until) as connection:
                return dbus.systemd(connection, path)
        except dbus.TalkError as error:
            return Failure(Reason(code=error.code, detail=f"{path}: {error}", needs="a systemd that answers there"))
        finally:
            os.close(fd)

    def _packet_filter(self) -> Reply:
        sharing = self._sharing(Namespace.NET)
        if sharing is not Sharing.SAME:
            told = "is not that of" if sharing is Sharing.OTHER else "cannot be compared with that of"
            detail = f"our network namespace {told} the node's PID 1, and the packet filter belongs to one"
            return Failure(Reason(code=Code.OTHER_NAMESPACE, detail=detail, needs="to run on the node itself, as root"))
        from nodediag.host import packet_filter  # noqa: PLC0415 - one question, late in a run

        return packet_filter.ask(lambda path: self.answer(Read(path, _LISTS_BYTES)), os.uname().release)

    def _sharing(self, kind: Namespace) -> Sharing:
        if kind is Namespace.MOUNT and self._path != "/":
            # of a root that shows a node all that is given is as PID 1 has it
            return Sharing.SAME if self._opened().shows_a_node else Sharing.UNKNOWN
        try:
            ours = os.readlink(f"/proc/self/ns/{kind}")
        except OSError:  # a kernel without this kind
            return Sharing.UNKNOWN
        theirs = self.answer(Readlink(f"/proc/1/ns/{kind}"))
        if isinstance(theirs, Target):
            return Sharing.SAME if theirs.target == ours else Sharing.OTHER
        if kind is Namespace.MOUNT:
            return self._same_mounts()
        if kind is Namespace.NET:
            return self._same_sockets()
        first = _FIRST.get(kind)
        # An unprivileged reader may not ask for PID 1's, but a node's PID 1 has the kernel's first ones.
        return Sharing.SAME if first is not None and ours == f"{kind}:[{first}]" else Sharing.UNKNOWN

    def _same_mounts(self) -> Sharing:
        """Compare the tables, which are open to all, where the namespaces are not."""
        ours, theirs = self._read("/proc/self/mountinfo", _TABLE_BYTES), self._read("/proc/1/mountinfo", _TABLE_BYTES)
        if not (isinstance(ours, Content) and isinstance(theirs, Content)):
            return Sharing.UNKNOWN
        return Sharing.SAME if ours.data == theirs.data else Sharing.OTHER

    def _same_sockets(self) -> Sharing:
        """Look for a socket of ours in the list of PID 1's network namespace, which is open to all: proc_pid_net(5)."""
        with socket.socket(socket.AF_UNIX) as ours:
            number = os.fstat(ours.fileno()).st_ino
            listed = self.answer(Read("/proc/1/net/unix", _TABLE_BYTES))
        if not isinstance(listed, Content):
            return Sharing.UNKNOWN
        rows = (row.split() for row in listed.data.split(b"\n")[1:])
        found = any(len(row) >= _UNIX_FIELDS and row[_UNIX_FIELDS - 1] == b"%d" % number for row in rows)
        return Sharing.SAME if found else Sharing.OTHER

    def _lock(self, path: str) -> Reply:
        opened = self._regular(path)
        if isinstance(opened, Failure):
            return opened
        try:
            held = lock.take(opened, self._all_locks, self._owner)
        except BaseException:
            os.close(opened)
            raise
        if held:
            self._hand_over(opened)
        else:
            os.close(opened)
        return Locked(held=held)

    def _all_locks(self) -> bytes:
        reply = self._read("/proc/locks", _LOCKS_CAP_BYTES)
        return reply.data if isinstance(reply, Content) else b""

    def _owner(self, pid: int) -> int:
        fd = self._open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY)
        try:
            return os.fstat(fd).st_uid
        finally:
            os.close(fd)


def failure(error: OSError, path: str) -> Failure:
    """Give what the system refused as an answer, with a code and what would be needed."""
    if isinstance(error, NotGivenError):
        return Failure(Reason(code=Code.NOT_CAPTURED, detail=f"{path} of the node is not mounted here", needs=path))
    number = error.errno or 0
    code = _CODES.get(number, Code.CRASHED)
    what = "a loop of symbolic links, or a link only the kernel can follow" if number == errno.ELOOP else ""
    detail = f"{path}: {what or os.strerror(number)}"
    return Failure(Reason(code=code, detail=detail, needs=_NEEDS.get(code, "")))


def _wrong(path: str, what: str) -> Failure:
    return Failure(Reason(code=Code.WRONG_KIND, detail=f"{path} is {what}, not a regular file"))


def _too_large(path: str, cap: int, unit: str = "bytes") -> Failure:
    return Failure(Reason(code=Code.TOO_LARGE, detail=f"{path} holds more than {cap} {unit}"))


def _device(found: os.stat_result) -> str:
    return f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"


def _type(mode: int) -> PathType:
    kinds = {
        stat.S_IFREG: PathType.FILE,
        stat.S_IFDIR: PathType.DIRECTORY,
        stat.S_IFLNK: PathType.LINK,
        stat.S_IFIFO: PathType.FIFO,
        stat.S_IFSOCK: PathType.SOCKET,
    }
    return kinds.get(stat.S_IFMT(mode), PathType.DEVICE)


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
