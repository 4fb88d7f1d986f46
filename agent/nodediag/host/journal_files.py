"""The journal files below a node's root, opened inside it, so that no link leads libsystemd anywhere else.

Where they are: systemd-journald.service(8). A namespace's files lie in a folder of their own beside the machine's.
Their inside, as far as it is looked at here, is "Journal File Format" of systemd.
"""

import errno
import mmap
import os
import resource
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import msgspec

from nodediag.host.live import failure
from nodediag.host.node_root import open_root
from nodediag.host.root import Root
from nodediag.model.reason import BlindSpot, Code, Reason

FOLDERS: Final = ("/var/log/journal", "/run/log/journal")
MOST_FILES: Final = 4096
_MACHINE_ID: Final = "/etc/machine-id"
_MACHINE_ID_BYTES: Final = 32
_ENDINGS: Final = (".journal", ".journal~")
_HEAD_BYTES: Final = 256
_NOTHING: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_LOOKS: Final = 4  # a file that is rotated while we look has another name in the next listing
_ENTRY: Final = 3
_BLOCK_BYTES: Final = 512
_ARRAY: Final = struct.Struct("<B7xQQ")  # type, size, offset of the next array; the offsets of entries follow
_ENTRY_START: Final = struct.Struct("<B7xQQQQ")  # type, size, number, realtime, monotonic


class JournalFile(msgspec.Struct, frozen=True, kw_only=True):
    """An open journal file: the node's name for it, a path of ours that leads to it, and its first bytes."""

    name: str
    fd: int
    head: bytes

    @property
    def path(self) -> str:
        """Give a path by which this process, and one that inherits the descriptor, opens the file."""
        return f"/proc/self/fd/{self.fd}"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The files that could be opened, what could not and why, and the node's machine id, empty if it has none."""

    files: tuple[JournalFile, ...]
    refused: tuple[BlindSpot, ...]
    machine: str


def find(root: str) -> Found:
    """Open every journal file below a root; to be called in the child that reads them, which keeps them open.

    Journald may rename a file, and begin another under the old name, between our listing and our opening: it is looked
    again until nothing new is there. What has once been opened stays readable, whatever becomes of its name.
    """
    _make_room()
    inside = open_root(root)
    try:
        return _found(inside)
    finally:
        inside.close()


def _found(inside: Root) -> Found:
    files: dict[tuple[int, int], JournalFile] = {}
    refused: list[BlindSpot] = []
    for _ in range(_LOOKS):
        before = len(files)
        refused = []
        for name in _all_names(inside, refused):
            _open(inside, name, files, refused)
        if len(files) == before:
            break
    return Found(files=tuple(files.values()), refused=tuple(refused), machine=_machine(inside))


def close(found: Found) -> None:
    """Close the files; who has opened them anew by their paths keeps them."""
    for file in found.files:
        os.close(file.fd)


def room(files: tuple[JournalFile, ...]) -> int:
    """Give how many bytes of disk some files take now."""
    return sum(os.fstat(file.fd).st_blocks for file in files) * _BLOCK_BYTES


class Folders:
    """The folders of the journal below a root, watched for files that come and go."""

    def __init__(self, root: str) -> None:
        self._root = Root(root)

    def stamps(self) -> tuple[tuple[str, int], ...]:
        """Give each folder with the time of its last change; equal as long as no file came, went or was renamed."""
        return tuple(self._stamps())

    def _stamps(self) -> Iterator[tuple[str, int]]:
        for folder in FOLDERS:
            for name in ("", *_names(self._root, folder, [])):
                path = f"{folder}/{name}".rstrip("/")
                with suppress(OSError):
                    fd = self._root.open(path, os.O_PATH)
                    try:
                        yield path, os.fstat(fd).st_mtime_ns
                    finally:
                        os.close(fd)


def _make_room() -> None:
    """Allow us as many open files as we may have: libsystemd opens each once more."""
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _all_names(root: Root, refused: list[BlindSpot]) -> Iterator[str]:
    for folder in FOLDERS:
        for machine in _names(root, folder, refused):
            for name in _names(root, f"{folder}/{machine}", refused):
                if name.endswith(_ENDINGS):
                    yield f"{folder}/{machine}/{name}"


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


def _open(root: Root, name: str, files: dict[tuple[int, int], JournalFile], refused: list[BlindSpot]) -> None:
    try:
        fd = root.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno != errno.ENOENT:  # it has been rotated or deleted since it was listed
            refused.append(BlindSpot(what=name, reason=failure(error, name).reason))
        return
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        reason = Reason(code=Code.WRONG_KIND, detail=f"{name} is not a regular file")
    elif (found.st_dev, found.st_ino) in files:
        reason = None
    elif len(files) >= MOST_FILES:
        reason = Reason(code=Code.TOO_LARGE, detail=f"{name}: not read, there are more than {MOST_FILES} files")
    else:
        files[found.st_dev, found.st_ino] = JournalFile(name=name, fd=fd, head=os.pread(fd, _HEAD_BYTES, 0))
        return
    os.close(fd)
    if reason is not None:
        refused.append(BlindSpot(what=name, reason=reason))


def _machine(root: Root) -> str:
    try:
        fd = root.open(_MACHINE_ID, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        return os.read(fd, _MACHINE_ID_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def first_entry(file: JournalFile, array_at: int, *, compact: bool) -> tuple[int, int] | None:
    """Give number and monotonic time of a file's first entry, None where there is none to be read."""
    try:
        _, _, _, item = struct.unpack(
            "<B7xQQI4x" if compact else "<B7xQQQ", os.pread(file.fd, _ARRAY.size + 8, array_at)
        )
        kind, _, number, _, monotonic_us = _ENTRY_START.unpack(os.pread(file.fd, _ENTRY_START.size, item))
    except (struct.error, OSError, OverflowError):
        return None
    return (number, monotonic_us) if kind == _ENTRY else None


@contextmanager
def mapped(file: JournalFile) -> Iterator[mmap.mmap | None]:
    """Map a file that nobody writes to; None where it cannot be, which libsystemd will tell. For a child only."""
    try:
        data = mmap.mmap(file.fd, 0, prot=mmap.PROT_READ)
    except (OSError, ValueError):
        yield None
        return
    with data:
        yield data
