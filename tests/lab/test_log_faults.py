"""What goes wrong in a node's services is told by its journal, which is read whatever state it is in."""

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from nodediag.model.evidence import JournalEvidence
from nodediag.model.logs import LogFinding
from nodediag.model.outcome import Outcome, Problem, Severity, Verdict
from tests.lab.machine import LabError
from tests.lab.node import Node
from tests.lab.seen import Seen

PATIENCE_S: Final = 60
# started by the kubelet's unit, so that it writes as the kubelet
STORM: Final = """\
[Service]
{limit}
ExecStartPost=/bin/sh -c 'while :; do echo "E1121 21:00:00.000000 1 kubelet.go:1] storm of lines"; done &'
"""


def signature(one: Seen, identity: str) -> LogFinding:
    return next(finding for finding in one.report.logs.signatures if finding.id == identity)


def quoted(problem: Problem) -> str:
    return "\n".join(evidence.text for evidence in problem.evidence if isinstance(evidence, JournalEvidence))


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
    one = sick.report()
    finding = signature(one, "systemd.node-unit-failed")
    assert finding.severity is Severity.CRITICAL
    assert finding.count >= 6
    assert "unit=containerd.service" in finding.subjects
    assert "containerd.service: Main process exited, code=killed, status=9/KILL" in finding.samples[0].text
    loop = one.counted["logs.critical systemd.node-unit-restart-loop"]
    assert "containerd.service: Scheduled restart job, restart counter is at" in quoted(loop)
    assert (one.report.verdict, one.status) == (Verdict.UNHEALTHY, 1)


def test_a_unit_at_its_start_limit_is_found(sick: Node) -> None:
    drop_in(sick, "kubelet", "[Service]\nRestartSec=50ms\n")
    sick.run("chmod", "-x", "/home/kubernetes/bin/kubelet")
    sick.run("systemctl", "kill", "--signal=KILL", "kubelet")
    wait_until(lambda: state(sick, "kubelet", "ActiveState") == "failed", "systemd gives up")
    one = sick.report()
    limit = one.counted["logs.critical systemd.node-unit-start-limit"]
    assert "kubelet.service: Start request repeated too quickly." in quoted(limit)
    assert "kubelet.running kubelet" in one.counted
    assert (one.report.verdict, one.status) == (Verdict.UNHEALTHY, 1)


def test_a_truncated_journal_file_costs_its_entries_and_no_more(sick: Node) -> None:
    sick.run("sh", "-ec", "journalctl --rotate; systemctl restart kubelet; journalctl --sync")
    folder = f"/var/log/journal/{sick.run('cat', '/etc/machine-id').stdout.strip()}"
    archived = [name for name in sick.run("ls", folder).stdout.split() if name.startswith("system@")]
    assert archived
    half = int(sick.run("stat", "-c", "%s", f"{folder}/{archived[0]}").stdout) // 2
    sick.run("truncate", "-s", str(half), f"{folder}/{archived[0]}")
    one = sick.report()
    assert one.report.logs.entries > 0
    damaged = [problem for name, problem in one.counted.items() if name.startswith("logs.complete")]
    assert [problem for problem in damaged if archived[0] in f"{problem.subject.name} {problem.message}"]
    assert one.check("logs.readable").outcome is Outcome.PASSED
    assert one.stderr == ""


def test_a_journal_that_is_written_to_as_fast_as_can_be_is_read_to_an_end(sick: Node) -> None:
    storm(sick, limit="LogRateLimitIntervalSec=0")
    one = sick.report()
    assert one.report.logs.units["kubelet.service"].entries > 1000
    assert {shape.shape for shape in one.report.logs.shapes if "storm" in shape.shape}
    assert (one.check("logs.readable").outcome, one.stderr) == (Outcome.PASSED, "")


def test_what_journald_drops_of_a_storm_is_told(sick: Node) -> None:
    storm(sick, limit="LogRateLimitIntervalSec=1s\nLogRateLimitBurst=100")
    dropped = re.compile(r"Suppressed \d+ messages from .*kubelet\.service")
    said = ("journalctl", "-b", "-u", "systemd-journald")
    wait_until(lambda: dropped.search(sick.run(*said).stdout) is not None, "lines of the kubelet dropped")
    sick.run("systemctl", "stop", "kubelet")
    sick.run("journalctl", "--sync")
    one = sick.report()
    lost = [problem for name, problem in one.counted.items() if name.startswith("logs.complete")]
    assert [problem for problem in lost if "kubelet.service" in f"{problem.subject.name} {problem.message}"]


def storm(node: Node, limit: str) -> None:
    """Have the kubelet's unit write as fast as it can."""
    drop_in(node, "kubelet", STORM.format(limit=limit))
    node.run("systemctl", "restart", "kubelet")
    wait_until(lambda: "storm of lines" in node.run("journalctl", "-n", "5", "-u", "kubelet").stdout, "the storm")
