"""Counters of one look, and what two looks make of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from nodediag.errors import ParseError, UsageError
from nodediag.facts import counters, earlier, previous
from nodediag.facts.cgroup_counters import Row, pod_of
from nodediag.facts.counters import NODE, Counters, Table
from nodediag.facts.fact import Fact, Known, NotKnownError, Unknown
from nodediag.facts.rates import changes
from nodediag.host.host import Line
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost

BOOT: Final = {"/proc/sys/kernel/random/boot_id": "3f2504e0\n", "/proc/uptime": "100.25 9.00\n"}
UID: Final = "0b1cd2e3-4455-6677-8899-aabbccddeeff"
NOTHING: Final = Reason(code=Code.NOT_PERMITTED, detail="no", needs="root")
Lines = Callable[[str], tuple[Line, ...]]


def look(uptime_s: float, *, boot_id: str = "a", reads: int = 0, **more: object) -> Counters:
    row = Row(values={"reads": reads}, lines=())
    whole = Counters(boot_id=boot_id, uptime_s=uptime_s, tables={Table.DISKS: {"sda": row}})
    return msgspec.structs.replace(whole, **more)


def code(fact: Fact[Counters]) -> Code | None:
    return fact.reason.code if isinstance(fact, Unknown) else None


def test_each_source_that_cannot_be_read_leaves_the_others(host: "MakeHost") -> None:
    found = counters.collect(host({**BOOT, "/proc/diskstats": "garbled\n", "/proc/stat": "processes 7\n"}))
    assert (found.boot_id, found.uptime_s) == ("3f2504e0", 100.25)
    assert found.tables[Table.FORKS][NODE].values == {"processes": 7}
    assert found.unread[Table.DISKS].code is Code.UNPARSABLE
    assert found.unread[Table.TCP].code is Code.ABSENT
    assert set(found.tables) | set(found.unread) == set(Table) - {Table.RESTARTS}, "systemd tells those"


@pytest.mark.parametrize("uptime", ["", "soon", "1", "-1.00 2.00", "\u0663.00 1.00"])
def test_a_look_of_no_time_is_none(uptime: str, host: "MakeHost") -> None:
    with pytest.raises(ParseError, match="seconds since boot"):
        counters.collect(host({**BOOT, "/proc/uptime": f"{uptime}\n"}))


def test_disks_are_read_by_name_and_those_nobody_used_left_out(lines: Lines) -> None:
    text = " 8 0 sda 1 2 3 4 5 6 7 8 9 10 11 0 0\n 7 0 loop0 1 2 3 4 5 6 7 8 9 10 11\n 1 0 ram0" + " 0" * 11
    found = counters.parse_disks(lines(text))
    assert set(found) == {"sda", "loop0"}
    assert found["sda"].values == {
        "reads": 1, "read_ms": 4, "writes": 5, "write_ms": 8, "in_flight": 9, "busy_ms": 10, "queue_ms": 11,
    }  # fmt: skip


def test_rows_of_cpus_are_added_up(lines: Lines) -> None:
    assert counters.parse_backlog(lines("0a 01 00\n0b 02 00\n"))[NODE].values["dropped"] == 3
    head = "entries found insert_failed drop early_drop"
    row = counters.parse_conntrack(lines(f"{head}\n01 00 0a 0b 00\n01 00 01 01 00\n"))[NODE]
    assert row.values == {"insert_failed": 11, "drop": 12, "early_drop": 0}


def test_tcp_counters_are_found_by_their_names(lines: Lines) -> None:
    text = "IpExt: A ListenOverflows\nIpExt: 1 2\nTcpExt: A ListenOverflows\nTcpExt: 3 4\n"
    assert counters.parse_tcp(lines(text))[NODE].values == {"ListenOverflows": 4}


@pytest.mark.parametrize(
    ("path", "uid"),
    [
        (f"kubepods-burstable.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice/cri-containerd-a.scope", UID),
        (f"burstable/pod{UID}", UID),
        ("pod0123456789abcdef0123456789abcdef/x", "0123456789abcdef0123456789abcdef"),
        ("kubepods-burstable.slice", ""),
        ("system.slice/podman.service", ""),
    ],
)
def test_a_pod_is_told_from_its_cgroup(path: str, uid: str) -> None:
    assert pod_of(path) == uid


def test_more_rows_than_are_kept_are_none_rather_than_some(host: "MakeHost") -> None:
    rows = "".join(f"  veth{number}: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n" for number in range(600))
    found = counters.collect(host({**BOOT, "/proc/1/net/dev": f"head\nhead\n{rows}"}))
    assert found.unread[Table.INTERFACES].code is Code.TOO_LARGE


def test_two_looks_at_one_boot_five_seconds_apart_make_rates() -> None:
    now: Known[Counters] = Known(look(105))
    assert code(earlier.derive(look(100), now)) is None
    assert code(earlier.derive(look(100.01), now)) is Code.ONE_SAMPLE
    assert code(earlier.derive(look(200), now)) is Code.ONE_SAMPLE
    assert code(earlier.derive(look(100, boot_id="b"), now)) is Code.ONE_SAMPLE
    assert code(earlier.derive(msgspec.UNSET, now)) is Code.ONE_SAMPLE
    assert code(earlier.derive(look(100), Unknown(NOTHING))) is Code.NOT_PERMITTED


def test_a_counter_that_went_backwards_gives_no_rate() -> None:
    (change,) = changes(look(100, reads=9), look(110, reads=29), Table.DISKS)
    assert (change.of("reads"), change.each_second("reads")) == (20, 2.0)
    (change,) = changes(look(100, reads=29), look(110, reads=9), Table.DISKS)
    with pytest.raises(NotKnownError, match="reads of sda went backwards"):
        change.of("reads")


def test_what_is_new_has_grown_from_nothing_and_what_was_not_read_is_not_known() -> None:
    (change,) = changes(look(100, tables={Table.DISKS: {}}), look(110, reads=9), Table.DISKS)
    assert change.of("reads") == 9
    blind = {Table.DISKS: NOTHING}
    for looks in ((look(100, unread=blind), look(110)), (look(100), look(110, unread=blind))):
        with pytest.raises(NotKnownError, match="no"):
            tuple(changes(*looks, Table.DISKS))


def test_what_an_older_release_did_not_count_is_not_known() -> None:
    with pytest.raises(NotKnownError, match="of a release that did not count disks"):
        tuple(changes(look(100, tables={}), look(110, reads=9), Table.DISKS))


def test_what_the_node_did_not_have_at_the_earlier_look_has_counted_from_zero() -> None:
    absent = {Table.DISKS: Reason(code=Code.ABSENT, detail="no cgroup is one of pods")}
    (change,) = changes(look(100, tables={}, unread=absent), look(110, reads=9), Table.DISKS)
    assert change.of("reads") == 9
    with pytest.raises(NotKnownError, match="no cgroup is one of pods"):
        tuple(changes(look(100), look(110, tables={}, unread=absent), Table.DISKS))


def report(**counted: object) -> str:
    return msgspec.json.encode({"schema": "nodediag.report/1", "facts": {"counters": counted}}).decode()


def test_an_earlier_report_gives_its_counters() -> None:
    held = msgspec.to_builtins(look(100, reads=7))
    assert previous.read("a.json", report(state="known", value=held)) == look(100, reads=7)
    assert previous.read("a.json", report(state="unknown", reason={})) is msgspec.UNSET
    assert previous.read("a.json", report(state="known", value=held, total={"tables.disks": 9})) is msgspec.UNSET


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "other/1", "facts": {}}', "[" * 9000])
def test_another_file_is_no_earlier_report(text: str) -> None:
    with pytest.raises(UsageError, match=r"--previous a\.json: wanted a report"):
        previous.read("a.json", text)
