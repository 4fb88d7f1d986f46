"""Rates: what happens between two looks at real nodes, with `--sample` and with `--previous`."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from nodediag.model.evidence import DbusEvidence, FileEvidence, ProcessEvidence
from nodediag.model.outcome import Outcome, Problem, Severity, Verdict
from tests.lab.conftest import Lab
from tests.lab.machine import CGROUPS, call, mount
from tests.lab.node import Node
from tests.lab.seen import RATES, Seen

UID: Final = "0b1cd2e3-4455-6677-8899-aabbccddeeff"
POD: Final = f"kubepods/burstable/pod{UID}/web"
EARLIER: Final = "/run/earlier.json"
APART_S: Final = 6  # rates want five seconds between two looks
HUNG: Final = 24
WRITES: Final = 4  # of each, so that there are enough for an average
LOOP: Final = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=500ms\n"
# What the kernel counts for all that runs here, as the lab's profiles waive it.
OF_THIS_MACHINE: Final = {
    "rates.disk-latency", "rates.disk-queue", "rates.disk-stuck", "rates.forks", "rates.oom-kills",
    "rates.packet-backlog", "rates.pressure", "rates.swapping", "rates.thrashing",
}  # fmt: skip
# Of a file that is as large as this many pages, each is touched in turn; the cgroup may hold fewer.
FILE_MIB: Final = 40
LIMIT_MIB: Final = 24
THRASH: Final = Path(__file__).with_name("thrash.py")
NETWORK: Final = Path(__file__).with_name("network.py")
FORKS: Final = 3000
# A test waits for seconds, and this machine's disk reads a page back in a tenth of a millisecond.
AT_ONCE: Final = """
[thresholds."rates.pressure"]
minimum = 5.0
why = "a test waits for seconds"
source = "the lab"

[thresholds."rates.thrashing"]
warning = 0.2
minimum = 100.0
why = "this machine's disk is fast"
source = "the lab"

[thresholds."rates.swapping"]
warning = 100.0
why = "this machine's disk is busy with other things"
source = "the lab"

[thresholds."rates.forks"]
warning = 100.0
why = "a test waits for seconds"
source = "the lab"

[thresholds."rates.disk-latency"]
warning = 100.0
minimum = 50.0
why = "the disk that a test makes is a loop device, which other profiles spare"
source = "the lab"

[thresholds."rates.disk-queue"]
warning = 10.0
why = "as above"
source = "the lab"

[thresholds."rates.disk-stuck"]
warning = 5.0
critical = 30.0
why = "as above"
source = "the lab"
"""


def problems(one: Seen, check: str) -> dict[str, Problem]:
    return {problem.subject.name: problem for problem in one.check(check).problems}


def lines(problem: Problem) -> dict[str, str]:
    """Give the lines that a problem rests on, by the file's name."""
    return {
        evidence.path.rpartition("/")[2]: evidence.text
        for evidence in problem.evidence
        if isinstance(evidence, FileEvidence)
    }


def look(node: Node) -> None:
    """Take the earlier look."""
    node.nodediag("report", "--no-logs", "--output", EARLIER, "--format", "json")


def looks_twice(node: Node, *more: str) -> Seen:
    return node.report("--no-logs", "--previous", EARLIER, *more)


@contextmanager
def frozen(mounted: Path) -> Iterator[None]:
    """Have a file system take no write until the block ends; who writes waits in the kernel."""
    call("fsfreeze", "--freeze", mounted)
    try:
        yield
    finally:
        call("fsfreeze", "--unfreeze", mounted)


@contextmanager
def disk_on(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give a disk of this machine, and the file system that its file lies on."""
    inner, held = folder / "inner", folder / "inner.img"
    call("truncate", "--size=48M", held)
    call("mke2fs", "-q", "-t", "ext4", held)
    mount(held, inner, "-o", "loop")
    call("truncate", "--size=8M", inner / "disk.img")
    disk = call("losetup", "--find", "--show", inner / "disk.img").stdout.strip()
    try:
        yield disk, inner
    finally:
        call("losetup", "--detach", disk)
        call("umount", inner)


def writing(disk: str) -> list[subprocess.Popen[bytes]]:
    """Have many write to a disk at once, none through the page cache; on all CPUs, over which the kernel averages."""
    write = ["dd", "if=/dev/zero", f"of={disk}", "bs=4k", f"count={WRITES}", "oflag=direct", "status=none"]
    return [subprocess.Popen(write) for _ in range(HUNG)]


def have_written(writers: list[subprocess.Popen[bytes]]) -> bool:
    return [writer.wait(timeout=60) for writer in writers] == [0] * HUNG


@pytest.fixture
def impatient(cos: Node) -> Iterator[str]:
    """Give a profile for the healthy node that judges what lasts for seconds."""
    own = cos.path("/run/lab_at_once.toml")
    own.write_text(cos.path(cos.profile).read_text() + AT_ONCE)
    yield "/run/lab_at_once.toml"
    own.unlink()


def test_two_looks_at_a_healthy_node_raise_nothing(healthy: Node) -> None:
    one = healthy.report("--sample", "5s")
    rates = {check.id: check for check in one.report.checks if check.id.startswith(RATES)}
    waived = {name for name, check in rates.items() if check.outcome is Outcome.FAILED}
    assert waived <= OF_THIS_MACHINE
    ended = {check.outcome for name, check in rates.items() if name not in waived}
    assert ended <= {Outcome.PASSED, Outcome.NOT_APPLICABLE}
    assert one.counted == {}
    assert (one.report.verdict, one.status, one.stderr) == (Verdict.HEALTHY, 0, "")


@contextmanager
def cards(node: Node) -> Iterator[tuple[str, str]]:
    """Give a node a card at whose other end frames are sent that nobody wants, and a tunnel to where no route leads."""
    node.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
    node.run("ip", "link", "add", "eth1", "type", "vxlan", "id", "1", "remote", "192.0.2.1", "dstport", "4789")
    try:
        for name in ("eth0", "peer0", "eth1"):
            node.run("ip", "link", "set", name, "up")
        yield "peer0", "eth1"
    finally:
        for name in ("eth0", "eth1"):
            node.run("ip", "link", "delete", name)


def test_what_the_network_loses_and_how_many_processes_are_started_is_found(cos: Node, impatient: str) -> None:
    with cards(cos) as names:
        look(cos)
        began = time.monotonic()
        call("nsenter", f"--target={cos.pid}", "--net", "--", sys.executable, NETWORK, *names)
        cos.run("bash", "-c", f"for _ in {{1..{FORKS}}}; do (:); done")
        time.sleep(max(0, began + APART_S - time.monotonic()))
        one = looks_twice(cos, "--profile", impatient)
        look(cos)
        time.sleep(APART_S)
        calm = looks_twice(cos, "--profile", impatient)
    found = {
        "rates.interface-drops": ("eth0", "drops", "dev"),
        "rates.interface-errors": ("eth1", "errors", "dev"),
        "rates.listen-overflows": ("listen", "connections a second were dropped", "netstat"),
        "rates.forks": ("forks", "processes and threads a second were started", "stat"),
    }
    for check, (name, words, file) in found.items():
        problem = problems(one, check)[name]
        assert words in problem.message
        assert lines(problem)[file]
        assert name == "forks" or name not in problems(calm, check)  # others on this machine start processes too


def hold_back(node: Node, cgroup: str) -> str:
    """Make a cgroup with a tenth of a CPU; systemd itself sets no quota where `cpu` is mounted without `cpuacct`."""
    folder = f"/sys/fs/cgroup/cpu/{cgroup}"
    node.run("mkdir", "-p", folder)
    node.run("sh", "-ec", f"echo 10000 >{folder}/cpu.cfs_quota_us")
    return folder


def test_services_and_pods_that_their_quotas_hold_back_are_found_with_sample(sick: Node) -> None:
    sick.run("mkdir", "-p", f"/var/log/pods/default_web-7d9c_{UID}")
    folders = [hold_back(sick, "system.slice/busy.service"), hold_back(sick, POD)]
    busy = [f"echo $$ >{folder}/cgroup.procs; exec timeout 9 sh -c 'while :; do :; done'" for folder in folders]
    running = [subprocess.Popen(sick.entering("sh", "-ec", command)) for command in busy]
    one = sick.report("--no-logs", "--sample", "5s")
    assert [process.wait() for process in running] == [124, 124], "both ran until after the second look"
    (service,) = problems(one, "rates.throttled-services").values()
    assert service.subject.name == folders[0]
    assert service.severity is Severity.WARNING
    assert "busy.service was held back by its CPU quota" in service.message
    held = problems(one, "rates.throttled-pods")[folders[1]]
    assert held.severity is Severity.INFO
    assert "a container of the pod default/web-7d9c" in held.message
    for problem in (service, held):
        assert lines(problem)["cpu.stat"].startswith("nr_throttled ")
        periods, throttled = problem.values["nr_periods"], problem.values["nr_throttled"]
        assert isinstance(periods, int)
        assert isinstance(throttled, int)
        assert periods >= throttled > periods / 2 > 10


def test_kills_for_memory_are_found_in_the_pod_and_outside_with_previous(sick: Node) -> None:
    look(sick)
    began = time.monotonic()
    other = "other"
    for path, log in ((POD, f"/var/log/pods/default_web-7d9c_{UID}"), (other, "/var/log/pods")):
        folder = f"/sys/fs/cgroup/memory/{path}"
        sick.run("mkdir", "-p", folder, log)
        sick.run("sh", "-ec", f"echo 16M >{folder}/memory.limit_in_bytes")
        killed = sick.run("sh", "-ec", f"echo $$ >{folder}/cgroup.procs; exec tail /dev/zero", check=False)
        assert killed.returncode != 0
    time.sleep(max(0, began + APART_S - time.monotonic()))
    one = looks_twice(sick)
    found = problems(one, "rates.oom-kills")
    pod = found.pop(UID)
    assert "in the pod default/web-7d9c" in pod.message
    assert (pod.observed, lines(pod)) == ("1", {"memory.oom_control": "oom_kill 1"})
    (node,) = found.values()
    assert "outside the cgroups of pods" in node.message
    assert int(node.observed) >= 1
    assert lines(node)["vmstat"].startswith("oom_kill ")
    assert looks_twice(sick, "--only", "rates.oom-kills").check("rates.oom-kills").outcome is Outcome.FAILED
    look(sick)
    time.sleep(APART_S)
    assert UID not in problems(looks_twice(sick), "rates.oom-kills"), "what was before the earlier look is not told"


def test_a_service_that_ends_again_and_again_is_found_and_not_one_that_was_restarted_on_purpose(sick: Node) -> None:
    sick.run("tee", "/etc/systemd/system/loops.service", text=LOOP)
    sick.run("systemctl", "daemon-reload")
    sick.run("systemctl", "start", "--no-block", "loops")
    look(sick)
    sick.run("systemctl", "restart", "containerd")
    time.sleep(APART_S)
    one = looks_twice(sick)
    (problem,) = problems(one, "rates.restarts").values()
    assert (problem.subject.name, problem.severity) == ("loops.service", Severity.WARNING)
    before, now = (int(evidence.text.removeprefix("NRestarts=")) for evidence in problem.evidence
                   if isinstance(evidence, DbusEvidence))  # fmt: skip
    assert problem.values["restarts"] == now - before > 2


def test_a_disk_that_does_not_answer_is_found_and_the_work_that_waits_for_it(
    cos: Node, lab: Lab, impatient: str
) -> None:
    with disk_on(lab.workshop.folder) as (disk, inner):
        with frozen(inner):
            writers = writing(disk)
            one = cos.report("--no-logs", "--profile", impatient, "--sample", f"{APART_S}s")
        assert have_written(writers)
    waited = problems(one, "rates.pressure")["io.some"]
    assert "some of the work waited for io" in waited.message
    assert waited.values["threshold"] == 90.0
    assert lines(waited)["io"].startswith("some ")
    name = disk.removeprefix("/dev/")
    stuck = problems(one, "rates.disk-stuck")[name]
    assert (stuck.severity, stuck.values["in_flight"]) == (Severity.WARNING, HUNG)
    assert f"the disk {name} has finished no request for {APART_S} s, while {HUNG} were under way" in stuck.message
    assert (stuck.subject.kind, f" {name} " in lines(stuck)["diskstats"]) == ("disk", True)
    for check in ("rates.disk-latency", "rates.disk-queue"):
        assert name not in problems(one, check), "the kernel counts a request's time when it has ended"


def test_a_slow_disk_is_found_and_not_the_same_one_when_it_answers_at_once(cos: Node, lab: Lab, impatient: str) -> None:
    looking = ("--no-logs", "--profile", impatient, "--previous", EARLIER)
    with disk_on(lab.workshop.folder) as (disk, inner):
        name = disk.removeprefix("/dev/")
        look(cos)
        began = time.monotonic()
        with frozen(inner):
            writers = writing(disk)
            time.sleep(APART_S - 1)
        assert have_written(writers)
        time.sleep(max(0, began + APART_S - time.monotonic()))
        slow = cos.report(*looking)
        look(cos)
        began = time.monotonic()
        assert have_written(writing(disk))
        time.sleep(max(0, began + APART_S - time.monotonic()))
        quick = cos.report(*looking)
    late, queue = (problems(slow, check)[name] for check in ("rates.disk-latency", "rates.disk-queue"))
    assert f"a write of the disk {name} took " in late.message
    assert "requests under way on average" in queue.message
    for problem in (late, queue):
        assert (problem.subject.kind, problem.severity) == ("disk", Severity.WARNING)
        assert problem.values["writes"] == HUNG * WRITES
        assert f" {name} " in lines(problem)["diskstats"]
    assert name not in problems(slow, "rates.disk-stuck")
    for check in ("rates.disk-latency", "rates.disk-queue", "rates.disk-stuck"):
        assert (quick.check(check).outcome in {Outcome.PASSED, Outcome.FAILED}, name in problems(quick, check)) == (
            True, False,
        )  # fmt: skip


def test_who_hangs_on_a_disk_that_takes_no_write_is_told(sick: Node) -> None:
    assert sick.roots.state is not None
    with frozen(sick.roots.state):
        hung = [subprocess.Popen(sick.entering("touch", f"/var/{number}")) for number in range(HUNG)]
        one = sick.report("--no-logs")
    assert [process.wait(timeout=60) for process in hung] == [0] * HUNG
    (problem,) = problems(one, "processes.blocked").values()
    assert int(problem.observed) >= HUNG
    assert "touch (" in problem.message
    who = [evidence for evidence in problem.evidence if isinstance(evidence, ProcessEvidence)]
    assert any(evidence.text.startswith("D touch /var/") for evidence in who)


def while_it_thrashes(node: Node, lab: Lab, profile: str, what: str) -> Seen:
    """Look twice at a node while a process needs more memory, for a file or for itself, than its cgroup may hold."""
    own = lab.workshop.cgroup("thrash")
    thrash = own.entering(sys.executable, str(THRASH), what, "9")
    limit = next(CGROUPS.glob("memory")) / f"{lab.workshop.folder.name}-thrash/memory.limit_in_bytes"
    limit.write_text(f"{LIMIT_MIB}M")
    with subprocess.Popen(thrash) as running:
        one = node.report("--no-logs", "--profile", profile, "--sample", "5s")
        assert running.wait() in {0, -signal.SIGKILL}  # its cgroup may kill it when the disk is slow; the rates tell
    own.end()
    return one


def test_memory_that_is_swapped_in_and_out_is_found(cos: Node, lab: Lab, impatient: str) -> None:
    swap = lab.workshop.folder / "swap"
    call("dd", "if=/dev/zero", f"of={swap}", "bs=1M", f"count={2 * FILE_MIB}", "status=none")
    swap.chmod(0o600)
    call("mkswap", swap)
    call("swapon", swap)
    try:
        one = while_it_thrashes(cos, lab, impatient, "-")
    finally:
        call("swapoff", swap)
        swap.unlink()
    (problem,) = problems(one, "rates.swapping").values()
    assert "pages a second were swapped in and" in problem.message
    for counter in ("pswpin", "pswpout"):
        grown = problem.values[counter]
        assert isinstance(grown, int)
        assert grown > 0


def test_memory_that_is_read_back_again_and_again_is_found(cos: Node, lab: Lab, impatient: str) -> None:
    file = lab.workshop.folder / "thrash.bin"
    file.write_bytes(bytes(FILE_MIB << 20))
    one = while_it_thrashes(cos, lab, impatient, str(file))
    file.unlink()
    (problem,) = problems(one, "rates.thrashing").values()
    assert "pages a second were read from disk for want of memory" in problem.message
    assert {"vmstat", "memory"} <= lines(problem).keys()
