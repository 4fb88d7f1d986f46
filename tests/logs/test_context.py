from collections.abc import Callable

import pytest

from nodediag.model.logs import LogFinding, LogResult
from nodediag.render.logs import as_text

Told = Callable[[list[tuple[str, float, str]]], LogResult]

PID1, KUBELET, RUNTIME, KERNEL = "init.scope", "kubelet.service", "containerd.service", "kernel"
PREEMPTED = (KUBELET, 100.0, "Instance was preempted.")
PLEG = (
    'E1121 10:00:00.000000    1222 kubelet.go:2040] "Skipping pod synchronization" err="PLEG is not healthy: pleg was '
    'last seen active 5m10.1s ago; threshold is 3m0s"'
)
STARTED, STOPPING = "Started kubelet.service - Kubernetes Kubelet.", "Stopping kubelet.service - Kubernetes Kubelet..."
STOPPED = "Stopped kubelet.service - Kubernetes Kubelet."  # which a crash says too, before the next start
SILENT, ANSWERS = "nfs: server {} not responding, still trying", "nfs: server {} OK"


def the(result: LogResult, identity: str) -> LogFinding:
    (finding,) = [one for one in result.signatures if one.id == identity]
    return finding


def restarts(times: int, start: float = 0.0) -> list[tuple[str, float, str]]:
    return [(PID1, start + 60.0 * number, STARTED) for number in range(times)]


@pytest.mark.parametrize(("second", "after_ms"), [(112.0, [12000]), (99.0, []), (500.0, [])])
def test_a_failure_soon_after_a_preemption_is_told_so(told: Told, second: float, after_ms: list[int]) -> None:
    finding = the(told([PREEMPTED, (KUBELET, second, PLEG)]), "kubelet.pleg-unhealthy")
    assert [relation.after_ms for relation in finding.follows] == after_ms


def test_the_relation_stands_in_the_text_and_context_stands_first(told: Told) -> None:
    text = as_text(told([PREEMPTED, (KUBELET, 112.0, PLEG)])).decode()
    assert "12 s after context.preemption" in text
    assert text.index("context.preemption") < text.index("kubelet.pleg-unhealthy")


def test_the_newest_burst_that_followed_something_is_told(told: Told) -> None:
    lines = [(KUBELET, 10.0, PLEG), (KUBELET, 1000.0, "Instance was preempted."), (KUBELET, 1007.5, PLEG)]
    (relation,) = the(told(lines), "kubelet.pleg-unhealthy").follows
    assert (relation.id, relation.after_ms) == ("context.preemption", 7500)


@pytest.mark.parametrize(("lines", "severity"), [
    (restarts(5), "warning"),
    ([line for one in restarts(5) for line in (one, (PID1, one[1] + 9, STOPPED))], "warning"),
    ([*restarts(4), (PID1, 230.0, STOPPING), *restarts(1, 240.0)], "info"),
    ([*restarts(6), (PID1, 330.0, STOPPING), *restarts(1, 340.0)], "info"),
    ([*restarts(4), (PID1, 230.0, "Stopping containerd.service - containerd..."), *restarts(1, 240.0)], "warning"),
    ([(PID1, 5.0, STOPPING), *restarts(5, 10.0)], "warning"),
])  # fmt: skip
def test_starts_before_a_planned_stop_of_the_same_unit_do_not_count(
    told: Told, lines: list[tuple[str, float, str]], severity: str
) -> None:
    finding = the(told(lines), "systemd.frequent-kubelet-restart")
    assert finding.severity.value == severity


def test_systemds_entries_about_a_unit_count_once(told: Told) -> None:
    failed = "kubelet.service: Failed with result 'exit-code'."
    both = told([(PID1, 1.0, failed), (KUBELET, 1.0, failed)])
    assert [finding.count for finding in both.signatures] == [1]


def test_a_fault_is_over_for_the_subject_that_was_named(told: Told) -> None:
    a, b = (KERNEL, 1.0, SILENT.format("10.0.0.1")), (KERNEL, 2.0, SILENT.format("10.0.0.2"))
    identity = "kernel.nfs-server-not-responding"
    assert the(told([a, b, (KERNEL, 3.0, ANSWERS.format("10.0.0.1"))]), identity).active
    assert not the(told([a, b, *((KERNEL, 3.0, ANSWERS.format(f"10.0.0.{n}")) for n in (1, 2))]), identity).active
    assert the(told([a, (KERNEL, 3.0, ANSWERS.format("10.0.0.1")), (KERNEL, 4.0, a[2])]), identity).active


def test_a_node_that_is_ready_again_has_no_pleg_fault(told: Told) -> None:
    ready = 'I1121 10:00:00.000000    1222 kubelet_node_status.go:696] "Recording event message" event="NodeReady"'
    assert the(told([(KUBELET, 1.0, PLEG)]), "kubelet.pleg-unhealthy").active
    assert not the(told([(KUBELET, 1.0, PLEG), (KUBELET, 9.0, ready)]), "kubelet.pleg-unhealthy").active


def test_a_link_of_a_pod_that_comes_up_does_not_clear_that_of_the_node(told: Told) -> None:
    down = (KERNEL, 1.0, "e1000e 0000:00:19.0 eno1: NIC Link is Down")
    identity = "kernel.nic-link-down"
    assert the(told([down, (KERNEL, 2.0, "veth12ab: Gained carrier")]), identity).active
    assert not the(told([down, (KERNEL, 2.0, "e1000e 0000:00:19.0 eno1: NIC Link is Up 1000 Mbps")]), identity).active


def test_a_message_that_clears_a_fault_may_stand_in_another_units_log(told: Told) -> None:
    down = (KERNEL, 1.0, "e1000e 0000:00:19.0 eno1: NIC Link is Down")
    assert not the(told([("a.service", 2.0, "eno1: Gained carrier"), down]), "kernel.nic-link-down").active


def test_a_state_of_the_kernel_ends_with_its_boot(told: Told) -> None:
    hung = "INFO: task docker:20744 blocked for more than 120 seconds."
    assert the(told([(KERNEL, 1.0, hung), (KERNEL, 9.0, "x")]), "kernel.hung-task").active
    assert not the(told([(KERNEL, 1.0, hung), (KERNEL + "!", 9.0, "Linux version 6.1")]), "kernel.hung-task").active
    broken = "EXT4-fs error (device sda1): ext4_find_entry:1463: inode #2: comm kubelet: reading directory lblock 0"
    assert the(told([(KERNEL, 1.0, broken), (KERNEL + "!", 9.0, "x")]), "kernel.ext4-error").active


def test_what_journald_lost_is_a_loss_with_its_numbers_and_times(told: Told) -> None:
    journald = "systemd-journald.service"
    result = told([
        (journald, 1.0, "Suppressed 1833 messages from docker.service"),
        (journald, 31.0, "Suppressed 167 messages from docker.service"),
        (journald, 40.0, "Missed 312 kernel messages"),
        (journald, 50.0, "/var/log/journal/a8/system.journal: Journal file corrupted, rotating."),
    ])  # fmt: skip
    assert [loss.what for loss in result.losses] == ["the journal of docker.service", "the journal", "the journal"]
    first, second, third = (loss.reason.detail for loss in result.losses)
    assert "2000 messages, 2 times, 2026-11-21T00:00:01.000000Z to 2026-11-21T00:00:31.000000Z" in first
    assert "312 messages, once, 2026-11-21T00:00:40.000000Z" in second
    assert "damaged" in third
