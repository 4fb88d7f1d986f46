"""Path lookup that stays inside a root, links and `..` included, as a chroot would see it.

openat2(2) with RESOLVE_IN_ROOT does it in the kernel; Python 3.11 has no wrapper, so it is called by number. Where the
kernel is older (ENOSYS) or a seccomp filter refuses (EPERM), a walk by directory descriptors does the same.
"""

import ctypes
import errno
import os
import stat
from typing import ClassVar, Final

_OPENAT2: Final = 437  # the same on every architecture, see openat2(2)
_RESOLVE_IN_ROOT: Final = 0x10
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_MOST_LINKS: Final = 40  # path_resolution(7)
_TRIES: Final = 32  # openat2 gives EAGAIN while something is renamed on the way


class _OpenHow(ctypes.Structure):
    _fields_: ClassVar = [  # type: ignore[mutable-override] # ctypes asks for this name
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    ]


class Root:
    """A directory taken as the root of a node."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._has_openat2 = True

    def open(self, path: str, flags: int) -> int:
        """Give a descriptor for a path of the node; raises OSError as the system call does."""
        if self._has_openat2:
            try:
                return self._openat2(path, flags | os.O_CLOEXEC)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return self.walk(path, flags | os.O_CLOEXEC)
                if error.errno not in {errno.ENOSYS, errno.EPERM}:
                    raise
                self._has_openat2 = error.errno == errno.EPERM  # a filter may refuse one call and allow another
        return self.walk(path, flags | os.O_CLOEXEC)

    def _openat2(self, path: str, flags: int) -> int:
        how = _OpenHow(flags, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        name = os.fsencode(path)
        if b"\0" in name:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
        for _ in range(_TRIES):
            fd: int = self._syscall(_OPENAT2, self._fd, name, ctypes.byref(how), ctypes.sizeof(how))
            if fd >= 0:
                return fd
            if ctypes.get_errno() not in {errno.EAGAIN, errno.EINTR}:
                break
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)

    def walk(self, path: str, flags: int) -> int:  # noqa: C901 - one walk, read from top to bottom
        """Open a path link by link, by descriptors: an absolute link restarts at the root, `..` stops at it."""
        todo = _parts(path)
        above: list[int] = []
        here = os.dup(self._fd)
        links = 0
        try:
            while todo:
                name = todo.pop()
                if name == "..":
                    if above:
                        os.close(here)
                        here = above.pop()
                    continue
                last = not todo
                if last and flags & os.O_NOFOLLOW:
                    return os.open(name, flags, dir_fd=here)
                child = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
                if not stat.S_ISLNK(os.fstat(child).st_mode):
                    if last:
                        os.close(child)
                        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=here)
                    above.append(here)
                    here = child
                    continue
                target = os.readlink("", dir_fd=child)
                os.close(child)
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                todo += _parts(target)
                if target.startswith("/"):
                    for fd in (*above, here):
                        os.close(fd)
                    above = []
                    here = os.dup(self._fd)
            return os.open(".", flags, dir_fd=here)
        finally:
            for fd in (*above, here):
                os.close(fd)


def _parts(path: str) -> list[str]:
    """Give the names of a path, the first one last, ready to be popped."""
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]
