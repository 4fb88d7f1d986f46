"""The closed set of questions a node can be asked, and the answers: all of it plain data.

Because a question and its answer (or its failure) are data, they can be sent to a child process, kept in a recording
and told again from one.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

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
from nodediag.model.reason import Reason

BUS_SOCKET: Final = "/run/dbus/system_bus_socket"
PRIVATE_SOCKET: Final = "/run/systemd/private"


class Namespace(StrEnum):
    """The namespaces(7) an answer may depend on."""

    MOUNT = "mnt"
    PID = "pid"
    UTS = "uts"
    NET = "net"
    IPC = "ipc"
    CGROUP = "cgroup"


class Read(msgspec.Struct, frozen=True, tag=True):
    """The bytes of a regular file; more than `cap_bytes` is a failure, never a part.

    With `only`, each line that does not begin with one of these words, or holds more than identifiers are made of, is
    given as a space, which goes on the line before in files of fields such as dpkg's, see deb-control(5): what is not
    wanted is neither sent nor searched for secrets, and lines keep their numbers.
    """

    path: str
    cap_bytes: int
    only: tuple[str, ...] = ()


class List(msgspec.Struct, frozen=True, tag=True):
    """The names in a directory."""

    path: str


class Stat(msgspec.Struct, frozen=True, tag=True):
    """What a path leads to, links followed inside the root."""

    path: str


class Statvfs(msgspec.Struct, frozen=True, tag=True):
    """How full the file system is on which a path lies: statvfs(3)."""

    path: str


class Readlink(msgspec.Struct, frozen=True, tag=True):
    """Where a symbolic link points, as it is written."""

    path: str


class Processes(msgspec.Struct, frozen=True, tag=True):
    """The processes that run a program of one of these names, or all; what is not asked for is not recorded either.

    Zombies, their parents and what is in uninterruptible sleep are listed whatever their names; so are those whose
    program, or a script that an interpreter runs, lies in one of the folders `below`.
    """

    names: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


class Uname(msgspec.Struct, frozen=True, tag=True):
    """uname(2)."""


class Namespaces(msgspec.Struct, frozen=True, tag=True):
    """Which of our namespaces are those of the node's PID 1."""


class Digest(msgspec.Struct, frozen=True, tag=True):
    """The MD5 digest of a regular file, as packages list them; more than `cap_bytes` is a failure."""

    path: str
    cap_bytes: int


class Below(msgspec.Struct, frozen=True, tag=True):
    """The small files of some names in a folder and in those below it, so deep; for a tree of the kernel's own."""

    path: str
    names: tuple[str, ...]
    depth: int


class Sizes(msgspec.Struct, frozen=True, tag=True):
    """What lies below a folder takes of its disk, summed for each entry `depth` levels down; never across a mount."""

    path: str
    depth: int


class Lock(msgspec.Struct, frozen=True, tag=True):
    """Try once for an exclusive flock(2) on a file, held until the host is let go."""

    path: str


class Metadata(msgspec.Struct, frozen=True, tag=True):
    """Some values of Compute Engine's metadata server, such as `instance/image`; without `server`, at its address."""

    keys: tuple[str, ...]
    server: str = ""


class Units(msgspec.Struct, frozen=True, tag=True):
    """What systemd says of the boot, its jobs and its units, at its own D-Bus sockets."""


class Certificates(msgspec.Struct, frozen=True, tag=True):
    """The public parts of the certificates in a PEM file, whatever else it holds."""

    path: str


class Kubeconfig(msgspec.Struct, frozen=True, tag=True):
    """The public parts of a kubeconfig: never a key, token or password."""

    path: str


class Healthz(msgspec.Struct, frozen=True, tag=True):
    """What the kubelet answers at /healthz of this machine's loopback."""

    address: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class Connect(msgspec.Struct, frozen=True, tag=True):
    """Whether somebody answers at a socket, with the first words of HTTP/2, as a container runtime does (gRPC)."""

    path: str


class Cri(msgspec.Struct, frozen=True, tag=True):
    """What the container runtime at a socket says of itself by the CRI, the interface that the kubelet uses."""

    path: str


class PacketFilter(msgspec.Struct, frozen=True, tag=True):
    """The base chains of the packet filter of our network namespace, which must be PID 1's; no module is loaded."""


Ask = (
    Read
    | List
    | Stat
    | Statvfs
    | Readlink
    | Processes
    | Uname
    | Namespaces
    | Lock
    | Metadata
    | Units
    | Digest
    | Certificates
    | Kubeconfig
    | Healthz
    | Connect
    | Cri
    | Below
    | Sizes
    | PacketFilter
)


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


def place(ask: Ask) -> str:  # noqa: C901, PLR0911 - one for each question
    """Name what was asked, for a person: a path, or the question itself."""
    match ask:
        case Read(path=path) | List(path=path) | Stat(path=path) | Readlink(path=path) | Lock(path=path):
            return path
        case Statvfs(path=path) | Digest(path=path) | Certificates(path=path) | Kubeconfig(path=path):
            return path
        case Connect(path=path) | Cri(path=path):
            return path
        case Below(path=path) | Sizes(path=path):
            return path
        case Processes():
            return "the process list"
        case Uname():
            return "uname"
        case Namespaces():
            return "the namespaces of PID 1"
        case Metadata():
            return "the metadata server"
        case Healthz(address, port):
            return f"the kubelet's healthz at port {port} of {address}"
        case Units():
            return "what systemd says of its units"
        case PacketFilter():
            return "what the kernel says of its packet filter"
