"""Walks of folders: small files found, sizes added up, no link or mount followed, bounded."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodediag.host import folders
from nodediag.host.answer import Failure, FilesBelow, Reply, SizesBelow
from nodediag.host.ask import Below, Sizes
from nodediag.host.live import LiveSource

KIB = 1024


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, size in (("a/one", 40), ("a/deep/er/two", 80), ("b/three", 400)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size * KIB)
    os.link(tmp_path / "b/three", tmp_path / "b/again")
    (tmp_path / "b/link").symlink_to("/etc")
    return tmp_path


def asked(root: Path, ask: Below | Sizes) -> Reply:
    return LiveSource(str(root)).answer(ask)


def below(root: Path, depth: int) -> list[str]:
    reply = asked(root, Below("/", ("one", "two", "link"), depth))
    assert isinstance(reply, FilesBelow)
    return [file.path for file in reply.files]


def sizes(root: Path, depth: int = 1) -> SizesBelow:
    reply = asked(root, Sizes("/", depth))
    assert isinstance(reply, SizesBelow)
    return reply


def test_files_are_found_by_name_down_to_a_depth_and_no_link_is_followed(tree: Path) -> None:
    assert below(tree, 0) == []
    assert below(tree, 1) == ["a/one"]
    assert below(tree, 3) == ["a/deep/er/two", "a/one"]


def test_a_large_file_is_read_in_part_only(tree: Path) -> None:
    reply = asked(tree, Below("/", ("three",), 1))
    assert isinstance(reply, FilesBelow)
    assert [len(file.data) for file in reply.files] == [folders.SMALL_BYTES]


def test_sizes_are_added_up_the_largest_first_and_a_file_of_two_names_once(tree: Path) -> None:
    found = sizes(tree)
    assert [size.path for size in found.largest] == ["b", "a"]
    assert 400 * KIB <= found.largest[0].bytes < 440 * KIB
    assert 120 * KIB <= found.largest[1].bytes < 160 * KIB
    assert found.complete
    deeper = [size.path for size in sizes(tree, 2).largest]
    assert deeper[0] in {"b/three", "b/again"}
    assert deeper[1:3] == ["a/deep", "a/one"]


def test_what_is_not_there_is_absent(tree: Path) -> None:
    for ask in (Below("/none", ("one",), 1), Sizes("/none", 1)):
        assert isinstance(asked(tree, ask), Failure)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_a_folder_of_the_same_disk_that_is_mounted_there_is_not_counted(tree: Path) -> None:
    """Only the mount's id tells it apart: its device is the same."""
    (tree / "a/bound").mkdir()
    script = (
        "import sys; from nodediag.host.live import LiveSource; from nodediag.host.ask import Sizes;"
        "print([size.path for size in LiveSource(sys.argv[1]).answer(Sizes('/', 1)).largest],"
        " LiveSource(sys.argv[1]).answer(Sizes('/a', 1)).largest[-1].path)"
    )
    mount = 'mount --make-rprivate / && mount --bind "$1/b" "$1/a/bound" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tree), sys.executable, script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("['b', 'a'] one\n", "")


def deep(folder: Path) -> Iterator[Path]:
    for _ in range(80):
        folder = folder / "d"
        yield folder


def test_a_tree_without_end_ends(tmp_path: Path) -> None:
    for folder in deep(tmp_path):
        folder.mkdir()
    assert sizes(tmp_path).files > 0
