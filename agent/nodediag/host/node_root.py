"""A node's root seen from a pod or a toolbox: bound as a whole, or by some named paths only.

A folder shows a node when a procfs is mounted at its /proc whose PID 1 has other mounts than we have. What lies below
the folder is the node's where PID 1 has the same place of the same file system at that path, and nowhere else: not in
the folders that the container's runtime made to mount something in, not in a file that the node has replaced since, not
below what the node has mounted over it since. So what we were not given is never taken for absent.
"""

import os
import re
import stat
from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

from nodediag.host.root import Root

_CAP_BYTES: Final = 64 * 1024 * 1024
_ESCAPE: Final = re.compile(rb"\\([0-7]{3})")
_FIELDS: Final = 6  # before the optional ones, see proc_pid_mountinfo(5)

Place: TypeAlias = tuple[bytes, bytes]


class _Mount(msgspec.Struct, frozen=True, gc=False):
    id: bytes
    parent: bytes
    device: bytes
    root: bytes
    target: bytes
    fstype: bytes


class MountTable:
    """A mount table, asked as the kernel looks a path up: from the root on, each mount on the one before it."""

    def __init__(self, data: bytes) -> None:
        self.all = tuple(_parsed(data))
        self._roots = tuple(mount for mount in self.all if mount.target == b"/")
        self._on = {(mount.parent, mount.target): mount for mount in self.all if mount.parent != mount.id}

    def places(self, path: bytes) -> set[Place]:
        """Give on which device an absolute path lies and where on it: one place, but where there are two roots."""
        return {self._place(root, path) for root in self._roots}

    def _place(self, root: _Mount, path: bytes) -> Place:
        held = root
        for prefix in _prefixes(path):
            while (upon := self._on.get((held.id, prefix))) is not None:
                held = upon
        below = path[len(held.target.rstrip(b"/")) :]
        return held.device, (held.root.rstrip(b"/") + below) or b"/"


def open_root(folder: str) -> Root:
    """Open a folder as a root; where it shows a node, nothing below it that is not the node's can be opened."""
    bare = Root(folder)
    if folder == "/":
        return bare
    try:
        ours = _own_mounts()
        theirs = _mounts_of_init(bare) if _has_procfs(bare, ours) else None
    except OSError:
        return bare
    # A mount has one id in all namespaces, and no mount is in two; texts could be compared only if nothing changed.
    if theirs is None or not {mount.id for mount in theirs.all}.isdisjoint(mount.id for mount in ours.all):
        return bare
    bare.close()
    above = len(os.fsencode(folder).rstrip(b"/"))
    return Root(folder, lambda path: not ours.places(path).isdisjoint(theirs.places(path[above:] or b"/")))


def _has_procfs(root: Root, ours: MountTable) -> bool:
    fd = root.open("/proc", os.O_PATH | os.O_DIRECTORY)
    try:
        number = os.fstat(fd).st_dev
    finally:
        os.close(fd)
    device = b"%d:%d" % (os.major(number), os.minor(number))
    return any(mount.device == device and mount.fstype == b"proc" for mount in ours.all)


def _own_mounts() -> MountTable:
    with open("/proc/self/mountinfo", "rb") as file:
        return MountTable(file.read())


def _mounts_of_init(root: Root) -> MountTable | None:
    with open(root.open("/proc/1/mountinfo", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb") as file:
        return MountTable(file.read(_CAP_BYTES)) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else None


def _prefixes(path: bytes) -> Iterator[bytes]:
    """Give the folders on the way to an absolute path, and itself, but not the root."""
    at = path.find(b"/", 1)
    while at > 0:
        yield path[:at]
        at = path.find(b"/", at + 1)
    if path != b"/":
        yield path


def _parsed(data: bytes) -> Iterator[_Mount]:
    for line in data.splitlines():
        fields, _, rest = line.partition(b" - ")
        words = fields.split(b" ")
        if len(words) >= _FIELDS:
            yield _Mount(words[0], words[1], words[2], _plain(words[3]), _plain(words[4]), rest.split(b" ")[0])


def _plain(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), text)
