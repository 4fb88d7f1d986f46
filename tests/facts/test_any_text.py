"""Whatever a node answers, facts are known or say why not; nothing else is ever raised."""

import contextlib
from collections.abc import Callable
from datetime import UTC

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from nodediag.errors import ParseError, ReadError
from nodediag.facts import (
    cloud_init,
    cmdline,
    cni,
    conntrack,
    counters,
    file_handles,
    journald,
    kernel,
    kubelet,
    load,
    lsb_release,
    memory,
    metadata,
    modules,
    mount_lists,
    mounts,
    os_release,
    package_files,
    packages,
    packet_filter,
    partition_lists,
    pids,
    pressure,
    runtime,
    sysctls,
    toolbox,
)
from nodediag.facts.snapshot import Facts, collect
from nodediag.host.answer import (
    Certificate,
    CertificateList,
    Content,
    Digested,
    Failure,
    FilesBelow,
    KubeconfigAnswer,
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
    SizesBelow,
    SystemdAnswer,
    Target,
    UnameAnswer,
    VfsStat,
)
from nodediag.host.answer_parts import BaseChain, FileBelow, Hook, Job, Login, Policy, Size, UnitState
from nodediag.host.ask import (
    BUS_SOCKET,
    Ask,
    Below,
    Certificates,
    Digest,
    Kubeconfig,
    List,
    Metadata,
    Namespace,
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
)
from nodediag.host.host import Host, Line, Seen
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

PATH = "/a/file"
Parser = Callable[[tuple[Line, ...]], object]
PARSERS: dict[str, Parser] = {
    "cmdline": lambda lines: cmdline.parse(lines[0]),
    "conntrack": lambda lines: conntrack.parse(lines)[0],
    "diskstats": counters.parse_disks,
    "net/dev": counters.parse_interfaces,
    "netstat": counters.parse_tcp,
    "softnet_stat": counters.parse_backlog,
    "conntrack counters": counters.parse_conntrack,
    "vmstat": lambda lines: counters.parse_named(lines, ("oom_kill", "pswpin"), PATH),
    "file-nr": lambda lines: file_handles.parse(lines[0]),
    "limit": lambda lines: pids.limit(lines[0]),
    "loadavg": lambda lines: load.parse(lines[0]),
    "cpus": lambda lines: load.parse_cpus(lines[0]),
    "journald": journald.parse,
    "lsb_release": lsb_release.parse,
    "meminfo": memory.parse,
    "pressure": lambda lines: pressure.parse(lines, "cpu"),
    "mountinfo": lambda lines: mounts.parse(lines, PATH),
    "mount lists": lambda lines: mount_lists.parse_either(lines, PATH),
    "os_release": os_release.parse,
    "dpkg status": lambda lines: packages.parse_status("\n".join(line.text for line in lines)),
    "dpkg -l": packages.parse_list,
    "dpkg states": lambda lines: packages.parse_states("\n".join(line.text for line in lines)),
    "modules": modules.parse,
    "md5sums": package_files.parse,
    "cloud-init result": lambda lines: cloud_init.parse_result("\n".join(line.text for line in lines)),
    "cloud-init status": lambda lines: cloud_init.parse_status("\n".join(line.text for line in lines)),
    "packet filter": lambda lines: packet_filter.parse(lines, PATH),
    "sysctls": lambda lines: [line.text for line in sysctls.parse(lines).values()],
    "toolbox": lambda lines: [line.text for line in toolbox.parse(lines).values()],
    "lsblk": lambda lines: partition_lists.parse_lsblk(lines, PATH),
    "blkid": lambda lines: partition_lists.parse_blkid(lines, PATH),
    "cni": lambda lines: cni.parse("\n".join(line.text for line in lines), "/etc/cni/net.d/a.conf"),
    "containerd": lambda lines: runtime.parse("\n".join(line.text for line in lines)),
}
PIECES = st.sampled_from([
    "entries  found", "entries drop insert_failed", "oom_kill 3", "pswpin -1", "nr_periods 9",
    "  8  0 sda 1 2 3 4 5 6 7 8 9 1 2",
    "TcpExt: ListenOverflows", "TcpExt: 9", "eth0: 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7", "24144.18 21851.51",
    "000003e8 0000", "4512 0 811244", "32768", "nr_descendants 3", "nr_dying_descendants 4", "max",
    "MemTotal: 9 kB", "MemFree: 4 kB", "SwapTotal:  1 kB", "some avg10=0.00 avg60=0.10 avg300=9.00 total=7", "0-3",
    "0.52 0.48 0.40 2/612 104127",
    "nvidia 9 1 a,b, Live 0x0 (POE)", '{"v1": {"errors": ["a"]}}', '{"v1": {"stage": ""}}',
    "Chain INPUT (policy DROP 0", "type filter hook input priority 0; policy drop;", "vm.swappiness = 60",
    "Status: hold ok installed", "Status: install reinstreq half-installed", "TOOLBOX_DOCKER_IMAGE='a",
    "1 0 8:1 / / rw - ext4 /dev/sda1 rw", "2 1 0:5 / /proc rw shared:1 - proc  rw", "/dev/sda1 / ext4 rw 0 0", " - ",
    "dm=", '"dm=1 vroot none ro 1,0 8 verity payload=PARTUUID=A', "dm-mod.create=v,,,ro,0 8 verity 0 PARTUUID=A;", '"',
    "ID=cos", "Package: kubelet", "Status: install ok installed", "Version: 1", "ii  kubelet  1  x",
    "bin_dir = ", "[plugins]", "a.b = 1", "NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINT", "sda 8:0 0 10G 0 disk",
    "[Journal]", "Storage=none", "0::/system.slice/a.service", "\\",
    "MAJOR=8", "MINOR=1", "DEVTYPE=partition", "PARTN=9", "E:ID_FS_LABEL=STATE", "btime 17", "0::/kubepods/x",
    "containerRuntimeEndpoint: unix:///x", "NSpid:\t9\t1", '{"v1": {"cloud_name": "gce"}}', "Linux version 6.6+ x",
    "\u0663", "9" * 5000, "\\040", "\\777", "\0", "\t", ",", ";", "=", ":", "/", "{", "[", "&a ", "*a ", "\r", "\u2028",
])  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=40), st.lists(PIECES, max_size=6).map("\n".join), st.lists(PIECES, max_size=6).map("".join)
)
BYTES = st.one_of(TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=40))
ARGUMENTS = st.one_of(
    st.sampled_from(["kubelet", "/x/kubelet", "hyperkube", "--config", "--config=/k", "--node-labels=a=b", "--", "-"]),
    st.text(max_size=9),
)
PROCESSES = st.builds(Process, st.integers(1, 9), st.just(0), st.just("x"), st.lists(ARGUMENTS, max_size=5).map(tuple))
PATH_NAMES = st.one_of(st.sampled_from(["sda", "sda1", "dm-0", "loop0", "md0", "..", ""]), st.text(max_size=5))
US = st.integers(0, 2**63 - 1)
NAMES = st.sampled_from(["a.service", "b.timer", "active", "failed", "running", "", "\0"])
TIMES = st.datetimes(timezones=st.just(UTC))
CERTIFICATES = st.builds(
    Certificate,
    subject=st.text(max_size=9),
    issuer=st.text(max_size=9),
    serial=st.just("01"),
    not_before=TIMES,
    not_after=TIMES,
    key=st.text(max_size=9),
    authority=st.booleans(),
)
REPLIES: dict[type[Ask], st.SearchStrategy[Reply]] = {
    Read: st.builds(Content, BYTES),
    Below: st.builds(
        FilesBelow,
        st.lists(st.builds(FileBelow, st.sampled_from(["cpu.stat", f"pod{'a' * 32}/memory.events", "x"]), BYTES)).map(
            tuple
        ),
        st.booleans(),
    ),
    Sizes: st.builds(
        SizesBelow,
        st.lists(st.builds(Size, st.text(max_size=9), US, US), max_size=3).map(tuple),
        US,
        US,
        st.booleans(),
    ),
    PacketFilter: st.builds(
        PacketFilterAnswer,
        st.lists(
            st.builds(
                BaseChain,
                program=st.text(max_size=9),
                family=st.sampled_from(["ip", "ip6", "inet"]),
                table=st.text(max_size=9),
                chain=st.text(max_size=9),
                hook=st.sampled_from(Hook),
                policy=st.sampled_from(Policy),
            ),
            max_size=5,
        ).map(tuple),
    ),
    Digest: st.builds(Digested, st.text(max_size=32)),
    List: st.builds(Names, st.lists(PATH_NAMES, max_size=4, unique=True).map(tuple)),
    Certificates: st.builds(CertificateList, st.lists(CERTIFICATES, max_size=3).map(tuple), st.integers(0, 9)),
    Kubeconfig: st.builds(
        KubeconfigAnswer,
        server=st.text(max_size=9),
        login=st.sampled_from(Login),
        authority_path=st.sampled_from(["", "/ca", "x"]),
        authority=st.builds(CertificateList, st.lists(CERTIFICATES, max_size=1).map(tuple), st.integers(0, 2)),
        client_path=st.sampled_from(["", "/c", "x"]),
        client=st.builds(CertificateList, st.lists(CERTIFICATES, max_size=1).map(tuple), st.integers(0, 2)),
    ),
    Stat: st.builds(PathStat, st.sampled_from(PathType), st.just("0755"), st.integers(0, 9), st.just("8:1")),
    Statvfs: st.builds(VfsStat, st.just("8:1"), *(st.integers(0, 2**63 - 1) for _ in range(4)), st.booleans()),
    Readlink: st.builds(Target, st.one_of(st.text(max_size=9), st.lists(PATH_NAMES).map("/".join))),
    Processes: st.builds(ProcessList, st.lists(PROCESSES, max_size=3).map(tuple), st.booleans()),
    Uname: st.builds(UnameAnswer, *(st.text(max_size=9) for _ in range(5))),
    Metadata: st.builds(
        MetadataAnswer,
        st.text(max_size=9),
        st.text(max_size=9),
        st.dictionaries(st.sampled_from(metadata.KEYS), st.one_of(st.just("projects/p/global/images/i"), TEXTS)),
        st.dictionaries(
            st.sampled_from(metadata.KEYS), st.builds(Reason, code=st.just(Code.ABSENT), detail=st.just(""))
        ),
    ),
    Units: st.builds(
        SystemdAnswer,
        socket=st.just(BUS_SOCKET),
        asked_us=US,
        uptime_us=US,
        version=st.text(max_size=9),
        state=st.text(max_size=9),
        initrd_us=US,
        userspace_us=US,
        finished_us=US,
        jobs=st.lists(st.builds(Job, unit=NAMES, type=NAMES, state=NAMES), max_size=2).map(tuple),
        units=st.lists(
            st.builds(UnitState, name=NAMES, load=NAMES, active=NAMES, sub=NAMES, changed_us=US, started_us=US),
            max_size=3,
        ).map(tuple),
    ),
    Namespaces: st.builds(NamespaceAnswer, st.dictionaries(st.sampled_from(Namespace), st.sampled_from(Sharing))),
}
FAILURES = st.builds(Failure, st.builds(Reason, code=st.sampled_from(Code), detail=st.text(max_size=9)))


class Anything:
    """A node that answers as hypothesis likes: with what was asked for, with a failure, or with something else."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def answer(self, ask: Ask) -> Reply:
        fitting = REPLIES.get(type(ask), FAILURES)
        return self._data.draw(st.one_of(fitting, fitting, fitting, FAILURES, REPLIES[Stat]))


class Same:
    """A node all of whose files hold the same bytes."""

    def __init__(self, data: bytes, missing: Code) -> None:
        self._data = data
        self._missing = missing

    def answer(self, ask: Ask) -> Reply:
        match ask:
            case Read():
                return Content(self._data)
            case List():
                return Names(("dm-0", "loop0", "sda", "sda1"))
            case Processes():
                return ProcessList((Process(9, 1, "kubelet", ("kubelet", "--config=/k")),), complete=True)
            case _:
                return Failure(Reason(code=self._missing, detail="no"))


def seen() -> Seen:
    return Seen(origin=Origin.TREE, root="/t", uid=0)


@pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)
@settings(max_examples=100)
@given(text=TEXTS)
def test_a_parser_raises_a_parse_error_or_nothing(parser: Parser, text: str) -> None:
    lines = tuple(Line(PATH, number, line) for number, line in enumerate(text.split("\n"), 1))
    try:
        found = parser(lines)
    except ParseError:
        return
    assert msgspec.json.encode(found)


@pytest.mark.parametrize("parser", [os_release.parse, lsb_release.parse])
def test_a_file_without_lines_is_refused(parser: Parser) -> None:
    with pytest.raises(ParseError):
        parser(())


@settings(max_examples=100)
@given(argv=st.lists(ARGUMENTS, max_size=8).map(tuple), mask=st.integers(0, 2**64 - 1))
def test_flags_and_taints_are_always_read(argv: tuple[str, ...], mask: int) -> None:
    assert "" not in kubelet.parse_flags(argv)
    assert len(kubelet.parse_labels(",".join(argv))) <= ",".join(argv).count(",") + 1
    assert len(kernel.decode(mask)) == mask.bit_count()


@settings(max_examples=60, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_collecting_from_a_node_that_answers_anything_raises_nothing(data: st.DataObject) -> None:
    assert isinstance(collect(Host(Anything(data), seen()), deep=True), Facts)


@settings(max_examples=100, deadline=None)
@given(data=BYTES, missing=st.sampled_from([Code.ABSENT, Code.NOT_CAPTURED, Code.NOT_PERMITTED]))
def test_collecting_from_files_that_hold_anything_gives_facts_that_can_be_written(data: bytes, missing: Code) -> None:
    facts = collect(Host(Same(data, missing), seen()))
    assert msgspec.json.decode(msgspec.json.encode(facts), type=Facts) == facts
    assert len({spot.what for spot in facts.blind_spots()}) == len(facts.blind_spots())


@settings(max_examples=60)
@given(data=BYTES)
def test_a_list_that_holds_anything_is_a_list_or_an_error_of_ours(data: bytes) -> None:
    node = Host(Same(data, Code.ABSENT), seen())
    for collector in (mount_lists, partition_lists, lsb_release, packages):
        with contextlib.suppress(ReadError, ParseError):
            assert collector.collect(node) is not None
