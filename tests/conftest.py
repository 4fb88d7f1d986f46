"""The only fixtures: a host made of texts, lines of a file, facts of such a host, and a file system that hangs."""

import signal
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import Protocol

import pytest

from nodediag.facts.snapshot import Facts, collect
from nodediag.host import certificates, kubeconfig
from nodediag.host.answer import (
    Content,
    Digested,
    Failure,
    FilesBelow,
    HealthzAnswer,
    MetadataAnswer,
    Names,
    NamespaceAnswer,
    PacketFilterAnswer,
    PathStat,
    PathType,
    Process,
    ProcessList,
    Reply,
    Sharing,
    SystemdAnswer,
    Target,
    UnameAnswer,
    VfsStat,
)
from nodediag.host.answer_parts import FileBelow
from nodediag.host.ask import (
    BUS_SOCKET,
    Ask,
    Below,
    Certificates,
    Connect,
    Cri,
    Digest,
    Healthz,
    Kubeconfig,
    List,
    Metadata,
    Namespace,
    Namespaces,
    PacketFilter,
    Processes,
    Read,
    Readlink,
    Stat,
    Statvfs,
    Uname,
    Units,
    place,
)
from nodediag.host.host import Host, Line, Seen
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin
from tests.hung import HungMount
from tests.sockets import Socket

pytest_plugins = ["tests.built"]
for _number, _default in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
    if signal.getsignal(_number) is signal.SIG_IGN:  # as under nohup; what tests start would inherit it
        signal.signal(_number, _default)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PACKET_FILTER = "the packet filter"
HEALTHZ = "http://127.0.0.1:10248/healthz"
# systemd answers at its bus's socket, the kubelet at its URL; whose a file is stands at `stat PATH`, else it is root's
Files = dict[
    str, str | bytes | Target | SystemdAnswer | HealthzAnswer | PacketFilterAnswer | PathStat | Socket | Failure
]


class TextSource:
    """A node made of texts and links at paths; what is not there is absent, or not captured as in a folder."""

    def __init__(  # noqa: PLR0913, PLR0917 - one for each kind of answer
        self,
        files: Files,
        processes: tuple[Process, ...],
        uname: UnameAnswer | None,
        statvfs: Mapping[str, VfsStat | Failure],
        metadata: MetadataAnswer | None,
        missing: Code,
    ) -> None:
        self._files = files
        self._statvfs = statvfs
        self._metadata = metadata
        self._processes = processes
        self._uname = uname
        self._missing = missing

    def answer(self, ask: Ask) -> Reply:  # noqa: C901, PLR0911, PLR0912 - one for each question
        match ask:
            case Read(path, cap_bytes):
                return self._read(path, cap_bytes)
            case List(path):
                below = path.rstrip("/") + "/"
                names = {file[len(below) :].split("/")[0] for file in self._files if file.startswith(below)}
                return Names(tuple(sorted(names))) if names else self._lacking(ask)
            case Stat(path) if isinstance(said := self._files.get(f"stat {path}"), PathStat):
                return said
            case Below(path, names, depth):
                return self._below(path.rstrip("/") + "/", names, depth) or self._lacking(ask)
            case Stat(path):
                held = self._files.get(path)
                if isinstance(held, str | bytes):
                    program = held[:4] in {"\x7fELF", b"\x7fELF"}
                    return PathStat(PathType.FILE, "0755" if program else _mode(path), len(held), "0:1", 0, 0)
                if isinstance(held, Socket):
                    return PathStat(PathType.SOCKET, "0660", 0, "0:1")
                known = held is not None or any(file.startswith(path + "/") for file in self._files)
                return PathStat(PathType.DIRECTORY, "0755", 0, "0:1") if known else self._lacking(ask)
            case Readlink(path) if path in self._files:
                held = self._files[path]
                wrong = Failure(Reason(code=Code.WRONG_KIND, detail=f"{path} is no link"))
                return held if isinstance(held, Target | Failure) else wrong
            case Digest(path, cap_bytes):
                read = self._read(path, cap_bytes)
                return (
                    Digested(md5(read.data, usedforsecurity=False).hexdigest()) if isinstance(read, Content) else read
                )
            case Connect(path):
                held = self._files.get(path)
                return held.reply if isinstance(held, Socket) else self._lacking(ask)
            case Cri(path):
                held = self._files.get(path)
                return held.cri if isinstance(held, Socket) else self._lacking(ask)
            case Statvfs(path):
                return self._statvfs.get(path, self._lacking(ask))
            case Units():
                answer = self._files.get(BUS_SOCKET)
                return answer if isinstance(answer, SystemdAnswer) else self._lacking(ask)
            case Processes():
                programs = all(process.program for process in self._processes)
                return ProcessList(self._processes, complete=True, programs=programs)
            case Certificates(path):
                return certificates.answer(path, self._read(path, certificates.CAP_BYTES))
            case Kubeconfig(path):
                return kubeconfig.answer(path, self._read(path, kubeconfig.CAP_BYTES))
            case Healthz():
                answer = self._files.get(HEALTHZ)
                return answer if isinstance(answer, HealthzAnswer) else self._lacking(ask)
            case PacketFilter():
                answer = self._files.get(PACKET_FILTER)
                return answer if isinstance(answer, PacketFilterAnswer | Failure) else self._lacking(ask)
            case Uname():
                return self._uname or self._lacking(ask)
            case Metadata():
                return self._metadata or self._lacking(ask)
            case Namespaces():
                return NamespaceAnswer(dict.fromkeys(Namespace, Sharing.SAME))
            case _:
                return self._lacking(ask)

    def _read(self, path: str, cap_bytes: int) -> Reply:
        held = self._files.get(path)
        if held is None:
            return self._lacking(Read(path, cap_bytes))
        if isinstance(held, Failure):
            return held
        if isinstance(held, Target):
            return self._read(held.target, cap_bytes)
        if isinstance(held, SystemdAnswer | HealthzAnswer | PacketFilterAnswer | PathStat | Socket):
            return Failure(Reason(code=Code.WRONG_KIND, detail=f"{path} is a socket"))
        data = held.encode() if isinstance(held, str) else held
        if len(data) > cap_bytes:
            return Failure(Reason(code=Code.TOO_LARGE, detail=f"{path} holds more than {cap_bytes} bytes"))
        return Content(data)

    def _below(self, folder: str, names: tuple[str, ...], depth: int) -> FilesBelow | None:
        inside = {path.removeprefix(folder): held for path, held in self._files.items() if path.startswith(folder)}
        found = [
            FileBelow(path, held.encode() if isinstance(held, str) else held)
            for path, held in sorted(inside.items())
            if path.count("/") <= depth and path.rpartition("/")[2] in names and isinstance(held, str | bytes)
        ]
        return FilesBelow(tuple(found), complete=True) if inside else None

    def _lacking(self, ask: Ask) -> Failure:
        return Failure(Reason(code=self._missing, detail=f"{place(ask)} is not there"))


def _mode(path: str) -> str:
    return "0600" if path.endswith(".pem") else "0644"


class MakeHost(Protocol):
    """Makes a host of texts."""

    def __call__(  # noqa: PLR0913 - one for each kind of answer
        self,
        files: Files,
        *,
        processes: tuple[Process, ...] = ...,
        uname: UnameAnswer | None = ...,
        statvfs: Mapping[str, VfsStat | Failure] | None = ...,
        metadata: MetadataAnswer | None = ...,
        missing: Code = ...,
    ) -> Host: ...


MakeLines = Callable[[str], tuple[Line, ...]]
MakeFacts = Callable[[Host], Facts]


@pytest.fixture
def host() -> MakeHost:
    """Make a host whose files are texts at paths."""

    def made(  # noqa: PLR0913 - one for each kind of answer
        files: Files,
        *,
        processes: tuple[Process, ...] = (),
        uname: UnameAnswer | None = None,
        statvfs: Mapping[str, VfsStat | Failure] | None = None,
        metadata: MetadataAnswer | None = None,
        missing: Code = Code.ABSENT,
    ) -> Host:
        seen = Seen(origin=Origin.TREE, root="/node", uid=0)
        return Host(TextSource(files, processes, uname, statvfs or {}, metadata, missing), seen)

    return made


@pytest.fixture
def lines() -> MakeLines:
    """Make the lines of a text, as a host gives them."""
    return lambda text: tuple(Line("/file", number, line) for number, line in enumerate(text.splitlines(), 1))


@pytest.fixture
def facts() -> MakeFacts:
    """Collect the facts of a host, without the image."""
    return collect


@pytest.fixture
def now() -> datetime:
    """A fixed time."""
    return NOW


Hang = Callable[[Path], HungMount]


@pytest.fixture
def hang() -> Iterator[Hang]:
    """Mount a file system that hangs; it is gone when the test is."""
    if not Path("/dev/fuse").exists():
        pytest.skip("needs /dev/fuse")
    made: list[HungMount] = []

    def mount(target: Path) -> HungMount:
        made.append(HungMount(target))
        return made[-1]

    yield mount
    for one in made:
        one.abort()
