"""Host: the node we look at, through a closed set of questions. Everything above this room sees only this."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, Protocol, TypeVar

import msgspec

from nodediag.errors import ReadError
from nodediag.host.answer import (
    CertificateList,
    Connected,
    Content,
    CriAnswer,
    Digested,
    Failure,
    FilesBelow,
    HealthzAnswer,
    KubeconfigAnswer,
    Locked,
    MetadataAnswer,
    Names,
    NamespaceAnswer,
    PacketFilterAnswer,
    PathStat,
    ProcessList,
    Reply,
    SizesBelow,
    SystemdAnswer,
    Target,
    UnameAnswer,
    VfsStat,
)
from nodediag.host.ask import (
    Ask,
    Below,
    Certificates,
    Connect,
    Cri,
    Digest,
    Healthz,
    Kubeconfig,
    List,
    Lock,
    Metadata,
    Namespaces,
    PacketFilter,
    Processes,
    Read,
    Readlink,
    Sizes,
    Stat,
    Statvfs,
    Uname,
    Units,
    place,
)
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.model.report import Origin

TEXT_CAP_BYTES = 1024 * 1024
EVIDENCE_CAP = 1024
_KEPT_BYTES: Final = 64 * 1024
_SILENT: frozenset[Code] = frozenset({Code.ABSENT, Code.NOT_CAPTURED, Code.OTHER_NAMESPACE})

R = TypeVar("R")


class Line(msgspec.Struct, frozen=True):
    r"""A line of a file of the node, without its newline; bytes that are not UTF-8 stand as `\xNN`."""

    path: str
    number: int
    text: str

    @property
    def evidence(self) -> FileEvidence:
        """This line as evidence, cut to what a report may hold."""
        return FileEvidence(path=self.path, line=self.number, text=self.text[:EVIDENCE_CAP])


class Source(Protocol):
    """What answers: the live machine, a recording, a folder, a table in a test."""

    def answer(self, ask: Ask) -> Reply:
        """Answer one question; never raises for what the node is like."""


class Ahead(Protocol):
    """What takes questions whose answers will be wanted."""

    def __call__(self, *asks: Ask) -> None:
        """Take them, and return at once; never raises."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a host is, for the report's `view`; `observed_at` is there where the node was looked at earlier.

    `zone_s` is how far the clocks of a sosreport are from UTC, where it says so.
    """

    origin: Origin
    root: str
    uid: int
    observed_at: datetime | None = None
    zone_s: int | None = None


class Taken(msgspec.Struct, frozen=True):
    """When files of a node were saved, and how far its clocks are from UTC, as far as that is known."""

    at: datetime | None = None
    zone_s: int | None = None


class Host:
    """The node. Each method raises ReadError, with the reason, when the node gives no answer."""

    def __init__(
        self, source: Source, seen: Seen, ahead: Ahead | None = None, rest: Callable[[], None] | None = None
    ) -> None:
        self._source = source
        self._ahead = ahead
        self._rest = rest
        self.seen = seen
        self.missed: dict[str, Reason] = {}
        self._namespaces: NamespaceAnswer | None = None
        self._told: dict[Ask, Reply] = {}

    def ahead(self, *asks: Ask) -> None:
        """Say what will be asked next, so that a running node answers all of it at once instead of one by one."""
        if self._ahead is not None and asks:
            self._ahead(*asks)

    def anew(self) -> None:
        """Forget what was told: a second look is not to be given the answers of the first."""
        self._told.clear()

    def rest(self) -> None:
        """Say that nothing is asked for the time being: what answers needs no memory meanwhile."""
        if self._rest is not None:
            self._rest()

    def read(self, path: str, *, cap_bytes: int = TEXT_CAP_BYTES, only: tuple[str, ...] = ()) -> bytes:
        """Give a regular file's bytes, or only its lines that begin so: see Read."""
        return self._ask(Read(path, cap_bytes, only), Content).data

    def text(self, path: str, *, cap_bytes: int = TEXT_CAP_BYTES, only: tuple[str, ...] = ()) -> str:
        r"""Give a file as text; bytes that are not UTF-8 become `\xNN`."""
        return self.read(path, cap_bytes=cap_bytes, only=only).decode("utf-8", "backslashreplace")

    def lines(self, path: str, *, cap_bytes: int = TEXT_CAP_BYTES) -> tuple[Line, ...]:
        """Give a file's lines; only a newline ends one."""
        return tuple(self.each_line(path, cap_bytes=cap_bytes))

    def each_line(self, path: str, *, cap_bytes: int = TEXT_CAP_BYTES) -> Iterator[Line]:
        """Give a file's lines one by one, for a file that may be long; it is read at the first."""
        text = self.text(path, cap_bytes=cap_bytes)
        start = number = 0
        while start < len(text):
            end = text.find("\n", start)
            end = len(text) if end < 0 else end
            number += 1
            yield Line(path, number, text[start:end])
            start = end + 1

    def first_line(self, path: str) -> Line:
        """Give the first line of a file that has one."""
        lines = self.lines(path)
        if not lines:
            raise ReadError(path, Reason(code=Code.UNPARSABLE, detail=f"{path} is empty"))
        return msgspec.structs.replace(lines[0], text=lines[0].text.strip())

    def list(self, path: str) -> tuple[str, ...]:
        """Give the names in a directory, sorted."""
        return self._ask(List(path), Names).names

    def stat(self, path: str) -> PathStat:
        """Tell what a path leads to."""
        return self._ask(Stat(path), PathStat)

    def statvfs(self, path: str) -> VfsStat:
        """Tell how full the file system is on which a path lies."""
        return self._ask(Statvfs(path), VfsStat)

    def readlink(self, path: str) -> str:
        """Give a symbolic link's target as it is written."""
        return self._ask(Readlink(path), Target).target

    def working_folder(self, pid: int) -> str:
        """Give the folder a process works in, with ` (deleted)` behind one that is gone; only a tracer may ask."""
        return self._ask(Readlink(f"/proc/{pid}/cwd"), Target, expected=Code.NOT_PERMITTED).target

    def link(self, path: str) -> str | None:
        """Give a symbolic link's target as it is written, None for what is no link."""
        try:
            return self._ask(Readlink(path), Target, expected=Code.WRONG_KIND).target
        except ReadError as error:
            if error.reason.code is Code.WRONG_KIND:
                return None
            raise

    def processes(self, *names: str, below: tuple[str, ...] = ()) -> ProcessList:
        """Give the processes that `Processes` lists, by pid; asked once."""
        return self._ask(Processes(names, below), ProcessList)

    def md5(self, path: str, *, cap_bytes: int) -> str:
        """Give the MD5 digest of a regular file, in hexadecimal."""
        return self._ask(Digest(path, cap_bytes), Digested).md5

    def certificates(self, path: str) -> CertificateList:
        """Give the public parts of the certificates in a PEM file."""
        return self._ask(Certificates(path), CertificateList)

    def kubeconfig(self, path: str) -> KubeconfigAnswer:
        """Give the public parts of a kubeconfig."""
        return self._ask(Kubeconfig(path), KubeconfigAnswer)

    def healthz(self, address: str, port: int) -> HealthzAnswer:
        """Ask the kubelet, at an address of this machine's loopback, whether it is well."""
        return self._ask(Healthz(address, port), HealthzAnswer)

    def below(self, path: str, names: tuple[str, ...], *, depth: int) -> FilesBelow:
        """Give the small files of some names in a folder and in those below it."""
        return self._ask(Below(path, names, depth), FilesBelow)

    def sizes(self, path: str, *, depth: int) -> SizesBelow:
        """Tell what fills a folder."""
        return self._ask(Sizes(path, depth), SizesBelow)

    def uname(self) -> UnameAnswer:
        """Give the kernel's names for itself; the nodename depends on the UTS namespace."""
        return self._ask(Uname(), UnameAnswer)

    def namespaces(self) -> NamespaceAnswer:
        """Tell which of our namespaces are those of PID 1; it stays so, and is asked once."""
        if self._namespaces is None:
            self._namespaces = self._ask(Namespaces(), NamespaceAnswer)
        return self._namespaces

    def metadata(self, keys: tuple[str, ...], server: str = "") -> MetadataAnswer:
        """Ask the metadata server for some values; a server other than the usual one is named `host[:port]`."""
        return self._ask(Metadata(keys, server), MetadataAnswer)

    def units(self) -> SystemdAnswer:
        """Give what systemd says of the boot, its jobs and its units."""
        return self._ask(Units(), SystemdAnswer)

    def connect(self, path: str) -> Connected:
        """Knock at a socket; the reason is `timed_out` where nobody opens, `absent` where nobody listens."""
        return self._ask(Connect(path), Connected)

    def cri(self, path: str) -> CriAnswer:
        """Give what the runtime at a socket says of itself; the reason is `not_asked` where we have no gRPC."""
        return self._ask(Cri(path), CriAnswer, expected=Code.NOT_ASKED)

    def packet_filter(self) -> PacketFilterAnswer:
        """Give the packet filter's base chains; a fact that lacks them says who may see them."""
        return self._ask(PacketFilter(), PacketFilterAnswer, expected=Code.NOT_PERMITTED)

    def lock(self, path: str) -> bool:
        """Try once for the lock of this node; false where another diagnosis holds it."""
        return self._ask(Lock(path), Locked).held

    def absent(self, look: Callable[[str], R], path: str) -> R | None:
        """Do what `look` does, but give None where the node is known not to have the path."""
        try:
            return look(path)
        except ReadError as error:
            if error.reason.code is Code.ABSENT:
                return None
            raise

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """List what the node refused, by path; what is merely absent is no blind spot."""
        return tuple(BlindSpot(what=what, reason=reason) for what, reason in sorted(self.missed.items()))

    def _ask(self, ask: Ask, wanted: type[R], expected: Code | None = None) -> R:
        reply = self._told.get(ask) or self._source.answer(ask)
        if isinstance(ask, Processes | Uname) or (isinstance(reply, Content) and len(reply.data) <= _KEPT_BYTES):
            self._told[ask] = reply  # what two facts rest on is one answer
        if isinstance(reply, wanted):
            return reply
        where = place(ask)
        if isinstance(reply, Failure):
            reason = reply.reason
        else:
            reason = Reason(code=Code.UNPARSABLE, detail=f"{where}: the answer on record is of another kind")
        if reason.code not in _SILENT and reason.code is not expected:
            self.missed[where] = reason
        raise ReadError(where, reason)
