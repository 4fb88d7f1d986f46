"""Volume types: what the kernel and user space can do, and what is in use. What Google supports is the profile's.

No module is loaded to find out: /proc/filesystems lists only what is registered, so modules.builtin and modules.dep of
the running release say what could still be loaded, see modprobe(8) and proc_filesystems(5).
"""

from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.fact import Fact, Known, Unknown, settle
from nodediag.facts.kernel import Kernel
from nodediag.facts.mounts import Mount, Mounts
from nodediag.facts.partitions import Partitions
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.model.evidence import Evidence, FileEvidence, PathEvidence
from nodediag.model.reason import Code, Reason

FILESYSTEMS_PATH: Final = "/proc/filesystems"
MODULES_PATH: Final = "/proc/modules"
MODULES_FOLDERS: Final = ("/lib/modules", "/usr/lib/modules")  # one and the same, but a pod may be given one alone
ISCSI_PATH: Final = "/sys/class/iscsi_session"
FC_PATH: Final = "/sys/class/fc_host"
MOST: Final = 20
_CAP_BYTES: Final = 16 * 1024 * 1024
_MOUNTER: Final = "/home/kubernetes/containerized_mounter/mounter"  # mounts NFS on GKE's COS, in a root of its own


class Support(StrEnum):
    """How the running kernel can serve a volume type; `module` is a file that is not loaded."""

    BUILTIN = "builtin"
    LOADED = "loaded"
    MODULE = "module"
    NONE = "none"


class KernelCan(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel's answer, and the line it stands on; without support there is none."""

    support: Support
    evidence: tuple[Evidence, ...] = ()


class Helper(msgspec.Struct, frozen=True, kw_only=True):
    """User space's answer: the program that mounts or makes such a volume, empty where none was found."""

    path: str


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One volume in use: a mount, a session or a device."""

    what: str
    evidence: Evidence


class Uses(msgspec.Struct, frozen=True, kw_only=True):
    """The volumes of a type in use; `total` counts those beyond the bound too."""

    uses: tuple[Use, ...]
    total: int


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume type. `kernel` and `helper` are left out where it needs none of the node."""

    kernel: Fact[KernelCan] | msgspec.UnsetType = msgspec.UNSET
    helper: Fact[Helper] | msgspec.UnsetType = msgspec.UNSET
    in_use: Fact[Uses]


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """The volume types of Google's table of storage drivers, by name."""

    volumes: dict[str, Volume]


class _Kind(NamedTuple):
    """How a volume type shows on a node; a mount is of it by its file system, or by a word in its target."""

    filesystems: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    target: str = ""
    class_path: str = ""
    device: str = ""


def _sbin(program: str) -> tuple[str, ...]:
    return f"/usr/sbin/{program}", f"/sbin/{program}"


KINDS: Final[dict[str, _Kind]] = {
    "persistent-disk-ext4": _Kind(("ext4",), ("ext4",), _sbin("mkfs.ext4")),
    "persistent-disk-xfs": _Kind(("xfs",), ("xfs",), _sbin("mkfs.xfs")),
    "nfs-v3": _Kind(("nfs",), ("nfsv3",), (*_sbin("mount.nfs"), _MOUNTER)),
    "nfs-v4": _Kind(("nfs4",), ("nfsv4",), (*_sbin("mount.nfs4"), _MOUNTER)),
    "cephfs": _Kind(("ceph",), ("ceph",), _sbin("mount.ceph")),
    "rbd": _Kind((), ("rbd",), ("/usr/bin/rbd",), device="rbd"),
    "iscsi": _Kind((), ("iscsi_tcp",), _sbin("iscsiadm"), class_path=ISCSI_PATH),
    "fibre-channel": _Kind((), ("scsi_transport_fc",), class_path=FC_PATH),
    "cinder": _Kind(target="/kubernetes.io~cinder/"),
    "flocker": _Kind(target="/kubernetes.io~flocker/"),
}
_NAMES: Final = {fstype: name for name, kind in KINDS.items() for fstype in kind.filesystems}
_PLUGIN: Final = "/kubernetes.io~"  # volume plug-ins of the kubelet mount below a folder of their name


def derive(host: Host, mounts: Mounts, partitions: Fact[Partitions], kernel: Fact[Kernel]) -> Storage:
    """Put the three sources together; each part that was not seen is unknown by itself."""
    modules, mounted = _Modules(host, kernel), _by_kind(mounts)
    return Storage(
        volumes={
            name: Volume(
                kernel=settle(partial(modules.can, kind)) if kind.modules else msgspec.UNSET,
                helper=_helper(host, kind) if kind.programs else msgspec.UNSET,
                in_use=_in_use(host, kind, mounts, tuple(mounted[name].values()), partitions),
            )
            for name, kind in KINDS.items()
        }
    )


class _Modules:
    """What the kernel has, asked in the order of cost; each file is read once, at most."""

    def __init__(self, host: Host, kernel: Fact[Kernel]) -> None:
        self._host = host
        self._release = kernel
        self._read: dict[str, bytes | ReadError] = {}

    def can(self, kind: _Kind) -> KernelCan:
        """Tell how the kernel serves a type, by the first file that has it; raises ReadError where one is missing."""
        missing: list[ReadError] = []
        names = [name.encode() for name in kind.modules]
        marks = {
            MODULES_PATH: [b"\n" + name + b" " for name in names],
            # nfs4 is registered before nfsv4 is there: only what has its module's name tells of it
            FILESYSTEMS_PATH: [b"\t" + name.encode() + b"\n" for name in kind.filesystems if name in kind.modules],
        }
        support = {MODULES_PATH: Support.LOADED, FILESYSTEMS_PATH: Support.BUILTIN}
        for name, kept in (("builtin", Support.BUILTIN), ("dep", Support.MODULE)):
            path = self._path(name, missing)
            marks[path], support[path] = [b"/" + module + b".ko" for module in names], kept
        for path, wanted in marks.items():
            evidence = self._line(path, wanted, missing)
            if evidence is not None:
                return KernelCan(support=support[path], evidence=(evidence,))
        if missing:
            raise missing[0]
        return KernelCan(support=Support.NONE)

    def _path(self, name: str, missing: list[ReadError]) -> str:
        if isinstance(self._release, Unknown):
            missing.append(ReadError(MODULES_FOLDERS[0], self._release.reason))
            return ""
        paths = [f"{folder}/{self._release.value.release}/modules.{name}" for folder in MODULES_FOLDERS]
        return next((path for path in paths if isinstance(self._held(path), bytes)), paths[0])

    def _line(self, path: str, wanted: list[bytes], missing: list[ReadError]) -> FileEvidence | None:
        """Find the first line of a file that has one of the words; what a node has not tells of nothing."""
        if not path or not wanted:
            return None
        data = self._held(path)
        if isinstance(data, ReadError):
            if data.reason.code is not Code.ABSENT:
                missing.append(data)
            return None
        places = [place for place in map(data.find, wanted) if place >= 0]
        return _evidence(path, data, min(places)) if places else None

    def _held(self, path: str) -> bytes | ReadError:
        if path not in self._read:
            try:
                self._read[path] = b"\n" + self._host.read(path, cap_bytes=_CAP_BYTES)
            except ReadError as error:
                self._read[path] = error
        return self._read[path]


def _evidence(path: str, data: bytes, place: int) -> FileEvidence:
    """Give the line of a file, which a newline was put before, on which a place lies."""
    start = data.rfind(b"\n", 0, place + 1) + 1
    end = data.find(b"\n", start)
    text = data[start : end if end >= 0 else len(data)][:EVIDENCE_CAP].decode("utf-8", "backslashreplace")
    return FileEvidence(path=path, line=data.count(b"\n", 0, start), text=text.split(":")[0][:EVIDENCE_CAP].strip())


def _helper(host: Host, kind: _Kind) -> Fact[Helper]:
    """Find the first program that is there; a folder that cannot be looked at leaves it open."""
    unseen: Reason | None = None
    for path in kind.programs:
        try:
            host.stat(path)
        except ReadError as error:
            if error.reason.code is not Code.ABSENT:
                unseen = unseen or error.reason
            continue
        return Known(Helper(path=path))
    return Known(Helper(path="")) if unseen is None else Unknown(unseen)


def _in_use(
    host: Host, kind: _Kind, mounts: Mounts, mounted: tuple[Mount, ...], partitions: Fact[Partitions]
) -> Fact[Uses]:
    if kind.class_path:
        return settle(lambda: _listed(host, kind.class_path))
    if kind.device:
        return _devices(kind.device, partitions)
    if not mounted and not mounts.complete:
        detail = f"{mounts.path} does not list every mount with its type"
        return Unknown(Reason(code=Code.NOT_CAPTURED, detail=detail, needs="/proc/1/mountinfo"))
    uses = [Use(what=f"{mount.source} on {mount.target}", evidence=mount.evidence) for mount in mounted]
    return Known(_bounded(uses))


def _by_kind(mounts: Mounts) -> dict[str, dict[str, Mount]]:
    """Give the first mount of each file system by the kinds that Kubernetes mounts, in one pass: there may be many."""
    found: dict[str, dict[str, Mount]] = {name: {} for name in KINDS}
    for mount in mounts.mounts:
        name = _plugged(mount.target) if _PLUGIN in mount.target else None
        name = name or _NAMES.get(mount.fstype)  # a plug-in's volume has some file system too
        if name is not None:
            found[name].setdefault(mount.device or mount.source, mount)
    return found


def _plugged(target: str) -> str | None:
    """Give the kind whose plug-in mounted a volume, where it has one of its own."""
    return next((name for name, kind in KINDS.items() if kind.target and kind.target in target), None)


def _listed(host: Host, folder: str) -> Uses:
    """List a class of the kernel's; one that is not there has no devices."""
    names = host.absent(host.list, folder) or ()
    return _bounded([Use(what=name, evidence=PathEvidence(path=f"{folder}/{name}", type="link")) for name in names])


def _devices(prefix: str, partitions: Fact[Partitions]) -> Fact[Uses]:
    if isinstance(partitions, Unknown):
        return partitions
    disks = [one for one in partitions.value.devices if one.name.startswith(prefix) and one.kind != "part"]
    return Known(_bounded([Use(what=one.name, evidence=one.evidence) for one in disks]))


def _bounded(uses: list[Use]) -> Uses:
    return Uses(uses=tuple(uses[:MOST]), total=len(uses))
