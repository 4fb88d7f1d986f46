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
NEVER = "[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n"
AT_ONCE = """
[startup]
boot_minutes = 0
job_minutes = 60
why = "a test waits for seconds"
source = "the lab"
"""


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


def test_a_boot_that_does_not_finish_after_one_that_just_stopped_is_told_with_both(sick_ubuntu: Node) -> None:
    before = sick_ubuntu.run("cat", "/proc/sys/kernel/random/boot_id").stdout.strip()
    unit(sick_ubuntu, "never.service", NEVER)
    sick_ubuntu.run("systemctl", "enable", "never.service")
    sick_ubuntu.run("journalctl", "--sync")
    sick_ubuntu.crash("starting")
    wait_until(lambda: state(sick_ubuntu, "never", "ActiveState") == "activating", "the unit has begun")
    own = sick_ubuntu.run("cat", sick_ubuntu.profile).stdout + AT_ONCE
    sick_ubuntu.run("tee", "/run/own.toml", text=own)
    one = sick_ubuntu.report("--profile", "/run/own.toml")
    (boot,) = one.check("boot.finished").problems
    assert (boot.subject.name, boot.severity) == ("starting", Severity.WARNING)
    assert "it waits for " in boot.message
    assert "never.service (start, running)" in str(boot.values["jobs"])
    assert set(messages(one, "logs.crashes")) == {before.replace("-", "")}


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
