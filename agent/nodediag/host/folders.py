"""Walks of folders, by descriptors, so that no link and no mount is ever followed; bounded in time and in entries.

A mount's id stands in /proc/self/fdinfo (proc_pid_fdinfo(5)): it tells a folder of the same file system that was
mounted over from one that was not, which its device number does not.
"""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from nodediag.host.answer import FilesBelow, SizesBelow
from nodediag.host.answer_parts import FileBelow, Size

MOST_FILES: Final = 4096
SMALL_BYTES: Final = 64 * 1024
MOST_ENTRIES: Final = 400_000
WALK_BUDGET_S: Final = 5.0  # less than a child is given, so that the answer is ours
LARGEST: Final = 10
_DEEPEST: Final = 64
_BLOCK_BYTES: Final = 512  # stat(2) counts in these whatever the file system's own are
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def files(folder: int, names: tuple[str, ...], depth: int) -> FilesBelow:
    """Read them, and close the folder; one that vanishes meanwhile, as cgroups do, was not there."""
    found: list[FileBelow] = []
    complete = True
    for path, fd in _folders(folder, "", depth):
        for name in names:
            if len(found) >= MOST_FILES:
                complete = False
                break
            with suppress(OSError):
                data = _small(fd, name)
                if data is not None:
                    found.append(FileBelow(path + name, data))
    return FilesBelow(tuple(sorted(found, key=lambda file: file.path)), complete)


def _folders(folder: int, path: str, depth: int) -> Iterator[tuple[str, int]]:
    """Give a folder and those below it, each closed when the next is asked for."""
    try:
        yield path, folder
        if depth > 0:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
            for name in names:
                with suppress(OSError):
                    yield from _folders(os.open(name, _FOLDER, dir_fd=folder), f"{path}{_text(name)}/", depth - 1)
    finally:
        os.close(folder)


def _small(folder: int, name: str) -> bytes | None:
    fd = os.open(name, _FILE, dir_fd=folder)
    try:
        return os.read(fd, SMALL_BYTES) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)


def sizes(folder: int, depth: int) -> SizesBelow:
    """Add up what lies below a folder, and close it."""
    walk = _Walk(folder, depth)
    walk.look(folder, "", 0)
    whole = sorted(walk.sums.items(), key=lambda item: (-item[1][0], item[0]))
    return SizesBelow(
        largest=tuple(Size(path, used, count) for path, (used, count) in whole[:LARGEST]),
        bytes=sum(used for used, _ in walk.sums.values()),
        files=sum(count for _, count in walk.sums.values()),
        complete=walk.complete,
    )


class _Walk:
    """Sums by the entry some levels down; a file of many names counts once."""

    def __init__(self, folder: int, depth: int) -> None:
        self.sums: dict[str, tuple[int, int]] = {}
        self.complete = True
        self._depth = depth
        self._mount = _mount_id(folder)
        self._seen: set[tuple[int, int]] = set()
        self._left = MOST_ENTRIES
        self._until = time.monotonic() + WALK_BUDGET_S

    def look(self, folder: int, path: str, level: int) -> None:
        """Look at a folder's entries and close it."""
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._left -= 1
                    if self._left < 0 or time.monotonic() > self._until:
                        self.complete = False
                        return
                    name = path if level >= self._depth else f"{path}/{_text(entry.name)}".lstrip("/")
                    self._entry(folder, entry, name, level)
        except OSError:
            self.complete = False
        finally:
            os.close(folder)

    def _entry(self, folder: int, entry: "os.DirEntry[str]", path: str, level: int) -> None:
        try:
            held = entry.stat(follow_symlinks=False)
            below = None
            if stat.S_ISDIR(held.st_mode):
                below = os.open(entry.name, _FOLDER, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError:
            self.complete = False
            return
        if below is not None and (level >= _DEEPEST or _mount_id(below) != self._mount):
            os.close(below)
            return
        if self._counts(held):
            used, count = self.sums.get(path, (0, 0))
            self.sums[path] = (used + held.st_blocks * _BLOCK_BYTES, count + 1)
        if below is not None:
            self.look(below, path, level + 1)

    def _counts(self, held: os.stat_result) -> bool:
        if held.st_nlink < 2 or stat.S_ISDIR(held.st_mode):  # noqa: PLR2004 - more names than one
            return True
        key = (held.st_dev, held.st_ino)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _mount_id(fd: int) -> bytes:
    """Give the id of the mount on which an open folder lies; empty where we have no procfs, as for all."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", "rb") as file:
            return next((line for line in file if line.startswith(b"mnt_id:")), b"")
    except OSError:
        return b""


def _text(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
