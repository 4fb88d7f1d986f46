"""Path lookup that stays inside a root, links and `..` included, as a chroot would see it.

openat2(2) with RESOLVE_IN_ROOT does it in the kernel; Python 3.11 has no wrapper, so it is called by number. Where the
kernel is older (ENOSYS) or a seccomp filter refuses (EPERM), a walk by directory descriptors does the same.

Of a root that is only partly the node's (see node_root.py) nothing else is given.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, Final

_OPENAT2: Final = 437  # the same on every architecture, see openat2(2)
_RESOLVE_IN_ROOT: Final = 0x10
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_MOST_LINKS: Final = 40  # path_resolution(7)
_PATH_MAX: Final = 4096  # with the NUL at its end
_TRIES: Final = 32  # openat2 gives EAGAIN while something is renamed on the way
_PROC_SUPER_MAGIC: Final = 0x9FA0
_STATFS_WORDS: Final = 32  # struct statfs has at most 120 bytes; f_type comes first
_NOTHING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


class _OpenHow(ctypes.Structure):
    _fields_: ClassVar = [  # type: ignore[mutable-override] # ctypes asks for this name
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    ]


class NotGivenError(OSError):
    """The path may be on the node, but what is found there, or the folder in which it would be, is not the node's."""

    def __init__(self, path: str) -> None:
        super().__init__(errno.EXDEV, os.strerror(errno.EXDEV), path)


class Root:
    """A directory taken as the root of a node; `holds` tells of a path of ours whether the node's own lies there."""

    def __init__(self, path: str, holds: Callable[[bytes], bool] | None = None) -> None:
        self._holds = holds
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._has_openat2 = True

    @property
    def shows_a_node(self) -> bool:
        """Whether it is the root of a node other than where we run."""
        return self._holds is not None

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._fd)

    def open(self, path: str, flags: int) -> int:
        """Give a descriptor for a path of the node; raises OSError as the system call does, or NotGivenError."""
        if self._holds is None:
            return self._open(path, flags)
        try:
            fd = self._open(path, flags)
        except OSError as error:
            if error.errno in _NOTHING:
                os.close(self._given(self._reached(path), path))
            raise
        return self._given(fd, path)

    def _given(self, fd: int, path: str) -> int:
        if self._holds is not None and self._holds(os.fsencode(os.readlink(f"/proc/self/fd/{fd}"))):
            return fd
        os.close(fd)
        raise NotGivenError(path)

    def _open(self, path: str, flags: int) -> int:
        if self._has_openat2:
            try:
                return self._openat2(path, flags | os.O_CLOEXEC)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return self.walk(path, flags)
                if error.errno not in {errno.ENOSYS, errno.EPERM}:
                    raise
                self._has_openat2 = error.errno == errno.EPERM  # a filter may refuse one call and allow another
        return self.walk(path, flags)

    def _openat2(self, path: str, flags: int) -> int:
        how = _OpenHow(flags, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        name = _encoded(path)
        for _ in range(_TRIES):
            fd: int = self._libc.syscall(_OPENAT2, self._fd, name, ctypes.byref(how), ctypes.sizeof(how))
            if fd >= 0:
                return fd
            if ctypes.get_errno() not in {errno.EAGAIN, errno.EINTR}:
                break
        raise _error(ctypes.get_errno(), path)

    def walk(self, path: str, flags: int) -> int:
        """Open a path link by link, by descriptors: an absolute link restarts at the root, `..` stops at it."""
        name = _encoded(path)
        if not name or len(name) >= _PATH_MAX:
            raise _error(errno.ENAMETOOLONG if name else errno.ENOENT, path)
        way = [os.dup(self._fd)]  # the directories gone through, from the root to where we are
        try:
            return self._walk(path, _parts(name), way, flags | os.O_CLOEXEC)
        finally:
            for fd in way:
                os.close(fd)

    def _reached(self, path: str) -> int:
        """Give the folder in which a lookup that leads nowhere ends."""
        way = [os.dup(self._fd)]
        try:
            with suppress(OSError):
                os.close(self._walk(path, _parts(_encoded(path)), way, os.O_PATH | os.O_CLOEXEC))
            return os.dup(way[-1])
        finally:
            for fd in way:
                os.close(fd)

    def _walk(self, path: str, todo: list[bytes], way: list[int], flags: int) -> int:
        links = 0
        while todo:
            name = todo.pop()
            if name in {b".", b".."}:
                os.close(os.open(b".", os.O_PATH | os.O_DIRECTORY, dir_fd=way[-1]))  # ENOTDIR, EACCES
                if name == b".." and len(way) > 1:
                    os.close(way.pop())
                continue
            if not todo and flags & os.O_NOFOLLOW:
                return os.open(name, flags, dir_fd=way[-1])
            target = self._step(name, way, last=not todo)
            if target is None:
                if todo:
                    continue
                return os.open(name, flags | os.O_NOFOLLOW, dir_fd=way[-1])
            links += 1
            if links > _MOST_LINKS:
                raise _error(errno.ELOOP, path)
            todo += _parts(target)
            if target.startswith(b"/"):
                while len(way) > 1:
                    os.close(way.pop())
        return os.open(b".", flags, dir_fd=way[-1])

    def _step(self, name: bytes, way: list[int], *, last: bool) -> bytes | None:
        """Give where a link leads; go into what is no link, unless it is the last name."""
        child = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=way[-1])
        keep = False
        try:
            if stat.S_ISLNK(os.fstat(child).st_mode):
                target = os.readlink(b"", dir_fd=child)
                if self._is_magic(child, target):
                    raise _error(errno.ELOOP, os.fsdecode(name))
                return target
            keep = not last
            if keep:
                way.append(child)
            return None
        finally:
            if not keep:
                os.close(child)

    def _is_magic(self, link: int, target: bytes) -> bool:
        """Tell the links of procfs that lead to an object, whatever their text says: exe, cwd, root, fd/*, ns/*."""
        words = (ctypes.c_long * _STATFS_WORDS)()
        if self._libc.fstatfs(link, words) != 0 or words[0] != _PROC_SUPER_MAGIC:
            return False
        return target.startswith((b"/", b"(")) or b":" in target  # self, thread-self, mounts and net are none of these


def _encoded(path: str) -> bytes:
    """Give a path as the kernel takes it, whatever the locale; NUL and lone surrogates stand in no path."""
    try:
        name = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise _error(errno.EINVAL, path) from None
    if b"\0" in name:
        raise _error(errno.EINVAL, path)
    return name


def _parts(path: bytes) -> list[bytes]:
    """Give the names of a path, the first one last, ready to be popped; a slash at the end means `.`, a directory."""
    names = [name for name in reversed(path.split(b"/")) if name]
    return [b".", *names] if path.endswith(b"/") and names else names


def _error(code: int, path: str) -> OSError:
    return OSError(code, os.strerror(code), path)
