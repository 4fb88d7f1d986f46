"""What befalls nodediag itself in mid-run: a signal, a full disk. Nothing half-made is left, and the status tells."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.hung import HungMount
from tests.lab.node import Node

OUTPUT: Final = "/var/lib/google/report.json"
# starts nodediag, waits until it is where the test wants it, ends it by a signal, and prints how it ended
ENDED: Final = """
{program}/nodediag report -o {output} --timeout 50s &
pid=$!
until {there}; do sleep 0.05; done
kill -{signal} $pid
wait $pid
echo "status $?"
"""


@pytest.fixture
def held(sick: Node) -> Node:
    """Give a node that another diagnosis seems to hold, so that ours waits for its turn."""
    sick.run("systemd-run", "--quiet", "--unit=other", "flock", "/etc/os-release", "sleep", "1000")
    sick.run("sh", "-c", "until grep -q FLOCK /proc/locks; do sleep 0.05; done")
    return sick


@pytest.fixture
def hung(sick: Node) -> Iterator[Node]:
    """Give a node on which a file system never answers, so that ours is in the middle of reading."""
    mount = HungMount(Path("/etc/containerd"), sick.pid)
    yield sick
    mount.abort()


def left_of(node: Node) -> list[str]:
    """Give the processes of nodediag that are still there and are not dead or in the kernel's hands."""
    listed = node.run("ps", "-e", "-o", "stat=,args=").stdout.splitlines()
    return [line for line in listed if "-m nodediag" in line and not line.startswith(("D", "Z"))]


def ended(node: Node, signal: str, there: str) -> str:
    script = ENDED.format(program=node.program, output=OUTPUT, signal=signal, there=there)
    return node.run("bash", "-c", script, check=False).stdout


@pytest.mark.parametrize(("signal", "status"), [("TERM", 143), ("INT", 130), ("HUP", 129)])
def test_a_signal_while_it_waits_ends_it_and_all_its_children(signal: str, status: int, held: Node) -> None:
    there = "[ $(ps --no-headers -o pid --ppid $pid | wc -l) -gt 0 ] && sleep 1"
    assert ended(held, signal, there) == f"status {status}\n"
    assert left_of(held) == []
    assert held.run("ls", "-A", "/var/lib/google").stdout == ""


def test_a_signal_while_a_file_system_hangs_ends_it_at_once(hung: Node) -> None:
    there = "ps -e -o stat=,args= | grep -q '^D.*-m nodediag'"
    assert ended(hung, "TERM", there) == "status 143\n"
    assert left_of(hung) == []
    assert hung.run("ls", "-A", "/var/lib/google").stdout == ""


def test_a_report_that_the_disk_has_no_room_for_is_not_half_written(sick: Node) -> None:
    sick.run("dd", "if=/dev/zero", "of=/mnt/disks/full", "bs=4k", check=False)
    done = sick.nodediag("report", "-o", "/mnt/disks/report.json")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "nodediag: -o /mnt/disks/report.json: No space left on device\n"
    assert sick.run("ls", "-A", "/mnt/disks").stdout.split() == ["full"]


def test_standard_output_on_a_full_disk_ends_with_four(sick: Node) -> None:
    sick.run("dd", "if=/dev/zero", "of=/mnt/disks/full", "bs=4k", check=False)
    done = sick.run("sh", "-c", f"{sick.program}/nodediag report >/mnt/disks/report.json", check=False)
    assert done.returncode == 4
    assert done.stderr == "nodediag: standard output: No space left on device\n"
