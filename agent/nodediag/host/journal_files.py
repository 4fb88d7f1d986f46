"""The journal files below a node's root, opened inside it, so that no link leads libsystemd anywhere else.

Where they are: systemd-journald.service(8). A namespace's files lie in a folder of their own beside the machine's.
"""

import os
import stat
from typing import Final

import msgspec

from nodediag.host.root import Root

FOLDERS: Final = ("/var/log/journal", "/run/log/journal")
MOST_FILES: Final = 4096
_ENDINGS: Final = (".journal", ".journal~")
_HEAD_BYTES: Final = 256


class JournalFile(msgspec.Struct, frozen=True, kw_only=True):
    """An open journal file: the node's name for it, a path of ours that leads to it, and its first bytes."""

    name: str
    path: str
    head: bytes


def find(root: str) -> tuple[JournalFile, ...]:
    """Open every journal file below a root; to be called in the child that reads them, which keeps them open."""
    inside = Root(root)
    found: list[JournalFile] = []
    for folder in FOLDERS:
        for machine in _names(inside, folder):
            for name in _names(inside, f"{folder}/{machine}"):
                if name.endswith(_ENDINGS) and len(found) < MOST_FILES:
                    found += _opened(inside, f"{folder}/{machine}/{name}")
    return tuple(found)


def _names(root: Root, folder: str) -> list[str]:
    try:
        fd = root.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return []
    try:
        return sorted(os.listdir(fd))
    finally:
        os.close(fd)


def _opened(root: Root, name: str) -> list[JournalFile]:
    try:
        fd = root.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return []
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return []
    return [JournalFile(name=name, path=f"/proc/self/fd/{fd}", head=os.pread(fd, _HEAD_BYTES, 0))]
