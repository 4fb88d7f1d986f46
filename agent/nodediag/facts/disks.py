"""The local file systems and how full they are: statvfs(3), once for a file system however often it is mounted.

What lies across a network or is served by a process (nfs, cifs, ceph, 9p, fuse) is never touched, since its server may
hang; nor are pods' own volumes and what a runtime mounts for containers: their number has no bound, and how full they
are is the pods' matter.
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.fact import Fact, Unknown, known
from nodediag.facts.mounts import Backing, Mount, Mounts
from nodediag.facts.partitions import Partitions
from nodediag.facts.root_slot import RootSlot
from nodediag.host.answer import VfsStat
from nodediag.host.host import Host
from nodediag.model.evidence import Evidence, StatvfsEvidence
from nodediag.model.reason import Code, Reason

MOST: Final = 64
_NAMED: Final = 20
_KINDS: Final = frozenset({
    "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs3", "reiserfs", "tmpfs", "vfat", "xfs",
    "zfs",
})  # fmt: skip
_NUMBERS_DIFFER: Final = frozenset({"bcachefs", "btrfs"})  # stat(2) gives a subvolume's own number
_OF_PODS: Final = re.compile(r"/pods/[^/]+/(volumes|volume-subpaths|containers)/|/plugins/kubernetes\.io/")
_OF_CONTAINERS: Final = (
    "/run/containerd/", "/run/containers/", "/run/credentials/", "/run/crio/", "/run/docker/", "/run/user/",
    "/var/lib/containerd/", "/var/lib/containers/", "/var/lib/docker/", "/var/lib/kubelet/",
)  # fmt: skip
_GIVEN: Final = ("/var/log/journal", "/usr/lib")  # what the DaemonSet mounts into its pod
_NOT_SEEN: Final = frozenset({Code.NOT_CAPTURED, Code.ABSENT, Code.OTHER_NAMESPACE})
_ANONYMOUS: Final = "0:"  # numbers of file systems that have no device


class FileSystem(msgspec.Struct, frozen=True, kw_only=True):
    """One file system, at the shortest path where it can be written; `disk` is empty where none is known."""

    target: str
    source: str
    fstype: str
    disk: str
    size_bytes: int
    available_bytes: int
    inodes: int  # 0 where the file system sets no number
    inodes_free: int
    evidence: tuple[Evidence, ...]


class Disks(msgspec.Struct, frozen=True, kw_only=True):
    """What could be asked; `boot_disk` is the one on which the root finally stands, empty where that was not seen."""

    filesystems: tuple[FileSystem, ...]
    boot_disk: str = ""
    unread: dict[str, Reason] = {}
    untouched: tuple[str, ...] = ()  # targets across a network or served by a process
    total: int


def derive(host: Host, mounts: Mounts, partitions: Fact[Partitions], root_slot: Fact[RootSlot]) -> Disks:
    """Ask for each local file system; raises ReadError where none gives an answer."""
    visible = mounts.visible()
    chosen = local(mounts, visible)
    found: list[FileSystem] = []
    unread: dict[str, Reason] = {}
    disks = known(partitions)
    for mount in chosen[:MOST]:
        try:
            found.append(_asked(host, mount, disks, _on_same(mounts, mount)))
        except ReadError as error:
            unread[mount.target] = error.reason
    if not found:
        absent = Reason(code=Code.ABSENT, detail=f"no local file system is in {mounts.path}")
        raise ReadError(mounts.path, next(iter(unread.values()), absent))
    return Disks(
        filesystems=tuple(found),
        boot_disk=_boot_disk(root_slot, disks),
        unread=unread,
        untouched=tuple(mount.target for mount in visible if mount.fstype not in _KINDS and _is_remote(mount))[:_NAMED],
        total=len(chosen),
    )


def local(mounts: Mounts, visible: tuple[Mount, ...]) -> list[Mount]:
    """Choose a mount for each local file system that can be written, those on disks first."""
    shortest: dict[str, Mount] = {}
    for mount in visible:
        if _is_asked(mounts, mount):
            held = shortest.get(identity(mount))
            if held is None or len(mount.target) < len(held.target):
                shortest[identity(mount)] = mount
    return sorted(shortest.values(), key=lambda mount: mount.backing is Backing.MEMORY)


def identity(mount: Mount) -> str:
    """Name the file system of a mount: by its device's number, or by its source where the number is made up."""
    if mount.device and not mount.device.startswith(_ANONYMOUS):
        return mount.device
    return mount.source if mount.source.startswith("/dev/") else mount.device or mount.target


def _is_asked(mounts: Mounts, mount: Mount) -> bool:
    if mount.fstype not in _KINDS or not mount.writable:
        return False
    if mount.fstype == "tmpfs" and mount.target.startswith(_OF_CONTAINERS):
        return False
    if _OF_PODS.search(mount.target + "/"):
        return False
    return not any(_is_remote(above) for above in _way(mounts, mount.target))


def _way(mounts: Mounts, target: str) -> list[Mount]:
    """Give the mounts that a lookup of a path goes through."""
    names = target.strip("/").split("/")
    found = (mounts.at("/" + "/".join(names[:length])) for length in range(len(names)))
    return [mount for mount in found if mount is not None]


def _is_remote(mount: Mount) -> bool:
    return mount.backing is Backing.NETWORK or mount.fstype.startswith("fuse")


def _on_same(mounts: Mounts, mount: Mount) -> tuple[str, ...]:
    """Give the paths at which a mount's file system can be asked: its own, and some that a pod is given of a node."""
    holding = ((path, mounts.holding(path)) for path in _GIVEN)
    return (mount.target, *(path for path, held in holding if held is not None and identity(held) == identity(mount)))


def _first_answer(host: Host, mount: Mount, paths: tuple[str, ...]) -> tuple[str, VfsStat]:
    """Ask at one path after the other; raises what the first one came to."""
    first: ReadError | None = None
    for path in paths:
        try:
            told = host.statvfs(path)
            _must_be(mount, path, told)
        except ReadError as error:
            first = first or error
            if error.reason.code not in _NOT_SEEN:
                break
        else:
            return path, told
    raise first or ReadError(mount.target, Reason(code=Code.ABSENT, detail=f"{mount.target} was not asked for"))


def _asked(host: Host, mount: Mount, partitions: Partitions | None, paths: tuple[str, ...]) -> FileSystem:
    path, told = _first_answer(host, mount, paths)
    usage = StatvfsEvidence(
        path=path, size_bytes=told.size_bytes, available_bytes=told.available_bytes,
        inodes=told.inodes, inodes_free=told.inodes_free,
    )  # fmt: skip
    return FileSystem(
        target=mount.target, source=mount.source, fstype=mount.fstype, disk=disk_of(mount, partitions),
        size_bytes=told.size_bytes, available_bytes=told.available_bytes,
        inodes=told.inodes, inodes_free=told.inodes_free, evidence=(usage, mount.evidence),
    )  # fmt: skip


def _must_be(mount: Mount, path: str, told: VfsStat) -> None:
    """Refuse an answer for another file system, as below a root that was bound without the mounts on it."""
    if mount.device and told.device != mount.device and mount.fstype not in _NUMBERS_DIFFER:
        detail = f"what we see at {path} is device {told.device}, not {mount.device} as for the node's PID 1"
        needs = "the node's root with all that is mounted below it (`mountPropagation: HostToContainer`, rbind)"
        raise ReadError(path, Reason(code=Code.OTHER_NAMESPACE, detail=detail, needs=needs))


def disk_of(mount: Mount, partitions: Partitions | None) -> str:
    """Name the disk on which a mount finally stands, empty where it was not seen or there are several."""
    if partitions is None:
        return ""
    device = partitions.numbered(mount.device) or partitions.named(mount.source.removeprefix("/dev/"))
    if device is None:
        return ""
    disks = {lower.parent or lower.name for lower in partitions.below(device)}
    return disks.pop() if len(disks) == 1 else ""


def _boot_disk(root_slot: Fact[RootSlot], partitions: Partitions | None) -> str:
    if isinstance(root_slot, Unknown) or partitions is None:
        return ""
    disks = {part.parent or part.name for part in root_slot.value.partitions}
    return disks.pop() if len(disks) == 1 else ""
