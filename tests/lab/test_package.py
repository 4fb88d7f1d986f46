"""The Debian package on a node with Ubuntu: installed, run by its timer in its closed unit, and gone when removed."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from nodediag.model.outcome import Verdict
from nodediag.model.report import Origin
from tests.lab.conftest import Lab
from tests.lab.node import Node
from tests.lab.same import blind, unexplained
from tests.lab.seen import Seen, seen
from tests.lab.test_log_faults import state, wait_until

REPORT: Final = "/var/lib/nodediag/report.json"
TIMER, SERVICE = "nodediag.timer", "nodediag.service"
DROP_IN: Final = "/etc/systemd/system/nodediag.timer.d"
SOON: Final = "[Timer]\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms\n"
MOST_EXPOSED: Final = 2.2  # what the kernel answers, the kubelet's port and root's files keep it from being less
# only a tracer may ask for PID 1's UTS namespace, and programs; only the network's administrator for its filter
NO_CAPABILITY: Final = {"hostname", "packet_filter", "stray_processes"}


@pytest.fixture(scope="module")
def bare(lab: Lab) -> Iterator[Node]:
    """Give a node without the package, for all tests here."""
    node = lab.boot("ubuntu")
    yield node
    node.stop()


@pytest.fixture
def installed(bare: Node, package: Path) -> Iterator[Node]:
    """Give that node with the package on it."""
    shutil.copy(package, bare.path("/root/package.deb"))
    bare.run("dpkg", "--install", "/root/package.deb")
    yield bare
    bare.run("rm", "-rf", DROP_IN)
    bare.run("dpkg", "--purge", "nodediag")


@pytest.fixture
def sick(installed: Node) -> Iterator[Node]:
    """Give it with the kubelet stopped."""
    installed.run("systemctl", "stop", "kubelet")
    yield installed
    installed.run("systemctl", "start", "kubelet")


def written(node: Node) -> Seen:
    text = node.run("cat", REPORT).stdout
    return seen(subprocess.CompletedProcess([], 0, text, ""))


def test_its_timer_starts_a_unit_that_writes_the_nodes_own_report(installed: Node) -> None:
    assert installed.run("systemctl", "is-enabled", TIMER, check=False).stdout.strip() == "disabled"
    installed.run("mkdir", DROP_IN)
    installed.run("tee", f"{DROP_IN}/soon.conf", text=SOON)
    installed.run("systemctl", "enable", "--now", TIMER)
    wait_until(lambda: has(installed, REPORT), "the timer has a report written")
    wait_until(lambda: state(installed, SERVICE, "ActiveState") == "inactive", "the unit is done")
    assert state(installed, SERVICE, "Result") == "success"
    assert installed.run("stat", "-c", "%a %U", REPORT, "/var/lib/nodediag").stdout == "600 root\n700 root\n"
    there = written(installed)
    window = ("--since", str(there.report.logs.since), "--until", str(there.report.logs.until))
    here = seen(installed.run("nodediag", "report", *window, check=False))
    assert (there.report.view.origin, there.report.verdict) == (Origin.POD, here.report.verdict)
    assert blind(there) - blind(here) == NO_CAPABILITY
    assert unexplained(here, there) == []


def test_a_sick_node_is_a_report_and_no_failed_unit(sick: Node) -> None:
    sick.run("systemctl", "start", SERVICE)
    assert state(sick, SERVICE, "Result") == "success"
    one = written(sick)
    assert one.report.verdict is Verdict.UNHEALTHY
    assert "kubelet.running kubelet" in one.counted


def test_its_unit_is_as_closed_as_it_was(installed: Node) -> None:
    told = installed.run("systemd-analyze", "security", SERVICE, "--no-pager").stdout
    score = re.search(r"Overall exposure level for nodediag.service: (\d+\.\d+)", told)
    assert score
    assert float(score[1]) <= MOST_EXPOSED, told


def test_it_goes_without_a_trace_but_for_the_reports_until_it_is_purged(installed: Node) -> None:
    installed.run("systemctl", "enable", "--now", TIMER)
    installed.run("systemctl", "start", SERVICE)
    installed.run("dpkg", "--remove", "nodediag")
    assert left_of(installed) == [REPORT]
    assert {state(installed, unit, "LoadState") for unit in (TIMER, SERVICE)} == {"not-found"}
    assert installed.run("systemctl", "list-units", "--all", "--no-legend", "nodediag*").stdout == ""
    installed.run("dpkg", "--purge", "nodediag")
    assert left_of(installed) == []
    assert installed.run("dpkg", "--status", "nodediag", check=False).returncode != 0
    assert installed.run("systemctl", "is-system-running").stdout == "running\n"


def has(node: Node, path: str) -> bool:
    return node.run("test", "-e", path, check=False).returncode == 0


def left_of(node: Node) -> list[str]:
    """Give the files of the package; /opt holds the lab's own, and dpkg keeps a list until it is purged."""
    found = "find / -xdev -path '*nodediag*' -not -type d -not -path '/opt/*' -not -path '/var/lib/dpkg/info/*'"
    return node.run("sh", "-ec", found).stdout.splitlines()
