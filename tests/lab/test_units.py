"""What systemd itself says of a node's units, asked at its own sockets on real nodes."""

from functools import partial

from nodediag.model.outcome import Severity, Verdict
from tests.lab.node import Node
from tests.lab.seen import Seen
from tests.lab.test_log_faults import state, wait_until

LOOP = "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=100ms\n"
WATCHED = (
    "[Service]\nType=notify\nNotifyAccess=all\nWatchdogSec=1\n"
    "ExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep 60'\n"
)


def unit(node: Node, name: str, text: str) -> None:
    node.run("tee", f"/etc/systemd/system/{name}", text=text)


def has_failed(node: Node, name: str) -> bool:
    return state(node, name, "ActiveState") == "failed"


def messages(one: Seen, check: str) -> dict[str, str]:
    return {problem.subject.name: problem.message for problem in one.check(check).problems}


def test_services_that_failed_loop_or_hang_are_told_with_why(sick: Node) -> None:
    unit(sick, "loops.service", f"{LOOP}[Unit]\nStartLimitIntervalSec=0\n")
    unit(sick, "gave-up.service", LOOP)
    unit(sick, "hangs.service", WATCHED)
    sick.run("systemctl", "daemon-reload")
    sick.run("systemctl", "start", "--no-block", "loops", "gave-up", "hangs")
    for name in ("gave-up", "hangs"):
        wait_until(partial(has_failed, sick, name), f"{name} has failed")
    wait_until(lambda: int(state(sick, "loops", "NRestarts")) > 5, "systemd restarts it")
    one = sick.report()
    failed = messages(one, "units.failed")
    assert set(failed) == {"gave-up.service", "hangs.service"}
    assert "its program ended with status 1; systemd has restarted it" in failed["gave-up.service"]
    assert "did not answer its watchdog" in failed["hangs.service"]
    assert set(messages(one, "units.flapping")) == {"loops.service"}


def test_a_stopped_and_masked_unit_is_found_where_there_is_no_bus(sick: Node) -> None:
    sick.run("systemctl", "disable", "kube-logrotate.timer")
    sick.run("systemctl", "stop", "containerd")
    sick.run("systemctl", "mask", "containerd")
    sick.run("systemctl", "stop", "dbus.socket", "dbus.service")
    one = sick.report()
    assert messages(one, "units.expected") == {
        "containerd.service": "containerd.service is masked",
        "kube-logrotate.timer": "kube-logrotate.timer runs, but is not enabled: it will be gone after the next boot",
    }
    severities = {problem.subject.name: problem.severity for problem in one.check("units.expected").problems}
    assert severities["containerd.service"] is Severity.CRITICAL
    assert one.report.verdict is Verdict.UNHEALTHY
    asked = [spot for spot in one.report.view.blind_spots if "systemd" in spot.what]
    assert asked == []
