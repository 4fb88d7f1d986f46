import os
import subprocess
import sys
from pathlib import Path

import pytest

from nodediag.host import processes
from nodediag.host.answer import Process


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("", ()),
        ("\0", ("",)),
        ("kubelet\0", ("kubelet",)),
        ("kubelet\0--v=2\0", ("kubelet", "--v=2")),
        ("kubelet\0--node-labels=a b,c\0", ("kubelet", "--node-labels=a b,c")),
        ("kubelet\0--v\x002\0", ("kubelet", "--v", "2")),
        ("a\0\0b\0", ("a", "", "b")),
        ("title padded\0\0\0\0\0", ("title padded",)),
        ("kubelet\0--v=2\0\n", ("kubelet", "--v=2")),
        ("/usr/bin/kubelet --v=2 --config=/a", ("/usr/bin/kubelet", "--v=2", "--config=/a")),
        ("/usr/bin/kubelet --v 2 --config /a\n", ("/usr/bin/kubelet", "--v", "2", "--config", "/a")),
        ("kubelet --labels=a b --v=2", ("kubelet", "--labels=a b", "--v=2")),
        ("/usr/bin/hyperkube kubelet --v=2", ("/usr/bin/hyperkube", "kubelet", "--v=2")),
        ("bash -c sleep 5", ("bash", "-c", "sleep 5")),
        ("[kworker/0:1]", ("[kworker/0:1]",)),
        ("kubelet --a  --b", ("kubelet", "--a", "--b")),
        ("   ", ()),
    ],
)
def test_a_command_line_is_split_as_it_was_given(text: str, argv: tuple[str, ...]) -> None:
    assert processes.split_cmdline(text) == argv


@pytest.mark.parametrize(
    ("text", "pid"),
    [
        ("1", 1), ("4194304", 4194304), ("", None), ("self", None), ("-1", None), ("\u0661", None), ("\u00b2", None),
        ("9" * 5000, None), ("1.5", None),
    ],
)  # fmt: skip
def test_only_a_number_of_sane_length_is_a_process_id(text: str, pid: int | None) -> None:
    assert processes.pid_of(text) == pid


def test_saved_files_make_a_list() -> None:
    files = {
        "/proc/7/cmdline": b"/usr/bin/kubelet\0--v=2\0",
        "/proc/7/comm": b"kubelet\n",
        "/proc/12/cmdline": b"/bin/odd\xff\0",
        "/proc/2/cmdline": b"",
        "/proc/2/comm": b"kthreadd\n",
        "/proc/bus/cmdline": b"no process",
    }
    made = processes.from_files(("12", "7", "2", "99", "bus", "self", "9" * 4999), files.get)
    assert made == (
        Process(2, 0, "kthreadd", ()),
        Process(7, 0, "kubelet", ("/usr/bin/kubelet", "--v=2")),
        Process(12, 0, "odd\\xff", ("/bin/odd\\xff",)),
    )


def test_the_living_are_listed_with_their_arguments() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()", "an argument", b"\xff"], stdin=subprocess.PIPE) as child:
        listed = processes.living("/proc")
        child.communicate(b"\n")
    (found,) = (process for process in listed.processes if process.pid == child.pid)
    argv = (sys.executable, "-c", "input()", "an argument", "\\xff")
    assert found == Process(child.pid, os.getpid(), found.name, argv, found.state)
    assert found.state in {"R", "S", "D"}
    pids = [process.pid for process in listed.processes]
    assert pids == sorted(pids)
    assert listed.complete


def test_zombies_and_their_parents_are_listed_whatever_their_names() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    listed = {process.pid: process for process in processes.living("/proc", ("no-such-program",)).processes}
    os.waitpid(pid, 0)
    assert (listed[pid].state, listed[pid].ppid) == ("Z", os.getpid())
    assert listed[os.getpid()].argv
    parents = {process.ppid for process in listed.values() if process.state == "Z"}
    assert {process.pid for process in listed.values() if process.state not in {"Z", "D"}} <= parents


def test_a_dead_process_nobody_waited_for_does_not_make_the_list_incomplete() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    try:
        listed = processes.living("/proc")
        assert pid in {process.pid for process in listed.processes}
        assert listed.complete
    finally:
        os.waitpid(pid, 0)


def test_arguments_are_kept_up_to_a_cap_in_one_process() -> None:
    words = ["x" * 1000] * 100
    with subprocess.Popen([sys.executable, "-c", "input()", *words], stdin=subprocess.PIPE) as child:
        listed = processes.living("/proc")
        child.communicate(b"\n")
    (found,) = (process for process in listed.processes if process.pid == child.pid)
    assert 30_000 < sum(len(word) for word in found.argv) <= 32 * 1024


def test_arguments_are_kept_up_to_a_cap_in_all_and_then_the_list_is_not_complete() -> None:
    reading, writing = os.pipe()
    command = ["/bin/sh", "-c", "read line", "sh", *["x" * 100_000] * 2]
    children = [subprocess.Popen(command, stdin=reading) for _ in range(300)]
    listed = processes.living("/proc")
    os.close(writing)
    os.close(reading)
    for child in children:
        child.wait()
    kept = sum(len(argument) for process in listed.processes for argument in process.argv)
    assert kept <= 8 * 1024 * 1024
    assert not listed.complete
    assert {child.pid for child in children} <= {process.pid for process in listed.processes}


WAITING = """
import ctypes, os, sys
from nodediag.host import processes

SYS_CLONE, CLONE_VFORK, SIGCHLD = {"x86_64": 56, "aarch64": 220}[os.uname().machine], 0x4000, 17
if ctypes.CDLL(None).syscall(SYS_CLONE, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0) == 0:
    print(*(p.pid for p in processes.living("/proc", ("none",)).processes if p.state == "D"), flush=True)
    input()
    os._exit(0)
"""


def test_our_own_waiting_for_a_child_is_not_told_and_that_of_another_is() -> None:
    command = [sys.executable, "-I", "-c", WAITING]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen([*command, "one"], stdin=pipe, stdout=pipe, text=True) as one,
        subprocess.Popen([*command, "other"], stdin=pipe, stdout=pipe, text=True) as other,
    ):
        told = _a_line_of_numbers(one), _a_line_of_numbers(other)
        one.communicate("\n")
        other.communicate("\n")
    assert one.pid not in told[0]
    assert other.pid not in told[1]
    assert one.pid in told[1] or other.pid in told[0]


def _a_line_of_numbers(process: subprocess.Popen[str]) -> set[int]:
    assert process.stdout is not None
    return {int(pid) for pid in process.stdout.readline().split()}


HIDING = """
import ctypes, os, sys
from nodediag.host import processes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x00020000) == 0
assert libc.mount(b"none", b"/", None, 1 << 18 | 1 << 14, None) == 0
assert libc.mount(b"proc", sys.argv[1].encode(), b"proc", 0, b"hidepid=" + sys.argv[2].encode()) == 0
import psutil
os.setgroups([]); os.setgid(65534); os.setuid(65534)
listed = processes.living(sys.argv[1])
print(listed.complete, len(listed.processes) > 0)
"""


@pytest.mark.root
@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize("how", ["1", "2", "4"])
def test_a_list_from_which_the_kernel_hides_others_is_not_complete(reachable: Path, how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", HIDING, str(reachable), how], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("False True\n", "")
    assert processes.living("/proc").complete


def test_a_folder_without_processes_makes_an_empty_list_that_claims_nothing(tmp_path: Path) -> None:
    listed = processes.living(str(tmp_path))
    assert (listed.processes, listed.complete) == ((), False)
