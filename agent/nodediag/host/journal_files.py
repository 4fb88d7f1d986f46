"""The journal files below a node's root, opened inside it, so that no link leads libsystemd anywhere else.

Where they are: systemd-journald.service(8). A namespace's files lie in a folder of their own beside the machine's.
"""

import errno
import os
import stat
from typing import Final

import msgspec

from nodediag.host.live import failure
from nodediag.host.root import Root
from nodediag.model.reason import BlindSpot, Code, Reason

FOLDERS: Final = ("/var/log/journal", "/run/log/journal")
MOST_FILES: Final = 4096
_ENDINGS: Final = (".journal", ".journal~")
_HEAD_BYTES: Final = 256
_NOTHING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})


class JournalFile(msgspec.Struct, frozen=True, kw_only=True):
    """An open journal file: the node's name for it, a path of ours that leads to it, and its first bytes."""

    name: str
    path: str
    head: bytes


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The files that could be opened, and what could not, each with its reason."""

    files: tuple[JournalFile, ...]
    refused: tuple[BlindSpot, ...]


def find(root: str) -> Found:
    """Open every journal file below a root; to be called in the child that reads them, which keeps them open."""
    inside = Root(root)
    files: list[JournalFile] = []
    refused: list[BlindSpot] = []
    for folder in FOLDERS:
        for machine in _names(inside, folder, refused):
            for name in _names(inside, f"{folder}/{machine}", refused):
                if name.endswith(_ENDINGS) and len(files) < MOST_FILES:
                    _open(inside, f"{folder}/{machine}/{name}", files, refused)
    return Found(files=tuple(files), refused=tuple(refused))


def _names(root: Root, folder: str, refused: list[BlindSpot]) -> list[str]:
    try:
        fd = root.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno not in _NOTHING:
            refused.append(BlindSpot(what=folder, reason=failure(error, folder).reason))
        return []
    try:
        return sorted(os.listdir(fd))
    finally:
        os.close(fd)


def _open(root: Root, name: str, files: list[JournalFile], refused: list[BlindSpot]) -> None:
    try:
        fd = root.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        refused.append(BlindSpot(what=name, reason=failure(error, name).reason))
        return
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        reason = Reason(code=Code.WRONG_KIND, detail=f"{name} is not a regular file")
        refused.append(BlindSpot(what=name, reason=reason))
        return
    files.append(JournalFile(name=name, path=f"/proc/self/fd/{fd}", head=os.pread(fd, _HEAD_BYTES, 0)))
