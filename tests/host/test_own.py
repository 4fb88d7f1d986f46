# Descriptors, procfs and odd names are looked at as the room under test looks at them.
# ruff: noqa: PTH116, PTH123, PTH208
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodediag.errors import OutputError, UsageError
from nodediag.host import own
from nodediag.host.child import Child

if TYPE_CHECKING:
    from tests.host.conftest import InChild, Run


@pytest.fixture
def tiny(tmp_path: Path, mounts: None) -> Iterator[Path]:  # noqa: ARG001 - it skips
    """A file system with room for one page, all of it in memory."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_file_is_written_whole_for_its_owner_only(tmp_path: Path) -> None:
    own.write_output(str(tmp_path / "report"), b"all of it")
    assert (tmp_path / "report").read_bytes() == b"all of it"
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["report"]


def test_what_was_there_is_replaced_together_with_its_mode(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("old and longer")
    (tmp_path / "report").chmod(0o644)
    own.write_output(str(tmp_path / "report"), b"new")
    assert (tmp_path / "report").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "report").stat().st_mode) == 0o600


def test_through_a_link_its_target_is_written_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/report")
    own.write_output(str(tmp_path / "link"), b"data")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there/report").read_bytes() == b"data"


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "device").symlink_to("/dev/null")
    for name in ("fifo", "folder", "loop", "device"):
        with pytest.raises(OutputError, match="not a regular file"):
            own.write_output(str(tmp_path / name), b"data")
    assert sorted(os.listdir(tmp_path)) == ["device", "fifo", "folder", "loop"]
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize("path", ["missing/report", "file/report", ""])
def test_where_nothing_can_be_written_it_is_said(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"^-o "):
        own.write_output(f"{tmp_path}/{path}", b"data")


@pytest.mark.root
def test_on_a_full_disk_the_old_file_stays_and_no_draft_is_left(tiny: Path) -> None:
    (tiny / "report").write_text("old")
    with pytest.raises(OutputError, match="No space left on device"):
        own.write_output(str(tiny / "report"), b"x" * 1_000_000)
    assert (tiny / "report").read_text() == "old"
    assert os.listdir(tiny) == ["report"]


@pytest.mark.root
def test_a_recording_that_does_not_fit_ends_with_four(tiny: Path, nodediag: "Run") -> None:
    done = nodediag("report", "--record", str(tiny / "recording"))
    assert done.returncode == 4
    assert done.stderr.startswith("nodediag: --record ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("where", ["/dev/full", "closed"])
def test_a_report_that_cannot_be_written_to_standard_output_ends_with_four(where: str) -> None:
    command = [sys.executable, "-I", "-m", "nodediag", "report", "--only", "image", "--format", "json"]
    if where == "closed":
        done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE, check=False)
    else:
        with open(where, "wb") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 4, done.stderr
    assert done.stderr.startswith(b"nodediag: ")
    assert b"Traceback" not in done.stderr


def write_to_slow_reader() -> str:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.dup2(writing, 1)
    left = 1_000_000
    if os.fork() == 0:
        time.sleep(0.2)
        while left:
            left -= len(os.read(reading, 1 << 16))
        os._exit(0)
    own.write_stdout(b"x" * left)
    return "written"


def test_a_pipe_that_does_not_wait_for_us_is_waited_for(in_child: "InChild") -> None:
    assert in_child(write_to_slow_reader) == "written"


def in_scratch(size: int) -> str:
    with own.scratch() as file:
        before = open_files()
        file.write(b"x" * size)
        file.seek(0)
        return f"{file.read().count(b'x') == size} {open_files() - before}"


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def in_scratch_without_a_disk() -> str:
    os.environ["TMPDIR"] = tempfile.tempdir = "/nowhere"
    try:
        return in_scratch(5_000_000)
    except OutputError as error:
        return str(error)


def test_what_is_made_for_a_pipe_is_in_memory_while_it_is_small_and_has_no_name(in_child: "InChild") -> None:
    assert in_child(lambda: in_scratch(1_000_000)) == "True 0"
    assert in_child(lambda: in_scratch(5_000_000)) == "True 1"
    assert in_child(in_scratch_without_a_disk) == "a temporary file: No such file or directory"


def test_an_option_s_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "profile.toml").write_text("gr\u00fcn")
    assert own.read_text("--profile", str(tmp_path / "profile.toml")) == "gr\u00fcn"


def test_an_option_s_file_that_cannot_be_read_is_named_with_its_option(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "latin").write_bytes(b"gr\xfcn")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    wanted = {
        "fifo": "not a regular file", "latin": "not UTF-8", "huge": "larger than", "missing": "No such file",
        "": "a dir", "/dev/zero": "not a regular file",
    }  # fmt: skip
    for name, why in wanted.items():
        with pytest.raises(UsageError, match=f"^--profile .*{why}"):
            own.read_text("--profile", name if name.startswith("/") else f"{tmp_path}/{name}")


@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel's log is root's")
def test_an_option_s_file_that_has_nothing_to_read_yet_is_not_waited_for() -> None:
    with suppress(UsageError):  # what stands in it until now
        own.read_text("--profile", "/proc/kmsg")
    with pytest.raises(UsageError, match=r"^--profile /proc/kmsg: it gives nothing without waiting"):
        own.read_text("--profile", "/proc/kmsg")


def test_texts_of_a_folder_are_read_by_their_ending(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text("b")
    (tmp_path / "a.toml").write_text("a")
    (tmp_path / "c.txt").write_text("c")
    assert own.texts_in("--data", str(tmp_path), ".toml") == {f"{tmp_path}/a.toml": "a", f"{tmp_path}/b.toml": "b"}
    assert own.texts_in("--data", str(tmp_path / "missing"), ".toml") == {}
    with pytest.raises(UsageError, match=r"--data .*Not a directory"):
        own.texts_in("--data", str(tmp_path / "c.txt"), ".toml")


def test_a_folder_for_a_recording_is_made_for_its_owner_only(tmp_path: Path) -> None:
    own.prepare_folder("--record", str(tmp_path / "new/recording"))
    own.write_below(str(tmp_path / "new/recording"), "root/etc/file", b"data")
    for path in ("new", "new/recording", "new/recording/root", "new/recording/root/etc"):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new/recording/root/etc/file").stat().st_mode) == 0o600


def test_a_folder_that_holds_something_or_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not empty"):
        own.prepare_folder("--record", str(tmp_path))
    with pytest.raises(UsageError, match="Not a directory"):
        own.prepare_folder("--record", str(tmp_path / "file"))


def test_a_folder_in_which_others_could_lay_links_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(UsageError, match="others may write"):
        own.prepare_folder("--record", str(shared))


@pytest.mark.root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with pytest.raises(UsageError, match="others may write"):
        own.prepare_folder("--record", str(theirs))


def be_gentle_twice() -> str:
    own.be_gentle()
    own.be_gentle()
    with closing(Child(lambda tell: tell(_ionice(os.getpid()).encode()))) as child:
        os.set_blocking(child.fd, True)
        told, _ = child.told()
    return f"{os.nice(0)} {_ionice(os.getpid())}, child {told[0].decode()}"


def _ionice(pid: int) -> str:
    return subprocess.run(["ionice", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()


def test_we_give_way_to_the_node_s_own_work(in_child: "InChild") -> None:
    assert in_child(be_gentle_twice) == "10 best-effort: prio 7, child best-effort: prio 7"
