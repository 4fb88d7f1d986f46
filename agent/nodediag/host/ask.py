"""The closed set of questions a node can be asked: plain data, as the answers are, see answer.py.

Because a question and its answer (or its failure) are data, they can be sent to a child process, kept in a recording
and told again from one.
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

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
