"""systemd asked over D-Bus: on the bus's socket, on its own, and at sockets where something else stands."""

import socket
import time
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from nodediag.host.answer import Failure, Reply, SystemdAnswer
from nodediag.host.answer_parts import Job, UnitState
from nodediag.host.ask import BUS_SOCKET, PRIVATE_SOCKET, Units
from nodediag.host.live import UNITS_BUDGET_S, LiveSource
from nodediag.host.sacrifice import PATIENCE_S
from nodediag.host.tree import TreeSource
from nodediag.model.reason import Code
from tests.host.peer import Answer, Systemd, served

UNIT_ROW: Final = "a(ssssssouso)"
NEVER: Final = 2**64 - 1


def row(name: str, active: str, sub: str, *, load: str = "loaded", job: str = "") -> tuple[str | int, ...]:
    path = f"/org/freedesktop/systemd1/unit/{name.partition('.')[0]}"
    return (name, f"what {name} does", load, active, sub, "", path, 7 if job else 0, job, "/")


ANSWERS: Final[dict[str, Answer]] = {
    "systemd1.Version": ("v", ("s", "252.39")),
    "systemd1.SystemState": ("v", ("s", "degraded")),
    "systemd1.InitRDTimestampMonotonic": ("v", ("t", 0)),
    "systemd1.UserspaceTimestampMonotonic": ("v", ("t", 4_000_000)),
    "systemd1.FinishTimestampMonotonic": ("v", ("t", 30_000_000)),
    "ListUnitsByPatterns": (
        UNIT_ROW,
        [
            row("kubelet.service", "activating", "auto-restart", job="start"),
            row("once.service", "active", "exited"),
            row("containerd.service", "active", "running"),
            row("multi.target", "active", "active"),
            row("gone.service", "inactive", "dead", load="not-found"),
        ],
    ),
    "ListUnitsFiltered": (UNIT_ROW, [row("data.mount", "failed", "failed")]),
    "ListJobs": ("a(usssoo)", [(7, "kubelet.service", "start", "waiting", "/", "/")]),
    "kubelet.NRestarts": ("v", ("u", 17)),
    "kubelet.Result": ("v", ("s", "watchdog")),
    "kubelet.ExecMainStatus": ("v", ("i", 6)),
    "kubelet.StateChangeTimestamp": ("v", ("t", 1_790_000_000_000_000)),
    "kubelet.InactiveExitTimestamp": ("v", ("t", NEVER)),
    "containerd.NRestarts": ("v", ("u", 0)),
    "data.Result": ("v", ("s", "exit-code")),
    "data.StateChangeTimestamp": ("v", ("t", 1_790_000_000_000_001)),
    "data.InactiveExitTimestamp": ("v", ("t", 1_790_000_000_000_000)),
}
WANTED: Final = (
    UnitState(name="containerd.service", load="loaded", active="active", sub="running", restarts=0),
    UnitState(
        name="data.mount", load="loaded", active="failed", sub="failed", result="exit-code",
        changed_us=1_790_000_000_000_001, started_us=1_790_000_000_000_000,
    ),
    UnitState(name="gone.service", load="not-found", active="inactive", sub="dead"),
    UnitState(
        name="kubelet.service", load="loaded", active="activating", sub="auto-restart", job="start", restarts=17,
        result="watchdog", exit_status=6, changed_us=1_790_000_000_000_000,
    ),
    UnitState(name="multi.target", load="loaded", active="active", sub="active"),
    UnitState(name="once.service", load="loaded", active="active", sub="exited"),
)  # fmt: skip


@pytest.fixture
def root(reachable: Path) -> Path:
    """A root with a short path, since a socket's may have 107 bytes."""
    return reachable


def asked(root: Path) -> Reply:
    return LiveSource(str(root)).answer(Units())


def reason(reply: Reply) -> tuple[Code, str]:
    assert isinstance(reply, Failure)
    return reply.reason.code, reply.reason.detail


@pytest.mark.parametrize("path", [BUS_SOCKET, PRIVATE_SOCKET])
def test_units_jobs_and_the_boot_are_asked_at_either_socket(root: Path, path: str) -> None:
    before = time.time_ns() // 1000
    with served(root / path[1:], Systemd(ANSWERS, bus=path == BUS_SOCKET)):
        answer = asked(root)
    assert isinstance(answer, SystemdAnswer)
    assert answer.units == WANTED
    assert answer.jobs == (Job(unit="kubelet.service", type="start", state="waiting"),)
    assert (answer.socket, answer.version, answer.state) == (path, "252.39", "degraded")
    assert (answer.initrd_us, answer.userspace_us, answer.finished_us) == (0, 4_000_000, 30_000_000)
    assert before <= answer.asked_us <= time.time_ns() // 1000
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=Reply) == answer


def test_only_what_reads_is_called_and_secrets_of_the_environment_are_not_asked_for(root: Path) -> None:
    peer = Systemd(ANSWERS, bus=False)
    with served(root / PRIVATE_SOCKET[1:], peer):
        asked(root)
    assert {name for name in peer.asked if "." not in name} == {"ListUnitsByPatterns", "ListUnitsFiltered", "ListJobs"}
    assert not [name for name in peer.asked if name.endswith(("Environment", "ExecStart"))]


def test_systemd_is_asked_at_its_own_socket_where_the_bus_has_no_systemd(root: Path) -> None:
    with (
        served(root / BUS_SOCKET[1:], Systemd({}, bus=True)),
        served(root / PRIVATE_SOCKET[1:], Systemd(ANSWERS, bus=False)),
    ):
        answer = asked(root)
    assert isinstance(answer, SystemdAnswer)
    assert answer.socket == PRIVATE_SOCKET


def test_more_units_than_a_bus_takes_calls_at_once_are_all_asked(root: Path) -> None:
    many = [row(f"s{number}.service", "active", "running") for number in range(300)]
    counts: dict[str, Answer] = {f"s{number}.NRestarts": ("v", ("u", 0)) for number in range(300)}
    answers = {**ANSWERS, **counts, "ListUnitsByPatterns": (UNIT_ROW, [*many])}
    with served(root / BUS_SOCKET[1:], Systemd(answers, bus=True)):
        answer = asked(root)
    assert isinstance(answer, SystemdAnswer)
    assert sum(unit.restarts == 0 for unit in answer.units) == 300


def test_a_systemd_that_does_not_count_restarts_leaves_them_open(root: Path) -> None:
    answers = {name: answer for name, answer in ANSWERS.items() if not name.endswith("NRestarts")}
    with served(root / PRIVATE_SOCKET[1:], Systemd(answers, bus=False)):
        answer = asked(root)
    assert isinstance(answer, SystemdAnswer)
    assert {unit.restarts for unit in answer.units} == {msgspec.UNSET}


def test_no_socket_is_absent_and_one_that_nobody_listens_at_is_too(root: Path) -> None:
    assert reason(asked(root))[0] is Code.ABSENT
    (root / "run/systemd").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(root / PRIVATE_SOCKET[1:]))
    assert reason(asked(root)) == (Code.ABSENT, f"{PRIVATE_SOCKET}: Connection refused")


def test_a_file_where_the_socket_should_be_is_not_opened(root: Path) -> None:
    (root / "run/dbus").mkdir(parents=True)
    (root / BUS_SOCKET[1:]).write_text("")
    assert reason(asked(root)) == (Code.WRONG_KIND, f"{BUS_SOCKET}: it is no socket")


def test_a_link_out_of_the_root_leads_to_no_socket_of_ours(root: Path) -> None:
    outside = root / "outside"
    (root / "node/run/systemd").mkdir(parents=True)
    (root / "node" / PRIVATE_SOCKET[1:]).symlink_to(outside)
    peer = Systemd(ANSWERS, bus=False)
    with served(outside, peer):
        reply = LiveSource(str(root / "node")).answer(Units())
    assert reason(reply)[0] is Code.ABSENT
    assert peer.asked == []


def test_a_socket_in_a_folder_is_not_the_node_s(root: Path) -> None:
    peer = Systemd(ANSWERS, bus=False)
    with served(root / PRIVATE_SOCKET[1:], peer):
        reply = TreeSource(LiveSource(str(root))).answer(Units())
    assert reason(reply)[0] is Code.NOT_CAPTURED
    assert peer.asked == []


def test_systemd_that_does_not_answer_is_waited_for_less_long_than_the_child_is(root: Path) -> None:
    assert UNITS_BUDGET_S < 3 * PATIENCE_S
    source = LiveSource(str(root), units_budget_s=0.2)

    def silent(channel: socket.socket) -> None:
        channel.recv(1)
        time.sleep(0.5)

    with served(root / BUS_SOCKET[1:], silent):
        assert reason(source.answer(Units())) == (Code.TIMED_OUT, f"{BUS_SOCKET}: no answer in time")


def test_one_who_may_not_ask_is_told_so(root: Path) -> None:
    def rejecting(channel: socket.socket) -> None:
        channel.recv(4096)
        channel.sendall(b"REJECTED EXTERNAL\r\n")

    with served(root / PRIVATE_SOCKET[1:], rejecting):
        assert reason(asked(root))[0] is Code.NOT_PERMITTED


def test_what_talks_without_end_is_not_listened_to(root: Path) -> None:
    def endless(channel: socket.socket) -> None:
        channel.recv(4096)
        channel.sendall(b"OK 00\r\n")
        channel.recv(4096)
        while True:
            channel.sendall(b"l\2\0\1" + b"\xff\xff\xff\x07" + b"\0" * 65536)

    with served(root / PRIVATE_SOCKET[1:], endless):
        assert reason(asked(root))[0] is Code.TOO_LARGE


VARIANTS: Final = st.one_of(
    st.tuples(st.just("s"), st.text(max_size=9).filter(lambda text: "\0" not in text)),
    st.tuples(st.just("t"), st.integers(0, NEVER)),
    st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just("d"), st.floats(allow_nan=False)),
    st.tuples(st.just("as"), st.just(["a"])),
)


@given(name=st.sampled_from(sorted(ANSWERS)), value=VARIANTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_property_of_any_kind_is_an_answer_or_a_failure(root: Path, name: str, value: Answer) -> None:
    listed = name.startswith("List")
    answers: dict[str, Answer] = {**ANSWERS, name: value if listed else ("v", value)}
    with served(root / PRIVATE_SOCKET[1:], Systemd(answers, bus=False)):
        reply = asked(root)
    assert isinstance(reply, SystemdAnswer) or reason(reply)[0] in {Code.UNPARSABLE, Code.UNSUPPORTED}
    assert msgspec.json.decode(msgspec.json.encode(reply), type=Reply) == reply


@given(noise=st.binary(max_size=200))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_after_the_login_are_a_failure(root: Path, noise: bytes) -> None:
    def noisy(channel: socket.socket) -> None:
        channel.recv(4096)
        channel.sendall(b"OK 00\r\n")
        channel.recv(4096)
        channel.sendall(noise)

    with served(root / PRIVATE_SOCKET[1:], noisy):
        assert reason(asked(root))[0] in {Code.UNPARSABLE, Code.CRASHED, Code.TIMED_OUT}
