"""One diagnosis at a time: an exclusive flock(2) on a file of the node, which writes nothing.

Whoever may read a file may lock it, and hold it for ever. So a lock that an ordinary user holds keeps ordinary users
waiting, not root; proc_locks(5) tells whose it is.
"""

import fcntl
import os
import re
from collections.abc import Callable
from typing import Final

_ROOT_UID: Final = 0
_LINE: Final = re.compile(rb"^\d+: FLOCK +ADVISORY +WRITE +(\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) ", re.MULTILINE)


def take(fd: int, locks: Callable[[], bytes], owner: Callable[[int], int]) -> bool:
    """Try once; `locks` gives /proc/locks, `owner` the user of a process, either may raise OSError."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.geteuid() == _ROOT_UID and _held_by_ordinary_user(fd, locks, owner)
    return True


def _held_by_ordinary_user(fd: int, locks: Callable[[], bytes], owner: Callable[[int], int]) -> bool:
    file = os.fstat(fd)
    wanted = (os.major(file.st_dev), os.minor(file.st_dev), file.st_ino)
    try:
        for pid, major, minor, inode in _LINE.findall(locks()):
            if (int(major, 16), int(minor, 16), int(inode)) == wanted and int(pid) > 0:
                return owner(int(pid)) != _ROOT_UID
    except OSError:
        pass  # it has just ended, or we may not know: asked again later
    return False
