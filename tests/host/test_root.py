# Descriptors, procfs and odd names are looked at as the room under test looks at them.
# ruff: noqa: PTH104, PTH123, PTH208
import ctypes
import errno
import json
import os
import platform
import stat
import struct
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from nodediag.host.root import Root

if TYPE_CHECKING:
    from tests.host.conftest import InChild

Opening = Callable[[str, int], int]
Outcome = tuple[int, int] | str
FOLLOWED = (os.O_PATH, os.O_RDONLY | os.O_NONBLOCK, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
ALL_FLAGS = (*FOLLOWED, os.O_PATH | os.O_NOFOLLOW, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def outcome(opening: Opening, path: str, flags: int) -> Outcome:
    try:
        fd = opening(path, flags)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    try:
        assert not os.get_inheritable(fd)
        found = os.fstat(fd)
        return found.st_dev, found.st_ino
    finally:
        os.close(fd)


def place(path: Path) -> Outcome:
    found = path.lstat()  # what stands there, be it a link
    return found.st_dev, found.st_ino


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with links of every kind, in a folder that also holds what must not be reached."""
    (tmp_path / "outside").write_text("not the node's")
    root = tmp_path / "root"
    (root / "a/deep").mkdir(parents=True)
    (root / "b").mkdir()
    (root / "a/file").write_text("the node's")
    (root / "b/file").write_text("another")
    os.mkfifo(root / "fifo")
    (root / os.fsdecode(b"\xff\xfe")).write_text("odd")
    links = {
        "absolute": "/a/file", "relative": "a/file", "upwards": "../../../../../a/file", "a/back": "../b",
        "to-dir": "/a", "to-dir-slash": "a/", "to-file-slash": "a/file/", "to-root": "/", "to-above": "../..",
        "escape": "/../../outside", "dangling": "/nowhere", "loop": "loop", "loop-a": "loop-b", "loop-b": "/loop-a",
        "through": "to-dir/back/file", "a/deep/far": "../../../../../../b/file", "machine": "/etc/hostname",
    }  # fmt: skip
    for name, target in links.items():
        (root / name).symlink_to(target)
    for number in range(41):
        (root / f"chain{number + 1}").symlink_to(f"/chain{number}" if number else "/a/file")
    return root


CASES = {
    "/": ".", "/.": ".", "/..": ".", "//": ".", "..": ".", ".": ".", "/a": "a", "a": "a", "/a/": "a", "/a/.": "a",
    "/a/file": "a/file", "a/file": "a/file", "//a///file": "a/file", "/a/./file": "a/file", "/a/../b/file": "b/file",
    "/../../../a/file": "a/file", "/absolute": "a/file", "/relative": "a/file", "/upwards": "a/file",
    "/a/back": "b", "/a/back/file": "b/file", "/a/back/../a/file": "a/file", "/to-dir/file": "a/file",
    "/to-dir/": "a", "/to-dir/..": ".", "/to-dir-slash": "a", "/to-dir-slash/file": "a/file", "/to-root": ".",
    "/to-root/to-root/a": "a", "/to-above": ".", "/to-above/b/file": "b/file", "/through": "b/file",
    "/a/deep/far": "b/file", "/chain40": "a/file", "/fifo": "fifo", "/\udcff\udcfe": "\udcff\udcfe",
    "": "ENOENT", "/nowhere": "ENOENT", "/nowhere/..": "ENOENT", "/dangling": "ENOENT", "/escape": "ENOENT",
    "/machine": "ENOENT", "/loop": "ELOOP", "/loop-a": "ELOOP", "/loop/x": "ELOOP", "/chain41": "ELOOP",
    "/a/file/": "ENOTDIR", "/a/file/.": "ENOTDIR", "/a/file/..": "ENOTDIR", "/a/file/x": "ENOTDIR",
    "/fifo/x": "ENOTDIR", "/to-file-slash": "ENOTDIR", "/absolute/": "ENOTDIR", "/a\0b": "EINVAL", "\0": "EINVAL",
    "/\ud800": "EINVAL", "/" + "x" * 256: "ENAMETOOLONG", "/a/" + "x" * 300 + "/y": "ENAMETOOLONG",
    "/a" + "/." * 2050: "ENAMETOOLONG", "/a" + "/." * 2000: "a",
}  # fmt: skip


@pytest.mark.parametrize("path", CASES, ids=lambda path: ascii(path)[:30])
def test_a_path_leads_to_the_same_place_by_the_call_and_by_the_walk(tree: Path, path: str) -> None:
    root = Root(str(tree))
    wanted = CASES[path]
    expected = wanted if wanted.startswith("E") else place(tree / wanted)
    assert outcome(root.open, path, os.O_PATH) == expected
    assert outcome(root.walk, path, os.O_PATH) == expected
    root.close()


@pytest.mark.parametrize("flags", ALL_FLAGS)
def test_the_call_and_the_walk_agree_whatever_the_flags(tree: Path, flags: int) -> None:
    root = Root(str(tree))
    paths = [path + end for path in CASES for end in ("", "/", "/.", "/..")]
    assert [outcome(root.open, path, flags) for path in paths] == [outcome(root.walk, path, flags) for path in paths]
    root.close()


def test_a_link_itself_can_be_opened(tree: Path) -> None:
    root = Root(str(tree))
    for opening in (root.open, root.walk):
        assert outcome(opening, "/escape", os.O_PATH | os.O_NOFOLLOW) == place(tree / "escape")
        assert outcome(opening, "/to-dir/back", os.O_PATH | os.O_NOFOLLOW) == place(tree / "a/back")
    root.close()


@pytest.mark.parametrize(
    "path", ["self/exe", "self/root/etc", "self/cwd", "self/fd/0", "1/../self/root", "self/ns/mnt"]
)
def test_links_that_only_the_kernel_can_follow_are_refused(path: str) -> None:
    root = Root("/proc")
    assert outcome(root.open, path, os.O_PATH) == "ELOOP"
    assert outcome(root.walk, path, os.O_PATH) == "ELOOP"
    root.close()


@pytest.mark.parametrize("path", ["self/stat", "thread-self/stat", "mounts", "net/dev"])
def test_ordinary_links_of_procfs_are_followed(path: str) -> None:
    root = Root("/proc")
    found = Path("/proc", path).stat()
    assert outcome(root.walk, path, os.O_PATH) == outcome(root.open, path, os.O_PATH) == (found.st_dev, found.st_ino)
    root.close()


def test_no_descriptor_is_left_open(tree: Path) -> None:
    root = Root(str(tree))
    before = os.listdir("/proc/self/fd")
    for path in CASES:
        for flags in ALL_FLAGS:
            outcome(root.open, path, flags)
            outcome(root.walk, path, flags)
    assert os.listdir("/proc/self/fd") == before
    root.close()


# Small trees: each entry stands in one of the folders made before it.
NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.sampled_from(["a", "b", "c", "..", "."])
PATHS = st.builds(
    lambda start, steps, end: start + "/".join(steps) + end,
    st.sampled_from(["", "/"]), st.lists(STEPS, min_size=1, max_size=6), st.sampled_from(["", "/"]),
)  # fmt: skip
ENTRIES = st.lists(
    st.tuples(st.integers(0, 9), NAMES, st.one_of(st.just("dir"), st.just("file"), PATHS.map("->".__add__))),
    max_size=12,
)


def build(root: Path, entries: list[tuple[int, str, str]]) -> None:
    folders = [root]
    for where, name, kind in entries:
        path = folders[where % len(folders)] / name
        if os.path.lexists(path):
            continue
        if kind == "dir":
            path.mkdir()
            folders.append(path)
        elif kind == "file":
            path.touch()
        else:
            path.symlink_to(kind[2:])


@given(ENTRIES, st.lists(PATHS, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_in_any_tree_the_walk_ends_where_the_call_does(entries: list[tuple[int, str, str]], paths: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), entries)
        root = Root(folder)
        for path in paths:
            for flags in ALL_FLAGS:
                assert outcome(root.open, path, flags) == outcome(root.walk, path, flags), (path, flags)
        root.close()


def seen_after_chroot(root: str, paths: list[str]) -> str:
    os.chroot(root)
    os.chdir("/")
    return json.dumps([outcome(os.open, path, os.O_PATH) for path in paths])


@pytest.mark.root
@given(ENTRIES, st.lists(PATHS, min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_in_any_tree_both_end_where_a_process_chrooted_there_does(
    entries: list[tuple[int, str, str]], paths: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), entries)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writing, seen_after_chroot(folder, paths).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading, encoding="utf-8") as file:
            said: list[list[int] | str] = json.loads(file.read())
        os.waitpid(pid, 0)
        expected = [tuple(found) if isinstance(found, list) else found for found in said]
        root = Root(folder)
        assert [outcome(root.open, path, os.O_PATH) for path in paths] == expected
        assert [outcome(root.walk, path, os.O_PATH) for path in paths] == expected
        root.close()


def refuse_openat2(code: int) -> None:
    """Have the kernel answer openat2 with an error, as a container's filter does, see seccomp(2)."""
    instructions = struct.pack(
        "HBBI" * 4,
        0x20, 0, 0, 0,                  # load the number of the call
        0x15, 0, 1, 437,                # is it openat2?
        0x06, 0, 0, 0x00050000 | code,  # then this error
        0x06, 0, 0, 0x7FFF0000,         # else go on
    )  # fmt: skip
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer)), 16)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS"
    assert libc.prctl(22, 2, program, 0, 0) == 0, "PR_SET_SECCOMP"


def seen_without_openat2(code: int, folder: str) -> str:
    refuse_openat2(code)
    how = ctypes.create_string_buffer(24)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(437, -100, b"/", how, 24) == -1
    assert ctypes.get_errno() == code
    root = Root(folder)
    return json.dumps([outcome(root.open, path, os.O_PATH) for path in CASES])


@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="a filter is written for these")
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_where_the_call_is_refused_the_walk_answers(tree: Path, code: int, in_child: "InChild") -> None:
    said = json.loads(in_child(partial(seen_without_openat2, code, str(tree))))
    root = Root(str(tree))
    assert [tuple(one) if isinstance(one, list) else one for one in said] == [
        outcome(root.open, path, os.O_PATH) for path in CASES
    ]
    root.close()


def test_renames_on_the_way_disturb_nothing(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/file").touch()
    (tmp_path / "x").mkdir()
    pid = os.fork()
    if pid == 0:
        os.chdir(tmp_path)
        while os.getppid() != 1:
            os.rename("x", "y")
            os.rename("y", "x")
    try:
        root = Root(str(tmp_path))
        expected = place(tmp_path / "a/file")
        assert {outcome(root.open, "/a/b/../b/../b/../b/../file", os.O_PATH) for _ in range(3000)} == {expected}
        root.close()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_a_folder_swapped_for_a_link_never_leads_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    root_path = tmp_path / "root"
    (root_path / "dir").mkdir(parents=True)
    (root_path / "dir/file").touch()
    (root_path / "link").symlink_to("../../outside")
    pid = os.fork()
    if pid == 0:
        os.chdir(root_path)
        while os.getppid() != 1:
            os.rename("dir", "kept")
            os.rename("link", "dir")
            os.rename("dir", "link")
            os.rename("kept", "dir")
    try:
        root = Root(str(root_path))
        found = {outcome(opening, "/dir/file", os.O_PATH) for _ in range(1500) for opening in (root.open, root.walk)}
        assert place(outside / "file") not in found
        assert len(found - {"ENOENT"}) <= 1
        root.close()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_a_root_must_be_a_directory(tree: Path) -> None:
    with pytest.raises(NotADirectoryError):
        Root(str(tree / "a/file"))
    assert stat.S_ISREG((tree / "a/file").stat().st_mode)
