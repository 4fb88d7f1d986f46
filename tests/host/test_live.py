# Descriptors, procfs and odd names are looked at as the room under test looks at them.
# ruff: noqa: PTH104, PTH108, PTH110, PTH116, PTH208
import contextlib
import os
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodediag.host.answer import (
    Content,
    Failure,
    Names,
    NamespaceAnswer,
    PathStat,
    PathType,
    ProcessList,
    Reply,
    Sharing,
    Target,
    UnameAnswer,
    VfsStat,
)
from nodediag.host.ask import Ask, List, Namespace, Namespaces, Processes, Read, Readlink, Stat, Statvfs, Uname
from nodediag.host.live import LiveSource
from nodediag.host.sacrifice import Sacrifice
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.host.conftest import Asked, InChild

CAP = 1000


def refused(reply: Reply) -> Reason:
    assert isinstance(reply, Failure), reply
    return reply.reason


def read(source: Sacrifice, path: str, cap_bytes: int = CAP) -> Reply:
    return source.answer(Read(path, cap_bytes))


def test_of_a_root_without_proc_the_processes_are_missed_by_the_node_s_own_name(tmp_path: Path, asked: "Asked") -> None:
    reason = refused(asked(tmp_path).answer(Processes()))
    assert (reason.code, reason.detail) == (Code.ABSENT, "/proc: No such file or directory")


def test_a_small_file_is_read_whole(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "file").write_bytes(b"\x00\xff text")
    assert read(asked(tmp_path), "/file") == Content(b"\x00\xff text")


def test_a_file_of_just_the_cap_is_read_and_one_byte_more_is_too_large(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "file").write_bytes(b"x" * CAP)
    source = asked(tmp_path)
    assert read(source, "/file") == Content(b"x" * CAP)
    assert refused(read(source, "/file", CAP - 1)).code is Code.TOO_LARGE


def test_a_huge_file_costs_no_more_than_the_cap(tmp_path: Path, asked: "Asked") -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 42)
    start = time.monotonic()
    assert refused(read(asked(tmp_path), "/huge", 1 << 20)).code is Code.TOO_LARGE
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("fifo", Code.WRONG_KIND, "fifo"),
        ("socket", Code.WRONG_KIND, "socket"),
        ("directory", Code.WRONG_KIND, "directory"),
        ("dangling", Code.ABSENT, "No such file"),
        ("nothing", Code.ABSENT, "No such file"),
        ("file/below", Code.ABSENT, "Not a directory"),
        ("loop", Code.WRONG_KIND, "loop of symbolic links"),
        ("outwards", Code.ABSENT, "No such file"),
        ("n" * 300, Code.UNSUPPORTED, "too long"),
        ("a\0b", Code.WRONG_KIND, "Invalid argument"),
        ("\ud800", Code.CRASHED, "UnicodeEncodeError"),
    ],
)
def test_what_is_no_file_ends_with_its_reason(tmp_path: Path, asked: "Asked", name: str, code: Code, said: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "outwards").symlink_to("/etc/passwd")
    with contextlib.chdir(tmp_path), socket.socket(socket.AF_UNIX) as listening:  # a socket's path is short
        listening.bind("socket")
        reason = refused(read(asked(tmp_path), f"/{name}"))
    assert (reason.code, said in reason.detail) == (code, True), reason


def test_one_question_that_cannot_be_asked_spoils_no_other(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "file").touch()
    source = asked(tmp_path)
    read(source, "/\ud800")
    assert read(source, "/file") == Content(b"")


@pytest.mark.root
def test_a_device_is_not_opened(tmp_path: Path, asked: "Asked") -> None:
    os.mknod(tmp_path / "endless", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    reason = refused(read(asked(tmp_path), "/endless"))
    assert (reason.code, reason.detail) == (Code.WRONG_KIND, "/endless is a device, not a regular file")


@pytest.mark.root
def test_a_file_that_answers_only_when_something_happens_is_not_waited_for(asked: "Asked") -> None:
    path = "/kernel/tracing/trace_pipe" if os.path.exists("/sys/kernel/tracing/trace_pipe") else ""
    source = asked(Path("/sys") if path else Path("/proc"))
    try:
        os.close(os.open("/sys" + path if path else "/proc/kmsg", os.O_RDONLY | os.O_NONBLOCK))
        fitting = {Code.WRONG_KIND, Code.TOO_LARGE}
    except PermissionError:  # a container's root may not
        fitting = {Code.NOT_PERMITTED}
    start = time.monotonic()
    reply = read(source, path or "/kmsg", 1 << 12)
    assert time.monotonic() - start < 10
    assert isinstance(reply, Content) or refused(reply).code in fitting, reply


def as_nobody(root: Path, ask: Ask) -> Callable[[], str]:
    return lambda: str(LiveSource(str(root)).answer(ask))


@pytest.mark.root
def test_what_an_ordinary_user_may_not_read_says_what_would_be_needed(reachable: Path, in_child: "InChild") -> None:
    (reachable / "secret").touch(mode=0o600)
    (reachable / "closed").mkdir(mode=0o700)
    (reachable / "open").write_text("yes")
    for ask in (Read("/secret", CAP), Read("/closed/file", CAP), List("/closed"), Stat("/closed/file")):
        said = in_child(as_nobody(reachable, ask), uid=65534)
        assert "NOT_PERMITTED" in said, said
        assert "root, or the right to read it" in said
    assert "yes" in in_child(as_nobody(reachable, Read("/open", CAP)), uid=65534)


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_root_that_is_none_is_told_with_each_answer(tmp_path: Path, asked: "Asked", kind: str) -> None:
    (tmp_path / "file").touch()
    source = asked(tmp_path / kind)
    for _ in range(2):
        assert refused(source.answer(Stat("/"))).code is Code.ABSENT


def test_names_that_are_not_utf8_are_listed_visibly(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / os.fsdecode(b"bad\xff\n")).touch()
    (tmp_path / "gr\u00fcn").symlink_to(os.fsdecode(b"\xfe"))
    source = asked(tmp_path)
    assert source.answer(List("/")) == Names(("bad\\xff\n", "gr\u00fcn"))
    assert source.answer(Readlink("/gr\u00fcn")) == Target("\\xfe")


def test_a_list_of_what_is_no_folder_and_a_link_that_is_none(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "file").touch()
    source = asked(tmp_path)
    assert refused(source.answer(List("/file"))).code is Code.ABSENT
    assert refused(source.answer(Readlink("/file"))).code is Code.WRONG_KIND


def test_a_stat_tells_what_a_path_leads_to(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "file").write_text("four")
    (tmp_path / "file").chmod(0o4640)
    (tmp_path / "link").symlink_to("/file")
    os.mkfifo(tmp_path / "fifo")
    source = asked(tmp_path)
    device = os.stat(tmp_path).st_dev
    told = PathStat(PathType.FILE, "4640", 4, f"{os.major(device)}:{os.minor(device)}", os.geteuid(), os.getegid())
    assert source.answer(Stat("/file")) == source.answer(Stat("/link")) == told
    fifo = source.answer(Stat("/fifo"))
    assert isinstance(fifo, PathStat)
    assert fifo.kind is PathType.FIFO


def test_a_statvfs_tells_of_the_file_system_as_the_kernel_does(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "below").mkdir()
    reply = asked(tmp_path).answer(Statvfs("/below"))
    whole = os.statvfs(tmp_path)
    assert isinstance(reply, VfsStat)
    assert reply.size_bytes == whole.f_blocks * whole.f_frsize
    assert reply.inodes == whole.f_files
    assert 0 < reply.available_bytes <= reply.size_bytes
    assert not reply.read_only
    assert reply.device == f"{os.major(tmp_path.stat().st_dev)}:{os.minor(tmp_path.stat().st_dev)}"


def test_a_statvfs_stays_inside_the_root(tmp_path: Path, asked: "Asked") -> None:
    (tmp_path / "out").symlink_to("/proc")
    missing = asked(tmp_path).answer(Statvfs("/out"))
    assert isinstance(missing, Failure)
    assert missing.reason.code is Code.ABSENT
    (tmp_path / "proc").mkdir()
    through = asked(tmp_path).answer(Statvfs("/out"))
    assert isinstance(through, VfsStat)
    assert through.size_bytes == os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize


def test_a_file_that_is_replaced_all_the_time_is_read_or_refused_but_never_opened_as_something_else(
    tmp_path: Path,
) -> None:
    """A FIFO nobody writes into would say end of file at once; seen as a regular file it would be an empty one."""
    (tmp_path / "one").write_text("content")
    os.mkfifo(tmp_path / "two")
    os.link(tmp_path / "one", tmp_path / "file")
    pid = os.fork()
    if pid == 0:
        os.chdir(tmp_path)
        while os.getppid() != 1:
            for kind in ("one", "two"):
                os.link(kind, "next")
                os.rename("next", "file")
                if os.path.exists("next"):
                    os.unlink("next")
    try:
        source = LiveSource(str(tmp_path))
        found = {str(source.answer(Read("/file", CAP))) for _ in range(3000)}
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    fifo = Failure(Reason(code=Code.WRONG_KIND, detail="/file is a fifo, not a regular file"))
    assert found <= {str(Content(b"content")), str(fifo)}, found


def test_answers_leave_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * CAP)
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    source = LiveSource(str(tmp_path))
    source.answer(Stat("/"))
    before = os.listdir("/proc/self/fd")
    for path in ("/", "/file", "/link", "/fifo", "/nothing"):
        for ask in (Read(path, CAP), Read(path, 1), List(path), Stat(path), Readlink(path), Processes()):
            source.answer(ask)
    assert os.listdir("/proc/self/fd") == before


def test_this_machine_tells_its_names_its_processes_and_its_namespaces(asked: "Asked") -> None:
    source = asked(Path("/"))
    uname = source.answer(Uname())
    assert isinstance(uname, UnameAnswer)
    assert uname.release == os.uname().release
    listed = source.answer(Processes())
    assert isinstance(listed, ProcessList)
    assert os.getpid() in {process.pid for process in listed.processes}
    namespaces = source.answer(Namespaces())
    assert isinstance(namespaces, NamespaceAnswer)
    assert set(namespaces.sharing) == set(Namespace)


@pytest.mark.parametrize(
    ("listed", "sharing"),
    [
        pytest.param(
            b"Num       RefCount Protocol Flags    Type St Inode Path\n", Sharing.OTHER, id="ours is not there"
        ),
        pytest.param(b"", Sharing.OTHER, id="empty"),
        pytest.param(None, Sharing.UNKNOWN, id="no list"),
    ],
)
def test_a_network_namespace_is_another_s_where_our_socket_is_not_listed(
    listed: bytes | None, sharing: Sharing, tmp_path: Path
) -> None:
    (tmp_path / "proc/1/net").mkdir(parents=True)
    if listed is not None:
        (tmp_path / "proc/1/net/unix").write_bytes(listed)
    assert LiveSource(str(tmp_path))._same_sockets() is sharing  # noqa: SLF001 - asked only where PID 1's is not told


def test_a_network_namespace_is_ours_where_our_socket_is_listed() -> None:
    source = LiveSource("/")
    wanted = source.answer(Readlink("/proc/1/ns/net"))
    if not isinstance(wanted, Target) or wanted.target != str(Path("/proc/self/ns/net").readlink()):
        pytest.skip("PID 1 has another network namespace, or does not tell")
    assert source._same_sockets() is Sharing.SAME  # noqa: SLF001 - as above


def test_namespaces_cannot_be_compared_where_the_root_has_no_procfs(tmp_path: Path, in_child: "InChild") -> None:
    said = in_child(lambda: str(LiveSource(str(tmp_path))._sharing(Namespace.NET)))  # noqa: SLF001 - one kind of six
    assert said == Sharing.UNKNOWN


def test_processes_are_never_read_through_a_link_out_of_the_root(tmp_path: Path, asked: "Asked") -> None:
    """Inside the root the link leads to the folder beside it; followed outside it would be this machine's procfs."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "proc").symlink_to("/elsewhere")
    listed = asked(tmp_path).answer(Processes())
    assert listed == ProcessList((), complete=False)
