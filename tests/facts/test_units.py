"""systemd's answer taken apart, and what cgroups tell where it cannot be asked."""

from datetime import UTC, datetime
from typing import Protocol

import msgspec
import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ReadError
from nodediag.facts import units
from nodediag.facts.units import How
from nodediag.host.answer import SystemdAnswer
from nodediag.host.answer_parts import Job, UnitState
from nodediag.host.ask import BUS_SOCKET
from nodediag.host.host import Host
from nodediag.model.evidence import DbusEvidence, FileEvidence
from nodediag.model.reason import Code

ANSWER = SystemdAnswer(
    socket=BUS_SOCKET, asked_us=1_790_000_000_000_000, uptime_us=90_000_000, version="252.39", state="running",
    initrd_us=2_000_000, userspace_us=5_000_000, finished_us=35_000_000,
    jobs=(Job(unit="a.service", type="start", state="waiting"),),
    units=(
        UnitState(
            name="a.service", load="loaded", active="failed", sub="failed", result="watchdog", exit_status=6,
            restarts=3, changed_us=1_789_999_940_000_000, started_us=1_789_999_930_000_000,
        ),
        UnitState(name="b.target", load="not-found", active="inactive", sub="dead"),
        UnitState(name="c.target", load="masked", active="inactive", sub="dead"),
    ),
)  # fmt: skip


class MakeHost(Protocol):
    def __call__(self, files: dict[str, str | SystemdAnswer], *, missing: Code = ...) -> Host: ...


def test_units_come_with_times_and_words_and_what_is_only_named_is_left_out(host: MakeHost) -> None:
    found = units.collect(host({BUS_SOCKET: ANSWER}))
    assert found.how is How.DBUS
    assert [unit.name for unit in found.units] == ["a.service", "c.target"]
    unit = found.at("a.service")
    assert unit is not None
    assert (unit.restarts, unit.result, unit.exit_status) == (3, "watchdog", 6)
    assert found.asked == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    assert (unit.changed, unit.started) == (
        datetime(2026, 9, 21, 14, 12, 20, tzinfo=UTC),
        datetime(2026, 9, 21, 14, 12, 10, tzinfo=UTC),
    )
    assert found.evidence(unit) == DbusEvidence(path=BUS_SOCKET, name="a.service", text="loaded failed failed watchdog")
    assert found.jobs == ANSWER.jobs
    never = found.at("c.target")
    assert never is not None
    assert (never.changed, never.restarts) == (msgspec.UNSET, msgspec.UNSET)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, (True, 2000, 3000, 30000)),
        ({"initrd_us": 0}, (True, 5000, 0, 30000)),
        ({"state": "starting", "finished_us": 0}, (False, 2000, 3000, 0)),
        ({"finished_us": 0}, (False, 2000, 3000, 0)),
        ({"state": "starting"}, (False, 2000, 3000, 0)),
        ({"state": "maintenance", "finished_us": 7_000_000}, (True, 2000, 3000, 2000)),
    ],
)
def test_the_boot_is_timed_by_its_stages(said: dict[str, str | int], wanted: tuple[bool, int, int, int]) -> None:
    startup = units.from_systemd(msgspec.structs.replace(ANSWER, **said)).startup
    assert startup is not msgspec.UNSET
    assert (startup.finished, startup.kernel_ms, startup.initrd_ms, startup.userspace_ms) == wanted
    assert startup.uptime_ms == 90_000


CGROUPS = {
    "/proc/1/cgroup": "0::/init.scope\n",
    "/proc/7/cgroup": "0::/../../../system.slice/kubelet.service\n",
    "/proc/8/cgroup": "0::/system.slice/containerd.service/deeper\n",
    "/proc/9/cgroup": "12:cpu:/other.service\n1:name=systemd:/runtime.slice/runtime-x.slice/docker.service\n0::/\n",
    "/proc/10/cgroup": "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope/system.slice/fake.service\n",
    "/proc/11/cgroup": "0::/user.slice/user-0.slice/user@0.service/app.slice/mine.service\n",
    "/proc/12/cgroup": "",
    "/proc/stat": "btime 1\n",
}


def test_without_a_socket_the_cgroups_of_processes_tell_which_services_run(host: MakeHost) -> None:
    found = units.collect(host({**CGROUPS}, missing=Code.NOT_CAPTURED))
    assert found.how is How.CGROUPS
    assert found.reason
    assert found.reason.code is Code.NOT_CAPTURED
    assert [(unit.name, unit.active) for unit in found.units] == [
        ("containerd.service", "active"), ("docker.service", "active"), ("kubelet.service", "active"),
    ]  # fmt: skip
    assert found.evidence(found.units[2]) == FileEvidence(
        path="/proc/7/cgroup", line=1, text="0::/../../../system.slice/kubelet.service"
    )


def test_a_machine_without_systemd_s_sockets_is_not_searched_for_services(host: MakeHost) -> None:
    with pytest.raises(ReadError) as caught:
        units.collect(host({**CGROUPS}, missing=Code.ABSENT))
    assert caught.value.reason.code is Code.ABSENT


def test_where_neither_tells_anything_systemd_s_own_reason_is_given(host: MakeHost) -> None:
    with pytest.raises(ReadError) as caught:
        units.collect(host({"/proc/1/cgroup": "0::/init.scope\n"}, missing=Code.NOT_CAPTURED))
    assert "what systemd says" in caught.value.reason.detail


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/system.slice/a.service", "a.service"),
        ("/a.service", "a.service"),
        ("/../..", ""),
        ("/system.slice", ""),
        ("/system.slice/docker-1.scope/a.service", ""),
        ("/machine.slice/x/payload/system.slice/a.service", ""),
        ("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"),
        ("/kubepods/besteffort/pod1/a.service", ""),
        ("", ""),
    ],
)
def test_a_service_is_one_only_as_far_as_slices_lead_to_it(path: str, wanted: str) -> None:
    assert units.service_of(path) == wanted


@given(st.text())
def test_any_path_is_taken(path: str) -> None:
    assert units.service_of(path) in {"", *path.split("/")}


US = st.integers(0, 2**63 - 1)


@given(US, US, US, US, US)
def test_any_times_are_taken(asked: int, uptime: int, initrd: int, userspace: int, finished: int) -> None:
    answer = msgspec.structs.replace(
        ANSWER, asked_us=asked, uptime_us=uptime, initrd_us=initrd, userspace_us=userspace, finished_us=finished
    )
    startup = units.from_systemd(answer).startup
    assert startup is not msgspec.UNSET
    assert min(startup.kernel_ms, startup.initrd_ms, startup.userspace_ms, startup.uptime_ms) >= 0
