"""Who fills the folders of the runtime, the kubelet and the logs: the largest entries below each, with `--deep` only.

A walk stops after some seconds or some hundred thousand entries, and never goes across a mount: volumes do not count.
"""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT
FOLDERS: Final = {"/var/lib/containerd": 3, "/var/lib/docker": 2, "/var/lib/kubelet": 2, "/var/log": 2}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What lies at a path, and below it, takes of the disk."""

    path: str
    bytes: int
    files: int


class FolderSize(msgspec.Struct, frozen=True, kw_only=True):
    """One folder: all that was counted, and its largest entries; `complete` is false where the walk was cut short."""

    path: str
    bytes: int
    files: int
    complete: bool
    largest: tuple[Entry, ...]


class FolderSizes(msgspec.Struct, frozen=True, kw_only=True):
    """The folders that are there; `unread` has a reason for each that could not be looked into."""

    folders: tuple[FolderSize, ...]
    unread: dict[str, Reason] = {}


def collect(host: Host) -> FolderSizes:
    """Walk each; raises ReadError where none could be."""
    found: list[FolderSize] = []
    unread: dict[str, Reason] = {}
    for path, depth in FOLDERS.items():
        try:
            told = host.sizes(path, depth=depth)
        except ReadError as error:
            if error.reason.code is not Code.ABSENT:
                unread[path] = error.reason
            continue
        entries = tuple(Entry(path=f"{path}/{one.path}", bytes=one.bytes, files=one.files) for one in told.largest)
        found.append(FolderSize(path=path, bytes=told.bytes, files=told.files, complete=told.complete, largest=entries))
    if not found and unread:
        path, reason = next(iter(unread.items()))
        raise ReadError(path, reason)
    return FolderSizes(folders=tuple(found), unread=unread)
