"""What goes wrong in a node's services is told by its journal, which is read whatever state it is in."""

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from nodediag.model.logs import LogFinding, LogResult
from nodediag.model.outcome import Severity
from tests.lab.machine import LabError
from tests.lab.node import Node

PATIENCE_S: Final = 60
STORM: Final = "while :; do echo 'E1121 21:00:00.000000 1 kubelet.go:1] storm of lines'; done | systemd-cat -t storm"


def judged(node: Node) -> tuple[LogResult, int]:
    """Have the node's journal judged on the node."""
    done = node.nodediag("logs", "--format", "json")
    assert done.stderr == ""
    return msgspec.json.decode(done.stdout, type=LogResult), done.returncode


def found(result: LogResult, identity: str) -> LogFinding:
    return next(finding for finding in result.signatures if finding.id == identity)


def wait_until(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            raise LabError(f"it never came to pass: {what}")
        time.sleep(0.1)


def state(node: Node, unit: str, key: str) -> str:
    return node.run("systemctl", "show", "--value", f"--property={key}", unit).stdout.strip()


def restarted(node: Node, unit: str, was: str) -> bool:
    return state(node, unit, "MainPID") not in {"0", was}


def drop_in(node: Node, unit: str, text: str) -> None:
    """Change a unit as an administrator would."""
    node.run("mkdir", "-p", f"/etc/systemd/system/{unit}.service.d")
    node.run("tee", f"/etc/systemd/system/{unit}.service.d/ours.conf", text=text)
    node.run("systemctl", "daemon-reload")


def test_a_runtime_that_is_killed_again_and_again_is_found(sick: Node) -> None:
    drop_in(sick, "containerd", "[Service]\nRestartSec=100ms\n[Unit]\nStartLimitIntervalSec=0\n")
    for _ in range(6):
        pid = state(sick, "containerd", "MainPID")
        sick.run("kill", "-KILL", pid)
        wait_until(partial(restarted, sick, "containerd", pid), "containerd is back")
    result, status = judged(sick)
    finding = found(result, "systemd.node-unit-failed")
    assert (finding.severity, status) == (Severity.CRITICAL, 1)
    assert finding.count >= 6
    assert "unit=containerd.service" in finding.subjects
    assert "containerd.service: Main process exited, code=killed, status=9/KILL" in finding.samples[0].text
    loop = found(result, "systemd.node-unit-restart-loop")
    assert "restart counter is at" in loop.samples[0].text


def test_a_unit_at_its_start_limit_is_found(sick: Node) -> None:
    drop_in(sick, "kubelet", "[Service]\nRestartSec=50ms\n")
    sick.run("chmod", "-x", "/home/kubernetes/bin/kubelet")
    sick.run("systemctl", "kill", "--signal=KILL", "kubelet")
    wait_until(lambda: state(sick, "kubelet", "ActiveState") == "failed", "systemd gives up")
    result, status = judged(sick)
    finding = found(result, "systemd.node-unit-start-limit")
    assert (finding.severity, finding.active, status) == (Severity.CRITICAL, True, 1)
    assert finding.subjects == ("unit=kubelet.service",)
    assert "kubelet.running kubelet" in sick.report().counted


def test_a_truncated_journal_file_costs_its_entries_and_no_more(sick: Node) -> None:
    sick.run(
        "sh", "-ec", "logger -t kubelet before; journalctl --rotate; logger -t kubelet after; journalctl --flush --sync"
    )
    folder = f"/var/log/journal/{sick.run('cat', '/etc/machine-id').stdout.strip()}"
    archived = [name for name in sick.run("ls", folder).stdout.split() if name.startswith("system@")]
    assert archived
    half = int(sick.run("stat", "-c", "%s", f"{folder}/{archived[0]}").stdout) // 2
    sick.run("truncate", "-s", str(half), f"{folder}/{archived[0]}")
    result, _ = judged(sick)
    assert result.entries > 0
    assert result.reader
    assert [spot for spot in result.losses if archived[0] in f"{spot.what} {spot.reason.detail}"]


def test_a_journal_that_is_written_to_as_fast_as_can_be_is_read_to_an_end(sick: Node) -> None:
    sick.run("systemd-run", "--quiet", "--unit=storm", "sh", "-c", STORM)
    wait_until(lambda: "storm of lines" in sick.run("journalctl", "-n", "5", "-t", "storm").stdout, "the storm")
    start = time.monotonic()
    result, _ = judged(sick)
    assert time.monotonic() - start < PATIENCE_S
    assert result.entries > 0
    assert sick.report().report.node.machine_id == sick.run("cat", "/etc/machine-id").stdout.strip()
