"""The node of a story as a host that answers: its files, mounts, processes, units, sockets."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.metadata import KEYS
from nodediag.host.answer import (
    Connected,
    Content,
    CriAnswer,
    Failure,
    HealthzAnswer,
    HealthzOutcome,
    MetadataAnswer,
    Names,
    PacketFilterAnswer,
    PathStat,
    PathType,
    Process,
    Reply,
    SystemdAnswer,
    Target,
    UnameAnswer,
    VfsStat,
)
from nodediag.host.answer_parts import BaseChain, Hook, Job, Policy, RuntimeCondition, UnitState
from nodediag.host.ask import BUS_SOCKET, Ask, List, Read, Readlink, Stat
from nodediag.host.host import Host, Seen
from nodediag.host.nowhere import NOWHERE
from nodediag.host.origin import open_host
from nodediag.host.tree import TreeSource, parse_uname
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin
from tests.certificates import der, pem
from tests.scenarios.story import WELL, Node, StoryError, is_below
from tests.sockets import Socket

KUBELET_PID: Final = 1234


HIDDEN: Final = "hidden"


HALF: Final = "100000000000 50000000000 6000000 3000000"


PER_MOUNT: Final = frozenset({"rw", "ro", "nosuid", "nodev", "noexec", "noatime", "relatime", "nosymfollow"})


_ROOT_OF_BIND: Final = re.compile(r"\[\S*\] ")


PACKET_FILTER: Final = "the packet filter"


HEALTHZ: Final = "http://127.0.0.1:10248/healthz"


UNAME_PATH: Final = "/sos_commands/kernel/uname_-a"


TABLE_PATHS: Final = {"mountinfo": "/proc/1/mountinfo", "mounts": "/proc/mounts"}


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
