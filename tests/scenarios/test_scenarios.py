"""Stories of nodes: each TOML file in stories/ is a small node, what must be said of it, and its twins.

A story stands on a base from bases/ (a healthy node) and tells what is different; a twin stands on the story and is the
near miss, after which the finding is gone or another. README.md has the keys.
"""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.diagnose import diagnose
from nodediag.errors import ReadError
from nodediag.facts import restarts
from nodediag.facts.counters import UPTIME_PATH, Counters
from nodediag.facts.inputs import File, Inputs, read as read_inputs
from nodediag.facts.metadata import KEYS, Asking
from nodediag.facts.snapshot import Facts
from nodediag.host.answer_parts import BaseChain, Hook, Job, Policy, RuntimeCondition, UnitState
from nodediag.host.ask import (
    BUS_SOCKET,
    Ask,
    Connected,
    Content,
    CriAnswer,
    Failure,
    HealthzAnswer,
    HealthzOutcome,
    List,
    MetadataAnswer,
    Names,
    PacketFilterAnswer,
    PathStat,
    PathType,
    Process,
    Read,
    Readlink,
    Reply,
    Stat,
    SystemdAnswer,
    Target,
    UnameAnswer,
    VfsStat,
)
from nodediag.host.host import Host, Seen
from nodediag.host.nowhere import NOWHERE
from nodediag.host.origin import open_host
from nodediag.host.package import texts
from nodediag.host.tree import TreeSource, parse_uname
from nodediag.journal.saved import SavedJournal
from nodediag.logs.collect import scan
from nodediag.logs.matcher import Matcher
from nodediag.logs.node import NOTHING, Excerpted, Logs, not_asked
from nodediag.logs.window import Window
from nodediag.model.image import OsFamily
from nodediag.model.logs import LogResult
from nodediag.model.outcome import CheckResult, Outcome, Subject
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin, Report
from nodediag.model.request import Request
from nodediag.profiles import issues
from nodediag.profiles.load import Catalogue, builtin
from nodediag.redact import redact_arguments, redact_text
from nodediag.signatures.load import merge
from tests.certificates import der, pem
from tests.sockets import Socket

HERE: Final = Path(__file__).parent
STORIES: Final = sorted((HERE / "stories").glob("*.toml"))
CATALOGUE: Final = Catalogue(builtin(), issues=issues.builtin())
KUBELET_PID: Final = 1234
HIDDEN: Final = "hidden"
BOOT_ID_LENGTH: Final = 32
HALF: Final = "100000000000 50000000000 6000000 3000000"
PER_MOUNT: Final = frozenset({"rw", "ro", "nosuid", "nodev", "noexec", "noatime", "relatime", "nosymfollow"})
_ROOT_OF_BIND: Final = re.compile(r"\[\S*\] ")
PACKET_FILTER: Final = "the packet filter"
HEALTHZ: Final = "http://127.0.0.1:10248/healthz"
EARLIER: Final = "86280.00 160000.00\n"  # two minutes before well.toml's
UNAME_PATH: Final = "/sos_commands/kernel/uname_-a"
TABLE_PATHS: Final = {"mountinfo": "/proc/1/mountinfo", "mounts": "/proc/mounts"}


class Node(msgspec.Struct, forbid_unknown_fields=True):
    """A node, or what is different from the one below it."""

    base: str = ""
    about: str = ""
    partial: bool | None = None
    uname: str | None = None
    table: str = ""
    files: dict[str, str] = {}
    remove: list[str] = []
    mount: list[str] = []
    mount_on_top: list[str] = []
    unmount: list[str] = []
    block: dict[str, str] = {}
    processes: dict[str, str] = {}
    kubelet: list[str] | None = None
    flags: dict[str, str] = {}
    journal: list[str] | None = None
    space: dict[str, str] = {}
    states: dict[str, str] = {}
    parents: dict[str, int] = {}
    deep: bool | None = None
    metadata: dict[str, str] = {}
    object: str | None = None
    instance: list[str] | None = None
    gke_versions: str | None = None
    seen: bool | None = None
    systemd: str = ""
    units: dict[str, str] = {}
    units_before: dict[str, str] | None = None
    links: dict[str, str] = {}
    cgroups: dict[str, str] = {}
    certificates: dict[str, list[str]] = {}
    healthz: str = ""
    sockets: dict[str, str] = {}
    cri: str = ""
    modes: dict[str, str] = {}
    filter: list[str] | None = None
    earlier: dict[str, str] | None = None


class Expect(msgspec.Struct, forbid_unknown_fields=True):
    """What the report must say; a key that is left out is not looked at, but `failed`: no other check may fail."""

    verdict: str = ""
    profile: str = ""
    node: dict[str, str] = {}
    failed: list[str] = []
    unknown: list[str] | None = None
    passed: list[str] = []
    not_applicable: list[str] = []
    because: dict[str, str] = {}
    caused: dict[str, int] | None = None


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """One telling."""

    story: str
    expect: Expect
    node: Node = msgspec.field(default_factory=Node)


class Story(msgspec.Struct, forbid_unknown_fields=True):
    """A file: the story, and one twin at least."""

    story: str
    expect: Expect
    twin: list[Case]
    node: Node = msgspec.field(default_factory=Node)


WELL: Final = msgspec.toml.decode((HERE / "well.toml").read_text(), type=Node)


class StoryError(Exception):
    """A file that is not a story."""


class MakeHost(Protocol):
    def __call__(  # noqa: PLR0913 - one for each kind of answer
        self,
        files: dict[
            str, str | bytes | Target | SystemdAnswer | HealthzAnswer | PacketFilterAnswer | PathStat | Socket | Failure
        ],
        *,
        processes: tuple[Process, ...] = ...,
        uname: UnameAnswer | None = ...,
        statvfs: Mapping[str, VfsStat | Failure] | None = ...,
        metadata: MetadataAnswer | None = ...,
        missing: Code = ...,
    ) -> Host: ...


def read_story(name: str, text: str) -> Story:
    try:
        story = msgspec.toml.decode(text, type=Story)
    except msgspec.DecodeError as error:
        raise StoryError(f"{name}: {error}") from error
    if not story.twin:
        raise StoryError(f"{name}: a story needs a [[twin]], the near miss")
    known = {check.id for check in CHECKS}
    for case in cases_of(story):
        expect = case.expect
        named = {line.split(" ")[0] for line in expect.failed}
        named |= {*(expect.unknown or ()), *expect.passed, *expect.not_applicable}
        named -= {one.partition(".")[0] for one in known}
        if named - known:
            raise StoryError(f"{name}: {case.story}: there is no check {', '.join(sorted(named - known))}")
    return story


def cases_of(story: Story) -> list[Case]:
    return [Case(story.story, story.expect, story.node), *story.twin]


def read_base(name: str) -> Node:
    path = HERE / "bases" / f"{name}.toml"
    if not path.is_file():
        there = ", ".join(sorted(base.stem for base in path.parent.glob("*.toml")))
        raise StoryError(f"there is no base {name!r}; there are {there}")
    try:
        return msgspec.toml.decode(path.read_text(), type=Node)
    except msgspec.DecodeError as error:
        raise StoryError(f"{path.name}: {error}") from error


def resolved(node: Node) -> Node:
    """Lay a node over its base."""
    return laid(resolved(read_base(node.base)), node) if node.base else laid(WELL, node)


def laid(under: Node, over: Node) -> Node:
    files = {path: text for path, text in under.files.items() if not is_below(path, over.remove)} | over.files
    processes = {pid: line for pid, line in under.processes.items() if pid not in over.remove} | over.processes
    kubelet = under.kubelet if over.kubelet is None else over.kubelet
    return Node(
        partial=under.partial if over.partial is None else over.partial,
        uname=under.uname if over.uname is None else over.uname,
        table=over.table or under.table,
        files=files,
        mount=mounted(under.mount, over),
        block={name: row for name, row in under.block.items() if name not in over.remove} | over.block,
        processes=processes,
        space=under.space | over.space,
        states=under.states | over.states,
        parents=under.parents | over.parents,
        deep=under.deep if over.deep is None else over.deep,
        cgroups=under.cgroups | over.cgroups,
        earlier=under.earlier if over.earlier is None else over.earlier,
        filter=under.filter if over.filter is None else over.filter,
        kubelet=flagged([] if "kubelet" in over.remove else kubelet or [], over.flags),
        journal=under.journal if over.journal is None else over.journal,
        metadata={key: value for key, value in (under.metadata | over.metadata).items() if value},
        object=under.object if over.object is None else over.object,
        instance=under.instance if over.instance is None else over.instance,
        gke_versions=under.gke_versions if over.gke_versions is None else over.gke_versions,
        seen=under.seen if over.seen is None else over.seen,
        systemd=over.systemd or under.systemd,
        units_before=under.units_before if over.units_before is None else over.units_before,
        units={name: row for name, row in under.units.items() if name not in over.remove} | over.units,
        sockets={path: word for path, word in under.sockets.items() if path not in over.remove} | over.sockets,
        cri=over.cri or under.cri,
        links={path: target for path, target in under.links.items() if path not in over.remove} | over.links,
        healthz=over.healthz or under.healthz,
        modes=under.modes | over.modes,
        certificates={path: rows for path, rows in under.certificates.items() if not is_below(path, over.remove)}
        | over.certificates,
    )


def is_below(path: str, removed: list[str]) -> bool:
    return any(path == gone or path.startswith(gone.rstrip("/") + "/") for gone in removed)


def mounted(rows: list[str], over: Node) -> list[str]:
    """Replace rows in their place by target; new ones and those on top come last."""
    rows = [row for row in rows if target_of(row) not in over.unmount]
    unknown = [path for path in over.unmount if path.startswith("/") is False]
    if unknown:
        raise StoryError(f"unmount: {unknown[0]!r} is no path")
    for new in over.mount:
        places = [place for place, row in enumerate(rows) if target_of(row) == target_of(new)]
        if places:
            rows[places[-1]] = new
        else:
            rows.append(new)
    rows += over.mount_on_top
    for row in rows:
        target_of(row)
    return rows


def target_of(row: str) -> str:
    fields = row.split()
    if len(fields) != 4 or not fields[1].startswith("/"):
        raise StoryError(f"mount: found {row!r}, wanted `SOURCE TARGET FSTYPE OPTIONS`")
    return fields[1]


def flagged(argv: list[str], flags: dict[str, str]) -> list[str]:
    """Set flags of the kubelet; an empty value takes one away."""
    if flags and not argv:
        raise StoryError("flags: no kubelet runs here")
    kept = [word for word in argv if word.lstrip("-").partition("=")[0] not in flags]
    return [*kept, *(f"--{name}={value}" for name, value in flags.items() if value)]


def mountinfo(rows: list[str], block: dict[str, str]) -> str:
    numbers = {f"/dev/{name}": row.split()[0] for name, row in block.items()}
    mapped = next((row.split()[0] for row in block.values() if row.split()[1] == "dm"), "8:1")
    numbers["/dev/root"] = mapped  # as kernels up to 4.14 name any root
    numbers |= {f"/dev/mapper/{row.split()[2]}": row.split()[0] for row in block.values() if row.split()[1] == "dm"}
    lines: list[str] = []
    targets: list[str] = []
    for row in rows:
        source, target, fstype, words = row.split()
        source, _, root = source.partition("[")
        options, _, superblock = words.partition("|")
        number = numbers.setdefault(source if source.startswith("/dev/") else f"{source} {target}", f"0:{len(numbers)}")
        above = [place for place, held in enumerate(targets) if is_below(target, [held]) or held == "/"]
        parent = max(above, key=lambda place: (len(targets[place]), place), default=-20)
        flags = [option for option in options.split(",") if option in PER_MOUNT]
        rest = [option for option in options.split(",") if option not in PER_MOUNT]
        own = f"{len(lines) + 21} {parent + 21} {number} /{root.strip('/]')} {target} {','.join(flags)}"
        rest = [superblock] if superblock else ["rw" if "rw" in flags else "ro", *rest]
        lines.append(f"{own} shared:1 - {fstype} {source} {','.join(rest)}\n")
        targets.append(target)
    return "".join(lines)


def sysfs(block: dict[str, str]) -> dict[str, str]:
    """Make `NAME = "MAJOR:MINOR disk"`, `"... part NUMBER [LABEL]"`, `"... dm NAME ro|rw SLAVE"` the files of sysfs."""
    files: dict[str, str] = {}
    for name, row in block.items():
        device, kind, *rest = row.split()
        major, minor = device.split(":")
        event = f"MAJOR={major}\nMINOR={minor}\nDEVNAME={name}\n"
        folder = f"/sys/class/block/{name}"
        if kind == "part":
            event += f"DEVTYPE=partition\nPARTN={rest[0]}\n" + "".join(f"PARTNAME={label}\n" for label in rest[1:])
        elif kind == "disk":
            event += "DEVTYPE=disk\n"
        else:
            files[f"{folder}/dm/name"] = rest[0] + "\n"
            files[f"{folder}/ro"] = "1\n" if rest[1] == "ro" else "0\n"
            files |= {f"{folder}/slaves/{slave}/uevent": "" for slave in rest[2:]}
        files[f"{folder}/uevent"] = event
    return files


def usage(node: Node, table: str) -> dict[str, VfsStat]:
    """Give what statvfs(3) says of each mount: as `space` has it, by default half empty."""
    told: dict[str, VfsStat] = {}
    for line in table.splitlines():
        device, target = line.split(" ")[2], line.split(" ")[4]
        whole, left, inodes, free = (int(word) for word in node.space.get(target, HALF).split())
        told[target] = VfsStat(device, whole, left, inodes, free, read_only=False)
    unknown = [target for target in node.space if target not in told]
    if unknown:
        raise StoryError(f"space: {unknown[0]} is no mount")
    return told


class OnlyFiles:
    """The files of a host, for a folder in which what is not there was not captured."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def answer(self, ask: Ask) -> Reply:
        try:
            match ask:
                case Read(path, cap_bytes):
                    return Content(self._host.read(path, cap_bytes=cap_bytes))
                case List(path):
                    return Names(self._host.list(path))
                case Stat(path):
                    return self._host.stat(path)
                case Readlink(path):
                    return Target(self._host.readlink(path))
                case _:
                    return Failure(Reason(code=Code.ABSENT, detail="not there"))
        except ReadError as error:
            return Failure(error.reason)


def microseconds(text: str) -> int:
    """Give `90s`, `3m`, `2h` or `1d` in microseconds."""
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(text[-1:])
    if unit is None or not text[:-1].isdecimal():
        raise StoryError(f"found {text!r}, wanted a time such as `3m`")
    return int(text[:-1]) * unit * 1_000_000


def unit_state(name: str, row: str, now_us: int) -> UnitState:
    """Make `ACTIVE SUB [KEY=VALUE ...]` a unit; times are how long ago."""
    active, sub, *more = row.split()
    words = dict(word.split("=", 1) for word in more)
    unknown = set(words) - {"load", "job", "result", "restarts", "exit", "changed", "started"}
    if unknown:
        raise StoryError(f"units: {name}: there is no key {unknown}")
    counted = int(words["restarts"]) if "restarts" in words else 0 if sub == "running" else msgspec.UNSET
    return UnitState(
        name=name,
        load=words.get("load", "loaded"),
        active=active,
        sub=sub,
        job=words.get("job", ""),
        restarts=counted,
        result=words.get("result", ""),
        exit_status=int(words.get("exit", "0")),
        changed_us=now_us - microseconds(words["changed"]) if "changed" in words else 0,
        started_us=now_us - microseconds(words["started"]) if "started" in words else 0,
    )


def systemd_of(node: Node, now: datetime) -> dict[str, SystemdAnswer]:
    """Make `STATE UPTIME` and the units what systemd answers at its socket, if it can be asked."""
    if not node.systemd:
        return {}
    state, uptime = node.systemd.split()
    now_us = int(now.timestamp()) * 1_000_000
    units = tuple(unit_state(name, row, now_us) for name, row in sorted(node.units.items()))
    answer = SystemdAnswer(
        socket=BUS_SOCKET,
        asked_us=now_us,
        uptime_us=microseconds(uptime),
        version="255",
        state=state,
        initrd_us=0,
        userspace_us=2_000_000,
        finished_us=0 if state in {"initializing", "starting"} else 30_000_000,
        units=units,
        jobs=tuple(Job(unit=unit.name, type=unit.job, state="running") for unit in units if unit.job),
    )
    return {BUS_SOCKET: answer}


def made(node: Node, make: MakeHost, now: datetime) -> Host:
    if node.seen is False:
        return open_host(NOWHERE, budget_s=1).host
    held = {path: text for path, text in node.files.items() if not node.partial or WELL.files.get(path) != text}
    files: dict[
        str, str | bytes | Target | SystemdAnswer | HealthzAnswer | PacketFilterAnswer | PathStat | Socket | Failure
    ] = {}
    files |= {**sysfs(node.block), **held}
    files |= {path: Target(target) for path, target in node.links.items()}
    files |= systemd_of(node, now)
    files |= {PACKET_FILTER: filter_of(node.filter)} if node.filter is not None and not node.partial else {}
    files |= {f"stat {path}": mode_of(row) for path, row in node.modes.items()}
    files |= {HEALTHZ: healthz(node)} if node.kubelet else {}
    files |= {path: "".join(map(certificate, rows)) for path, rows in node.certificates.items()}
    files |= {} if node.partial else sockets_of(node)
    if node.mount and node.table != "none":
        path = TABLE_PATHS[node.table or "mountinfo"]
        rows = "".join(f"{_ROOT_OF_BIND.sub(' ', row)} 0 0\n" for row in node.mount)
        files[path] = rows if node.table == "mounts" else mountinfo(node.mount, node.block)
    argv = {pid: tuple(line.split()) for pids, line in node.processes.items() for pid in each(pids)}
    if node.kubelet:
        argv[KUBELET_PID] = tuple(node.kubelet)
    if node.partial:
        files |= {f"/proc/{pid}/cmdline": "\0".join(words) + "\0" for pid, words in argv.items()}
        files |= {UNAME_PATH: node.uname} if node.uname else {}
        return Host(TreeSource(OnlyFiles(make(files))), Seen(origin=Origin.TREE, root="/node", uid=0))
    processes = tuple(process(node, pid, words) for pid, words in sorted(argv.items()))
    uname = parse_uname(node.uname) if node.uname else None
    uname = uname if isinstance(uname, UnameAnswer) else None
    told = usage(node, mountinfo(node.mount, node.block)) if node.table != "mounts" else {}
    known = {key: value for key, value in node.metadata.items() if value != HIDDEN}
    refused = {key: Reason(code=Code.ABSENT, detail="the server answered 404") for key in {*KEYS} - {*known}}
    server = MetadataAnswer("169.254.169.254", "Metadata Server for VM", known, refused) if node.metadata else None
    uname = uname if isinstance(uname, UnameAnswer) else None
    return make(files, processes=processes, uname=uname, statvfs=told, metadata=server)


def each(pids: str) -> range:
    """Give the numbers of `700` or of `3000-3249`."""
    first, _, last = pids.partition("-")
    return range(int(first), int(last or first) + 1)


def process(node: Node, pid: int, words: tuple[str, ...]) -> Process:
    """Make one that runs the program its command line starts with; of the dead a name is left."""
    state = next((state for pids, state in node.states.items() if pid in each(pids)), "S")
    parent = next((parent for pids, parent in node.parents.items() if pid in each(pids)), 1)
    cgroup = node.cgroups.get(str(pid), "0::/system.slice/a.service\n")
    name = words[0].rpartition("/")[2]
    return Process(pid, parent, name, () if state == "Z" else words, state, words[0], cgroup)


def mode_of(row: str) -> PathStat:
    """Make `MODE UID:GID` what is told of a file."""
    mode, owner = row.split()
    uid, gid = map(int, owner.split(":"))
    return PathStat(PathType.FILE, mode, 1, "0:1", uid, gid)


def healthz(node: Node) -> HealthzAnswer:
    """Make `STATUS WORDS` an answer, or one of the other outcomes; without a word the kubelet is well."""
    status, _, text = (node.healthz or "200 ok").partition(" ")
    if not status.isdecimal():
        return HealthzAnswer(outcome=HealthzOutcome(status))
    return HealthzAnswer(outcome=HealthzOutcome.ANSWERED, status=int(status), text=text)


def certificate(row: str) -> str:
    """Make `SUBJECT SINCE UNTIL` a certificate in PEM, at the start of both days."""
    subject, since, until = row.split()
    return pem(der(subject, *(datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (since, until))))


def filter_of(rows: list[str]) -> PacketFilterAnswer | Failure:
    """Make `PROGRAM FAMILY TABLE CHAIN HOOK POLICY` the packet filter's chains, or a code why they are not told."""
    if len(rows) == 1 and " " not in rows[0]:
        return Failure(Reason(code=Code(rows[0]), detail=f"the packet filter: {rows[0]}", needs="CAP_NET_ADMIN"))
    chains: list[BaseChain] = []
    for row in rows:
        program, family, table, chain, hook, policy = row.split()
        chains.append(
            BaseChain(
                program=program, family=family, table=table, chain=chain, hook=Hook(hook), policy=Policy(policy)
            )
        )  # fmt: skip
    return PacketFilterAnswer(tuple(chains))


def sockets_of(node: Node) -> dict[str, Socket]:
    return {path: Socket(knocked(path, word), runtime_of(node.cri)) for path, word in node.sockets.items()}


def runtime_of(words: str) -> CriAnswer | Failure:
    """Make `VERSION [CONDITION=REASON...]` what a runtime says of itself; `none` is one without the CRI."""
    if words == "no-grpc":
        return Failure(Reason(code=Code.NOT_ASKED, detail="this installation has no gRPC", needs="the extra `cri`"))
    version, *pairs = words.split()
    if version == "none":
        return Failure(Reason(code=Code.UNSUPPORTED, detail="unknown service runtime.v1.RuntimeService"))
    bad = dict(pair.split("=", 1) for pair in pairs)
    conditions = tuple(
        RuntimeCondition(type=name, status=name not in bad, reason=bad.get(name, ""), message="")
        for name in ("RuntimeReady", "NetworkReady")
    )
    return CriAnswer(api="v1", name="containerd", version=version, conditions=conditions)


def knocked(path: str, word: str) -> Connected | Failure:
    if word in {"answers", "foreign"}:
        return Connected(http2=word == "answers")
    code = {"refuses": Code.ABSENT, "hangs": Code.TIMED_OUT, "closes": Code.CRASHED}[word]
    return Failure(Reason(code=code, detail=f"{path}: {code}", needs="a server that answers"))


def earlier_look(node: Node, make: MakeHost, now: datetime) -> Counters | msgspec.UnsetType:
    """Look at the node as it was two minutes before, with the files that were different then."""
    if node.earlier is None or node.partial or node.seen is False:
        return msgspec.UNSET
    before = {UPTIME_PATH: EARLIER, **node.earlier}
    units = node.units if node.units_before is None else node.units | node.units_before
    return restarts.look(made(msgspec.structs.replace(node, files=node.files | before, units=units), make, now))


def inputs_of(node: Node) -> Inputs:
    return read_inputs(
        node=File("node.yaml", node.object) if node.object else None,
        name="",
        instance=tuple(File(f"instance-{number}", text) for number, text in enumerate(node.instance or [])),
        versions=File("gke-to-cos.json", node.gke_versions) if node.gke_versions else None,
        metadata=Asking(),
    )


class ToldLogs:
    """The journal of a story, judged by the release's signatures."""

    def __init__(self, lines: list[str], now: datetime) -> None:
        before = f"{(now - timedelta(hours=25)).isoformat()} init.scope the journal goes back further than is asked"
        text = b"\n".join(map(entry, (before, *lines)))
        journal = SavedJournal(iter([text]), "the story")
        self._scanned = scan(journal, matcher(), Window(now=now, since="24h").query(journal.units()))

    def judged(self, family: OsFamily) -> LogResult:
        return self._scanned.judged(family)

    def excerpt(self) -> Excerpted:
        return NOTHING

    def close(self) -> None:
        pass


def entry(line: str) -> bytes:
    """Make `TIME UNIT MESSAGE` a line as journalctl prints it; `UNIT@B` is of the boot B."""
    time, unit, message = line.split(" ", 2)
    unit, _, boot = unit.partition("@")
    at = datetime.fromisoformat(time)
    record = {
        "__REALTIME_TIMESTAMP": str(int(at.timestamp() * 1_000_000)),
        "_BOOT_ID": (boot or "a") * BOOT_ID_LENGTH,
        "MESSAGE": message,
        "PRIORITY": "6",
        **({"_TRANSPORT": "kernel"} if unit == "kernel" else {"_SYSTEMD_UNIT": unit}),
    }
    return msgspec.json.encode(record)


@cache
def matcher() -> Matcher:
    return Matcher(merge(texts("signatures/data")))


def told(lines: list[str] | None, now: datetime) -> Logs:
    return not_asked(Window(now=now)) if lines is None else ToldLogs(lines, now)


def field(report: Report[Facts], place: str) -> str:
    value: object = report.node
    for name in place.split("."):
        value = getattr(value, name)
    return str(value)


def reason_of(result: CheckResult) -> str:
    return f"{result.reason.detail}; {result.reason.needs}" if result.reason else f"(none: it {result.outcome})"


def said(report: Report[Facts], expect: Expect) -> Expect:
    """Give what a report says, as far as it is expected to say something."""
    results = {result.id: result for result in report.checks}

    def having(outcome: Outcome, ids: list[str]) -> list[str]:
        return [one for one in ids if results[one].outcome is outcome]

    problems = sorted(
        f"{result.id} {problem.subject.kind}:{problem.subject.name} {problem.severity}"
        for result in report.checks
        for problem in result.problems
    )
    problems_of = (problem for result in report.checks for problem in result.problems)
    causes = [problem.cause.name for problem in problems_of if isinstance(problem.cause, Subject)]
    reasons = {one: reason_of(results[one]) for one in expect.because}
    blind = [result.id for result in report.checks if result.outcome in {Outcome.UNKNOWN, Outcome.BROKEN}]
    groups = {one for one in expect.unknown or () if "." not in one}
    unknown = {group if (group := one.partition(".")[0]) in groups else one for one in blind}
    used = report.profile.name if report.profile else "none"
    return Expect(
        verdict=report.verdict.value if expect.verdict else "",
        profile=used if expect.profile else "",
        node={place: field(report, place) for place in expect.node},
        failed=problems,
        unknown=sorted(unknown) if expect.unknown is not None else None,
        passed=having(Outcome.PASSED, expect.passed),
        not_applicable=having(Outcome.NOT_APPLICABLE, expect.not_applicable),
        caused=dict(Counter(causes)) if expect.caused is not None else None,
        because={one: words if words in reasons[one] else reasons[one] for one, words in expect.because.items()},
    )


def wanted(expect: Expect) -> Expect:
    unknown = None if expect.unknown is None else sorted(expect.unknown)
    return msgspec.structs.replace(expect, failed=sorted(expect.failed), unknown=unknown)


def differences(said: Expect, wanted: Expect) -> list[str]:
    pairs = ((name, getattr(said, name), getattr(wanted, name)) for name in Expect.__struct_fields__)
    return [
        f"{name}: the report says {found}, the story wants {asked}" for name, found, asked in pairs if found != asked
    ]


def twice(text: str) -> str:
    return redact_text(redact_text(text))


def masked(node: Node) -> Node:
    """Mask the secrets of all that is told of a node, twice."""

    def words(line: str) -> str:
        return " ".join(redact_arguments(redact_arguments(tuple(line.split()))))

    return msgspec.structs.replace(
        node,
        files={path: twice(text) for path, text in node.files.items()},
        processes={pid: words(line) for pid, line in node.processes.items()},
        kubelet=words(" ".join(node.kubelet)).split() if node.kubelet else node.kubelet,
        journal=[twice(line) for line in node.journal] if node.journal is not None else None,
        metadata={key: twice(value) for key, value in node.metadata.items()},
        object=twice(node.object) if node.object else node.object,
        instance=[twice(text) for text in node.instance] if node.instance is not None else None,
        gke_versions=twice(node.gke_versions) if node.gke_versions else node.gke_versions,
    )


@pytest.mark.parametrize("with_secrets", [True, False], ids=["", "masked"])
@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_and_its_twins_are_told_apart_with_and_without_secrets(
    path: Path,
    with_secrets: bool,  # noqa: FBT001 - a parameter of the test
    host: MakeHost,
    now: datetime,
) -> None:
    story = read_story(path.name, path.read_text())
    below = resolved(story.node)
    cases = [Case(story.story, story.expect, below), *(Case(t.story, t.expect, twin_of(below, t)) for t in story.twin)]
    if not with_secrets:
        cases = [Case(case.story, case.expect, masked(case.node)) for case in cases]
    for case in cases:
        logs = told(case.node.journal, now)
        request = Request(logs=case.node.journal is not None, deep=case.node.deep or False)
        inputs = inputs_of(case.node)
        inputs = msgspec.structs.replace(inputs, earlier=earlier_look(case.node, host, now))
        report = diagnose(made(case.node, host, now), logs, CATALOGUE, request, now, inputs=inputs)
        assert differences(said(report, case.expect), wanted(case.expect)) == [], case.story


def twin_of(below: Node, twin: Case) -> Node:
    return resolved(twin.node) if twin.node.base else laid(below, twin.node)


def test_there_are_stories_and_every_base_is_used() -> None:
    told = [read_story(path.name, path.read_text()) for path in STORIES]
    used = {case.node.base for story in told for case in cases_of(story)}
    bases = {path.stem: read_base(path.stem) for path in (HERE / "bases").glob("*.toml")}
    assert set(bases) == (used | {base.base for base in bases.values()}) - {""}
    assert all(base.about for base in bases.values())


MINIMAL: Final = 'story = "s"\n[expect]\nverdict = "healthy"\n[[twin]]\nstory = "t"\n[twin.expect]\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("storry = 1\n", "storry"),
        ('story = "s"\n[expect]\n', "twin"),
        ('story = "s"\ntwin = []\n[expect]\n', "near miss"),
        (MINIMAL.replace("verdict", "verdikt"), "verdikt"),
        (MINIMAL.replace('verdict = "healthy"', 'failed = ["mounts.exe path:/var warning"]'), "no check mounts.exe"),
    ],
)
def test_a_mistake_in_a_story_is_named(text: str, words: str) -> None:
    with pytest.raises(StoryError, match=words):
        read_story("file.toml", text)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (Node(base="cos_contaner"), "there is no base 'cos_contaner'; there are bare_cos"),
        (Node(mount=["tmpfs /tmp"]), "wanted `SOURCE TARGET FSTYPE OPTIONS`"),
        (Node(flags={"version": "v1"}), "no kubelet runs here"),
        (Node(unmount=["tmp"]), "'tmp' is no path"),
    ],
)
def test_a_mistake_in_a_node_is_named(node: Node, words: str) -> None:
    with pytest.raises(StoryError, match=words):
        resolved(node)
