"""Whether a folder is the root of a node that is not our own file system: what a pod or a toolbox is given.

It must hold a mounted procfs whose PID 1 has other mounts than we have, and it must be what that PID 1 has as `/`. So
an empty folder, a copy of one, a bind mount of our own root, and a folder into which only `/proc` and `/sys` of the
node were mounted (whose other files would all seem absent) never win.
"""

import re
from typing import Final

import msgspec

from nodediag.host.ask import Content, PathStat, Read, Stat
from nodediag.host.host import Source

_CAP_BYTES: Final = 64 * 1024 * 1024
_ESCAPE: Final = re.compile(rb"\\([0-7]{3})")
_FIELDS: Final = 6  # before the optional ones, see proc_pid_mountinfo(5)


class _Mount(msgspec.Struct, frozen=True):
    id: bytes
    device: bytes
    root: bytes
    target: bytes
    fstype: bytes


def shows_a_node(candidate: Source, folder: str) -> bool:
    """Tell whether `candidate`, whose root is `folder`, is a node's root seen from elsewhere."""
    procfs = candidate.answer(Stat("/proc"))
    if not isinstance(procfs, PathStat):
        return False
    ours = _own_mounts()
    if not any(mount.device == procfs.device.encode() and mount.fstype == b"proc" for mount in ours):
        return False
    told = candidate.answer(Read("/proc/1/mountinfo", _CAP_BYTES))
    theirs = _parsed(told.data) if isinstance(told, Content) else []
    # A mount has one id in all namespaces, and no mount is in two; texts could be compared only if nothing changed.
    others = {mount.id for mount in theirs}.isdisjoint(mount.id for mount in ours)
    return others and _place(folder.encode("utf-8", "surrogateescape"), ours) in {
        (mount.device, mount.root) for mount in theirs if mount.target == b"/"
    }


def _own_mounts() -> list[_Mount]:
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return _parsed(file.read())
    except OSError:  # without a procfs of our own nothing can be compared
        return []


def _place(folder: bytes, mounts: list[_Mount]) -> tuple[bytes, bytes]:
    """Give on which device a folder lies, and where on it: whatever name it has, that it keeps."""
    held = _Mount(b"", b"", b"/", b"/", b"")
    for mount in mounts:
        longer = len(mount.target) >= len(held.target)
        if longer and (folder + b"/").startswith(mount.target.rstrip(b"/") + b"/"):
            held = mount
    below = folder[len(held.target.rstrip(b"/")) :]
    return held.device, (held.root.rstrip(b"/") + below) or b"/"


def _parsed(data: bytes) -> list[_Mount]:
    found = []
    for line in data.splitlines():
        fields, _, rest = line.partition(b" - ")
        words = fields.split(b" ")
        if len(words) >= _FIELDS:
            found.append(_Mount(words[0], words[2], _plain(words[3]), _plain(words[4]), rest.split(b" ")[0]))
    return found


def _plain(text: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), text)
