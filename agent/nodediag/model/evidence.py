"""Where on the node a datum was read. Paths are the node's own, never with the prefix under which we see them."""

import msgspec


class FileEvidence(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="kind", tag="file"):
    """A line of a file; `line` counts from 1, 0 means the file as a whole."""

    path: str
    line: int
    text: str


class PathEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="path"):
    """What stands at a path: its type, its mode in octal, and where a link points."""

    path: str
    type: str
    mode: str = ""
    target: str = ""


class StatvfsEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="statvfs"):
    """What statvfs(3) answered for a path; `available_bytes` is what others than root may still write."""

    path: str
    size_bytes: int
    available_bytes: int
    inodes: int
    inodes_free: int


class ProcessEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="process"):
    """A running process, and the part of its command line that matters."""

    pid: int
    name: str
    text: str


class UnameEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="uname"):
    """What uname(2) answered."""

    text: str


class JournalEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="journal"):
    """An entry of the journal; `cursor` finds it again (`journalctl --cursor`), and is empty where it has none."""

    cursor: str
    time: str
    unit: str
    text: str


class NodeObjectEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="node_object"):
    """A field of the node's object as the Kubernetes API gave it, by its path, such as `status.nodeInfo.osImage`."""

    node: str
    field: str
    text: str


class HttpEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="http"):
    """What a server answered; `server` is what it calls itself."""

    url: str
    server: str
    text: str


class InputEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="input"):
    """A part of a file that an option named; or a variable of our own environment, which has no path."""

    option: str
    path: str
    text: str


class DbusEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="dbus"):
    """What was answered over D-Bus: at which socket, and of what."""

    path: str
    name: str
    text: str


class CriEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="cri"):
    """What a container runtime answered at a socket, by the CRI, and of what."""

    path: str
    name: str
    text: str


class PacketFilterEvidence(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="packet_filter"):
    """What the kernel answered of a chain of its packet filter, named by family, table and chain."""

    name: str
    text: str


Evidence = (
    FileEvidence
    | PathEvidence
    | StatvfsEvidence
    | ProcessEvidence
    | UnameEvidence
    | JournalEvidence
    | NodeObjectEvidence
    | HttpEvidence
    | InputEvidence
    | DbusEvidence
    | CriEvidence
    | PacketFilterEvidence
)
