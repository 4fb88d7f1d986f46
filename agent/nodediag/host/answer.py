"""The answers to the questions of ask.py: each says which it answers; a failure answers any."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

from nodediag.host.answer_parts import (
    BaseChain,
    Count,
    FileBelow,
    Job,
    Login,
    Masked,
    Microseconds,
    RuntimeCondition,
    RuntimeHandler,
    Size,
    UnitState,
)
from nodediag.host.ask import Namespace
from nodediag.model.reason import Reason


class Content(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Answers Read; what may hold a secret tells how many were `masked` in it, by the rule's id."""

    data: bytes
    masked: dict[str, int] = {}


class Names(msgspec.Struct, frozen=True, tag=True):
    """Answers List, in sorted order."""

    names: tuple[str, ...]


class PathType(StrEnum):
    """What a path can be."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    FIFO = "fifo"
    SOCKET = "socket"
    DEVICE = "device"


class PathStat(msgspec.Struct, frozen=True, tag=True):
    """Answers Stat; the mode is that of chmod(1), in octal, the device is `major:minor` as in mountinfo.

    User and group are there where they are the node's own, as they are not in a folder of copies.
    """

    kind: PathType
    mode: str
    size_bytes: Count
    device: str
    uid: Count | msgspec.UnsetType = msgspec.UNSET
    gid: Count | msgspec.UnsetType = msgspec.UNSET


class VfsStat(msgspec.Struct, frozen=True, tag=True):
    """Answers Statvfs; `available_bytes` is what others than root may still write, the device is that of Stat."""

    device: str
    size_bytes: Count
    available_bytes: Count
    inodes: Count
    inodes_free: Count
    read_only: bool


class Target(msgspec.Struct, frozen=True, tag=True):
    """Answers Readlink."""

    target: str


Pid: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)]


class Process(msgspec.Struct, frozen=True):
    """One process: its command name, its arguments as they were given, its state as in proc_pid_stat(5).

    The state is empty where it was not captured; so is the program, the path that /proc/PID/exe leads to, as the
    process sees it. The cgroup, its /proc/PID/cgroup, is told of those that were asked for by name or folder.
    """

    pid: Pid
    ppid: Pid
    name: str
    argv: tuple[str, ...]
    state: str = ""
    program: str = ""
    cgroup: str = ""


class ProcessList(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Answers Processes, by pid; `complete` is false where only some were captured.

    `programs` is false where not every process showed which program it runs.
    """

    processes: tuple[Process, ...]
    complete: bool
    programs: bool = False
    masked: dict[str, int] = {}


class UnameAnswer(msgspec.Struct, frozen=True, tag=True):
    """Answers Uname."""

    sysname: str
    nodename: str
    release: str
    version: str
    machine: str


class Sharing(StrEnum):
    """Whether a namespace of ours is that of the node's PID 1."""

    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"


class NamespaceAnswer(msgspec.Struct, frozen=True, tag=True):
    """Answers Namespaces."""

    sharing: dict[Namespace, Sharing]


class Locked(msgspec.Struct, frozen=True, tag=True):
    """Answers Lock: `held` is false where another holds it."""

    held: bool


class MetadataAnswer(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Answers Metadata; `refused` are the keys that the server does not tell, `server` is what it calls itself."""

    address: str
    server: str
    values: dict[str, str]
    refused: dict[str, Reason]
    masked: dict[str, int] = {}


class SystemdAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Answers Units: at which socket and when it was asked, what the boot came to, and the units.

    The units are all services, targets, timers and sockets in memory, and whatever failed. Times of the boot are on
    the monotonic clock, which starts with the kernel; 0 where it has not come to that.
    """

    socket: str
    asked_us: Microseconds
    uptime_us: Microseconds
    version: str
    state: str
    initrd_us: Microseconds
    userspace_us: Microseconds
    finished_us: Microseconds
    units: tuple[UnitState, ...]
    jobs: tuple[Job, ...]


class Digested(msgspec.Struct, frozen=True, tag=True):
    """Answers Digest, in hexadecimal."""

    md5: str


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What is public of a certificate; names as `O=system:nodes,CN=system:node:gke-a`, the serial in hexadecimal."""

    subject: str
    issuer: str
    serial: str
    not_before: Annotated[datetime, msgspec.Meta(tz=True)]
    not_after: Annotated[datetime, msgspec.Meta(tz=True)]
    key: str
    authority: bool


class CertificateList(msgspec.Struct, frozen=True, tag=True):
    """Answers Certificates, in the file's order; `total` counts those beyond the bound too."""

    certificates: tuple[Certificate, ...]
    total: int


class KubeconfigAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Answers Kubeconfig, for its current context: each certificate by path or inline, or neither."""

    server: str
    login: Login
    authority_path: str
    authority: CertificateList
    client_path: str
    client: CertificateList
    masked: Masked = msgspec.UNSET


class HealthzOutcome(StrEnum):
    """What became of the request; `refused` where nobody listens."""

    ANSWERED = "answered"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"


class HealthzAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Answers Healthz: HTTP's status and the body, cut."""

    outcome: HealthzOutcome
    status: Annotated[int, msgspec.Meta(ge=0, le=999)] = 0
    text: str = ""
    masked: Masked = msgspec.UNSET


class Connected(msgspec.Struct, frozen=True, tag=True):
    """Answers Connect: the other end speaks HTTP/2, or something else."""

    http2: bool


class CriAnswer(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Answers Cri: `api` is the version that was spoken; the driver is empty where the runtime does not tell it."""

    api: str
    name: str
    version: str
    conditions: tuple[RuntimeCondition, ...]
    handlers: tuple[RuntimeHandler, ...] = ()
    cgroup_driver: str = ""
    masked: Masked = msgspec.UNSET


class FilesBelow(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Answers Below, by path; `complete` is false where there were more than are told."""

    files: tuple[FileBelow, ...]
    complete: bool
    masked: dict[str, int] = {}


class SizesBelow(msgspec.Struct, frozen=True, tag=True):
    """Answers Sizes, the largest first; `complete` is false where it took too long, or some was not let be seen."""

    largest: tuple[Size, ...]
    bytes: Count
    files: Count
    complete: bool


class PacketFilterAnswer(msgspec.Struct, frozen=True, tag=True):
    """Answers PacketFilter: the chains of type `filter` at the hooks input, forward and output, all of them."""

    chains: tuple[BaseChain, ...]


class Failure(msgspec.Struct, frozen=True, tag=True):
    """Answers any question that could not be answered."""

    reason: Reason


Counting: TypeAlias = (  # tells what was masked in it
    Content | FilesBelow | MetadataAnswer | ProcessList | CriAnswer | HealthzAnswer | KubeconfigAnswer
)


Reply = (
    Content
    | Names
    | PathStat
    | VfsStat
    | Target
    | ProcessList
    | UnameAnswer
    | NamespaceAnswer
    | Locked
    | MetadataAnswer
    | SystemdAnswer
    | Digested
    | CertificateList
    | KubeconfigAnswer
    | HealthzAnswer
    | Connected
    | CriAnswer
    | FilesBelow
    | SizesBelow
    | PacketFilterAnswer
    | Failure
)
