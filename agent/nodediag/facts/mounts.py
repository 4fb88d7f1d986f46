"""The node's mount table: PID 1's mountinfo, see proc_pid_mountinfo(5), and what it means for a path.

Field 6 holds the options of this one mount, the field after the dash those of the superblock: a bind can be read-only
over a writable superblock. The optional fields vary in number and end at the first lone dash after field 6.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property, lru_cache
from sys import intern
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence

NAMESPACE: Final = Namespace.MOUNT
PATH: Final = "/proc/1/mountinfo"
CAP_BYTES: Final = 64 * 1024 * 1024
_WANTED: Final = "a line as in proc_pid_mountinfo(5)"
_LINE: Final = re.compile(
    r"(?P<id>[0-9]{1,10}) (?P<parent>[0-9]{1,10}) (?P<device>[0-9]+:[0-9]+) (?P<root>[^ ]+) (?P<target>/[^ ]*)"
    r" (?P<options>[^ ]+)(?P<optional>(?: [^ ]+)*?) - (?P<fstype>[^ ]+) (?P<source>[^ ]*) (?P<super>.+)",
    re.DOTALL,  # old kernels left spaces in options
)
_ESCAPE: Final = re.compile(r"\\([0-3][0-7]{2})")
_MEMORY: Final = frozenset({"tmpfs", "ramfs", "devtmpfs", "rootfs"})
_NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "glusterfs", "lustre", "virtiofs"})
_TAKES_NO_WRITES: Final = frozenset({"ro", "emergency_ro", "shutdown"})  # ext4 since Linux 6.15: `rw,emergency_ro`
_KERNEL: Final = frozenset({
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl",
    "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
})  # fmt: skip


class Backing(StrEnum):
    """What keeps a mount's data: gone at reboot with memory, kept on a disk or across a network."""

    MEMORY = "memory"
    DISK = "disk"
    NETWORK = "network"
    KERNEL = "kernel"
    UNKNOWN = "unknown"


class Mount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One mount. Lists that are no mountinfo leave `id` and `parent` 0, `device` and `root` empty."""

    id: int = 0
    parent: int = 0
    device: str = ""
    root: str = ""
    target: str
    options: tuple[str, ...]
    optional: tuple[str, ...] = ()
    fstype: str
    source: str
    super_options: tuple[str, ...] = ()
    options_known: bool = True
    evidence: FileEvidence

    @property
    def writable(self) -> bool:
        """Whether it can be written: mount and superblock are not read-only, an overlay has an upper layer."""
        if self.fstype == "overlay" and not self.layer("upperdir") and self.super_options:
            return False
        return "ro" not in self.options and self.super_writable

    @property
    def super_writable(self) -> bool:
        """Whether the file system as a whole takes writes, however it is mounted."""
        return _TAKES_NO_WRITES.isdisjoint(self.super_options)

    @property
    def executable(self) -> bool:
        """Whether programs can be started from it."""
        return "noexec" not in self.options

    @property
    def suid(self) -> bool:
        """Whether set-user-ID bits count on it."""
        return "nosuid" not in self.options

    @property
    def devices(self) -> bool:
        """Whether device files work on it."""
        return "nodev" not in self.options

    @property
    def propagation(self) -> str:
        """How mounts below it spread, see mount_namespaces(7)."""
        kinds = [field.partition(":")[0] for field in self.optional]
        if "unbindable" in kinds:
            return "unbindable"
        named = [name for mark, name in (("shared", "shared"), ("master", "slave")) if mark in kinds]
        return "+".join(named) or "private"

    def layer(self, name: str) -> str:
        """Give an overlay's `lowerdir`, `upperdir` or `workdir`, empty where it has none."""
        prefix = name + "="
        for option in (*self.super_options, *self.options):
            if option.startswith(prefix):
                return option[len(prefix) :]
        return ""

    @property
    def backing(self) -> Backing:
        """What keeps its data. An overlay's is that of its upper layer, which its own table need not show."""
        kind = self.fstype
        if kind in _MEMORY or self.source.startswith(("/dev/ram", "/dev/zram")):
            return Backing.MEMORY
        if kind in _KERNEL:
            return Backing.KERNEL
        if kind in _NETWORK or kind.startswith("fuse.") or kind == "fuse":
            return Backing.NETWORK
        if kind == "overlay":
            # COS mounts a tmpfs there, makes the overlay of /etc, and takes the tmpfs out of view again.
            hidden = self.layer("upperdir").startswith("/tmp/etc_overlay/")  # noqa: S108 - a path of the node
            return Backing.MEMORY if hidden else Backing.UNKNOWN
        return Backing.DISK if self.source.startswith("/dev/") else Backing.UNKNOWN


class Mounts(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All mounts in file order. Where a list is not `complete`, filtered or partly unreadable, absence says nothing."""

    mounts: tuple[Mount, ...]
    complete: bool
    path: str

    @cached_property
    def _visible(self) -> dict[str, Mount]:
        """Give the mount that a lookup finds at each target: no later one lies there or on a folder above.

        What lies on / hides nothing: the root of PID 1 is /, whenever it was mounted.
        """
        visible: dict[str, Mount] = {}
        covered: set[str] = set()
        for mount in reversed(_bottom_up(self.mounts)):
            if covered.isdisjoint((mount.target, *_prefixes(mount.target)[:-1])):
                visible[mount.target] = mount
            covered.add(mount.target)
        return visible

    def at(self, path: str) -> Mount | None:
        """Give the visible mount whose target is this very path."""
        return self._visible.get(path)

    def holding(self, path: str) -> Mount | None:
        """Give the visible mount on which an absolute path lies; None where the list does not say."""
        if not path.startswith("/") or ".." in path.split("/"):
            return None
        return next((self._visible[prefix] for prefix in _prefixes(path) if prefix in self._visible), None)

    def visible(self) -> tuple[Mount, ...]:
        """Give the mounts that a path lookup can reach, in file order."""
        return tuple(mount for mount in self.mounts if self._visible.get(mount.target) is mount)


def collect(host: Host) -> Mounts:
    """Read the node's mount table."""
    return parse(host.each_line(PATH, cap_bytes=CAP_BYTES), PATH)


def parse(lines: Iterable[Line], path: str) -> Mounts:
    """Parse mountinfo; raises ParseError at the first line that is none."""
    mounts = tuple(_mount(line) for line in lines if line.text)
    if not mounts:
        raise ParseError(path, "", _WANTED)
    return Mounts(mounts=mounts, complete=is_complete(mounts), path=path)


def is_complete(mounts: tuple[Mount, ...]) -> bool:
    """Tell whether a list has what every running system mounts: a root and a procfs."""
    targets = {mount.target for mount in mounts}
    return "/" in targets and "/proc" in targets


def unescape(text: str) -> str:
    """Undo the octal escapes with which the kernel writes space, tab, newline and backslash."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text) if "\\" in text else text


def _mount(line: Line) -> Mount:
    found = _LINE.fullmatch(line.text)
    if found is None:
        raise ParseError(f"{line.path}:{line.number}", line.text, _WANTED)
    return Mount(
        id=int(found["id"]),
        parent=int(found["parent"]),
        device=found["device"],
        root=unescape(found["root"]),
        target=unescape(found["target"]),
        options=_options(found["options"]),
        optional=tuple(found["optional"].split()),
        fstype=intern(found["fstype"]),
        source=intern(unescape(found["source"])),
        super_options=_options(unescape(found["super"])),
        evidence=line.evidence,
    )


@lru_cache(maxsize=1024)
def _options(text: str) -> tuple[str, ...]:
    """Split options; thousands of mounts share a few sets of them, and so their memory."""
    return tuple(text.split(","))


def _bottom_up(mounts: tuple[Mount, ...]) -> list[Mount]:
    """Give the mounts in the order in which they cover each other: as listed, but each after the one it lies on.

    A mount that was moved, as /proc is when an initramfs hands over, may be listed before the one it now lies on.
    """
    by_id = {mount.id: index for index, mount in enumerate(mounts) if mount.id}
    ordered: list[Mount] = []
    placed: set[int] = set()
    oldest_first = sorted(range(len(mounts)), key=lambda index: mounts[index].fstype != "rootfs")
    for index in oldest_first:
        chain: list[Mount] = []
        lower: int | None = index
        while lower is not None and lower not in placed:
            chain.append(mounts[lower])
            placed.add(lower)
            lower = by_id.get(mounts[lower].parent)
        ordered += reversed(chain)
    return ordered


def _prefixes(path: str) -> list[str]:
    """Give a path and all folders above it, the longest first."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    return ["/" + "/".join(parts[:length]) for length in range(len(parts), -1, -1)]
