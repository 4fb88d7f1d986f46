import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodediag.host.answer import (
    Content,
    Failure,
    Names,
    NamespaceAnswer,
    PathStat,
    Process,
    ProcessList,
    Reply,
    Sharing,
    Target,
    UnameAnswer,
)
from nodediag.host.ask import Ask, List, Lock, Namespace, Namespaces, Processes, Read, Readlink, Stat, Statvfs, Uname
from nodediag.host.tree import TreeSource, parse_uname
from nodediag.model.reason import Code

if TYPE_CHECKING:
    from tests.host.conftest import Asked

CAP = 10_000
PS = "/sos_commands/process/ps_auxwwwm"
PS_HEAD = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\n"


@pytest.fixture
def tree(tmp_path: Path, asked: "Asked") -> TreeSource:
    return TreeSource(asked(tmp_path))


def code(reply: Reply) -> Code:
    assert isinstance(reply, Failure), reply
    return reply.reason.code


def put(root: Path, path: str, text: str | bytes) -> None:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(text.encode() if isinstance(text, str) else text)


def test_what_is_there_is_told(tmp_path: Path, tree: TreeSource) -> None:
    put(tmp_path, "/proc/1/mountinfo", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    (tmp_path / "link").symlink_to("/proc/1/mountinfo")
    assert tree.answer(Read("/link", CAP)) == Content(b"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    assert tree.answer(List("/proc/1")) == Names(("mountinfo",))
    assert tree.answer(Readlink("/link")) == Target("/proc/1/mountinfo")
    assert isinstance(tree.answer(Stat("/proc")), PathStat)


@pytest.mark.parametrize(
    "ask",
    [
        Read("/etc/os-release", CAP), Read("/file/below", CAP), Read("/dangling", CAP), List("/etc"), Stat("/etc"),
        Statvfs("/"),
        Readlink("/etc"), Processes(), Uname(), Lock("/etc/os-release"), List("/proc"), Read("/etc/../nowhere", CAP),
    ],
)  # fmt: skip
def test_what_is_not_there_was_not_captured_and_never_absent(tmp_path: Path, tree: TreeSource, ask: Ask) -> None:
    (tmp_path / "dangling").symlink_to("/etc/nowhere")
    put(tmp_path, "/file", "")
    reply = tree.answer(ask)
    assert code(reply) is Code.NOT_CAPTURED
    assert isinstance(reply, Failure)
    assert reply.reason.needs


def test_what_is_there_and_is_no_file_is_neither(tmp_path: Path, tree: TreeSource) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert code(tree.answer(Read("/fifo", CAP))) is Code.WRONG_KIND
    put(tmp_path, "/large", "x" * 100)
    assert code(tree.answer(Read("/large", 99))) is Code.TOO_LARGE


def test_processes_come_from_saved_command_lines(tmp_path: Path, tree: TreeSource) -> None:
    put(tmp_path, "/proc/42/cmdline", "/usr/bin/kubelet\0--v=2\0")
    put(tmp_path, "/proc/meminfo", "")
    found = Process(42, 0, "kubelet", ("/usr/bin/kubelet", "--v=2"))
    assert tree.answer(Processes()) == ProcessList((found,), complete=False)


def test_a_saved_ps_makes_the_list_complete(tmp_path: Path, tree: TreeSource) -> None:
    put(tmp_path, PS, PS_HEAD + "root 42 0.1 0.2 1 2 ? Ssl 10:00 0:01 /usr/bin/kubelet --v=2 --config /etc/k\nbroken\n")
    found = Process(42, 0, "kubelet", ("/usr/bin/kubelet", "--v=2", "--config", "/etc/k"), "S")
    assert tree.answer(Processes()) == ProcessList((found,), complete=True)


def test_below_a_process_ps_may_list_its_threads_which_have_the_state(tmp_path: Path, tree: TreeSource) -> None:
    rows = (
        "root 42 0.1 0.2 1 2 ? - 10:00 0:01 kubelet", "root - 0.1 - - - - Dsl 10:00 0:01 -",
        "root - 0.1 - - - - Ssl 10:00 0:01 -", "root 43 0 0 0 0 ? - 10:00 0:01 [sh] <defunct>",
        "root - 0 - - - - Z 10:00 0:00 -", "root 44 0 0 0 0 ? - 10:00 0:01 sleep",
    )  # fmt: skip
    put(tmp_path, PS, PS_HEAD + "\n".join(rows))
    reply = tree.answer(Processes(("kubelet",)))
    assert isinstance(reply, ProcessList)
    assert [(one.pid, one.state) for one in reply.processes] == [(42, "D"), (43, "Z")]


def test_what_ps_lists_stays_beside_the_command_lines_that_were_saved_of_their_own(
    tmp_path: Path, tree: TreeSource
) -> None:
    put(tmp_path, "/proc/1/cmdline", "/sbin/init\0--switched-root\0")
    put(
        tmp_path,
        PS,
        f"{PS_HEAD}root 1 0 0 1 1 ? Ss 10:00 0:01 /sbin/init\nroot 9 0 0 1 1 ? Ssl 10:00 0:01 kubelet --v=2\n",
    )
    init, kubelet = (
        Process(1, 0, "init", ("/sbin/init", "--switched-root"), "S"),
        Process(9, 0, "kubelet", ("kubelet", "--v=2"), "S"),
    )
    assert tree.answer(Processes()) == ProcessList((init, kubelet), complete=True)


@pytest.mark.parametrize("pid", ["x", "\u0664", "9" * 5000, "-1"])
def test_a_hostile_ps_lists_nobody_and_claims_nothing(tmp_path: Path, tree: TreeSource, pid: str) -> None:
    put(tmp_path, PS, PS_HEAD + f"root {pid} 0 0 1 2 ? S 10:00 0:01 kubelet\n")
    assert tree.answer(Processes()) == ProcessList((), complete=False)


def test_bytes_that_are_no_text_do_not_harm_the_list(tmp_path: Path, tree: TreeSource) -> None:
    put(tmp_path, PS, PS_HEAD.encode() + b"root 7 0 0 1 2 ? S 10:00 0:01 \xff\xfe -\x00x\n\x00\n")
    reply = tree.answer(Processes())
    assert isinstance(reply, ProcessList)
    assert [process.pid for process in reply.processes] == [7]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "Linux node 5.15.0-1 #49 SMP Thu Jan 1 00:00:00 UTC 2026 x86_64 x86_64 x86_64 GNU/Linux\n",
            UnameAnswer("Linux", "node", "5.15.0-1", "#49 SMP Thu Jan 1 00:00:00 UTC 2026", "x86_64"),
        ),
        ("Linux node 6.1 #1 SMP aarch64 GNU/Linux", UnameAnswer("Linux", "node", "6.1", "#1 SMP", "aarch64")),
        ("Linux node 6.1 #1 SMP", UnameAnswer("Linux", "node", "6.1", "#1 SMP", "unknown")),
    ],
)
def test_a_saved_uname_is_taken_apart(text: str, wanted: UnameAnswer) -> None:
    assert parse_uname(text) == wanted


@pytest.mark.parametrize("text", ["", "Linux", "\0", "Linux node 6.1"])
def test_what_is_no_uname_is_unparsable(text: str) -> None:
    assert code(parse_uname(text)) is Code.UNPARSABLE


def test_saved_files_were_saved_on_the_node_so_its_namespaces_are_theirs(tree: TreeSource) -> None:
    assert tree.answer(Namespaces()) == NamespaceAnswer(dict.fromkeys(Namespace, Sharing.SAME))


@pytest.mark.root
def test_a_living_procfs_in_a_folder_answers_for_our_namespaces(asked: "Asked") -> None:
    """As where only /proc and /sys of a node were mounted into a pod."""
    source = TreeSource(asked(Path("/")))
    direct = asked(Path("/")).answer(Namespaces())
    assert source.answer(Namespaces()) == direct
