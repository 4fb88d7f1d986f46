"""What a stranger sends is opened safely: nothing reaches outside, no bomb goes off, and each refusal has a reason."""

import gzip
import io
import json
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from nodediag.errors import UsageError
from nodediag.host import archive

NODEDIAG: Final = (sys.executable, "-I", "-m", "nodediag")
RELEASE: Final = ("n/etc/os-release", b"ID=cos\nVERSION_ID=121\n")
MANY: Final = 400_000_000
LINKS: Final = (tarfile.SYMTYPE, tarfile.LNKTYPE)
OTHERS: Final = (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE)
HEADERS: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


def archived(file: Path, *entries: tuple[str, str | bytes], mode: str = "w:gz") -> Path:
    """Make an archive: of each entry the name, and its data or what it links to."""
    with tarfile.open(file, mode) as tar:  # type: ignore[call-overload] # the mode is no literal
        for name, what in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(what, bytes):
                entry.size = len(what)
                tar.addfile(entry, io.BytesIO(what))
            else:
                entry.type, entry.linkname = tarfile.SYMTYPE, what
                tar.addfile(entry)
    return file


def held(folder: str) -> dict[str, bytes]:
    """Give the files below a folder; there are only files and folders."""
    found = sorted(Path(folder).rglob("*"))
    assert [path for path in found if path.is_symlink() or not (path.is_file() or path.is_dir())] == []
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Path]:
    """Where archives are unpacked; nothing is left there."""
    folder = tmp_path / "space"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


def opening(file: Path, space: Path) -> subprocess.CompletedProcess[bytes]:
    command = [*NODEDIAG, "report", "--root", str(file), "--format", "json"]
    return subprocess.run(command, env={**os.environ, "TMPDIR": str(space)}, capture_output=True, check=False)


def refused(file: Path, space: Path) -> str:
    """Say why a bundle is refused."""
    done = opening(file, space)
    assert (done.returncode, done.stdout) == (2, b""), done.stderr
    assert b"Traceback" not in done.stderr
    return done.stderr.decode()


@pytest.mark.parametrize("path", ["../../escaped", "n/../../escaped", "/tmp/escaped"])
def test_an_archive_that_reaches_outside_is_refused(path: str, tmp_path: Path, space: Path) -> None:
    file = archived(tmp_path / "a.tar.gz", RELEASE, (path, b"x"))
    assert f"{path!r}, which is no path below a folder" in refused(file, space)
    assert not list(tmp_path.parent.glob("escaped"))


@pytest.mark.parametrize("data", [b"", b"no archive at all", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", os.urandom(4096)])
def test_a_file_that_is_no_archive_is_refused(data: bytes, tmp_path: Path, space: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(data)
    assert "wanted a bundle" in refused(tmp_path / "a.tar.gz", space)


def test_a_pipe_is_not_waited_for(tmp_path: Path, space: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a folder nor a file" in refused(tmp_path / "pipe", space)


def test_links_of_an_archive_are_not_followed_and_nothing_of_it_is_left_behind(tmp_path: Path, space: Path) -> None:
    (tmp_path / "outside").write_text("ID=evil\n")
    links = (("n/etc", str(tmp_path)), ("n/usr/lib/os-release", str(tmp_path / "outside")))
    done = opening(archived(tmp_path / "a.tar.gz", *links, RELEASE), space)
    assert (done.returncode, json.loads(done.stdout)["node"]["os"]["id"]) == (3, "cos")


def test_an_archive_that_would_fill_a_disk_is_refused(tmp_path: Path, space: Path) -> None:
    entry = tarfile.TarInfo("n/bomb")
    entry.size = archive.MOST_BYTES + 1
    (tmp_path / "a.tar").write_bytes(entry.tobuf())
    assert "more than 2147483648 bytes" in refused(tmp_path / "a.tar", space)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_who_is_stopped_leaves_nothing_behind(number: int, tmp_path: Path, space: Path) -> None:
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        entry = tarfile.TarInfo("n/x")
        entry.size = archive.MOST_BYTES - 1
        file.write(entry.tobuf())
        for _ in range(300):
            file.write(b"\0" * 1_000_000)
    command = [*NODEDIAG, "report", "--root", str(tmp_path / "a.tar.gz")]
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(space)}, stderr=subprocess.PIPE) as process:
        while not list(space.glob("*/n/x")) and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (-number, b"")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_tar_is_opened_however_it_is_packed(mode: str, tmp_path: Path) -> None:
    folder = archive.unpacked(str(archived(tmp_path / "a", RELEASE, mode=mode)))
    assert held(folder) == {RELEASE[0]: RELEASE[1]}
    archive.remove(folder)


@pytest.mark.parametrize("kind", [*LINKS, *OTHERS])
def test_only_files_are_taken_so_no_link_or_device_leads_anywhere(kind: bytes, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("ID=evil\n")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("n/etc", "n/etc/os-release", "n/proc"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, str(tmp_path / "outside" if name.endswith("release") else tmp_path)
            tar.addfile(entry)
        entry = tarfile.TarInfo("n/etc/outside")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"mine"))
    folder = archive.unpacked(str(tmp_path / "a.tar"))
    taken = held(folder)
    assert taken.pop("n/etc/outside", b"mine") == b"mine"
    assert set(taken.values()) <= {b""}  # a file of a kind that is not used any more is one without content
    assert (tmp_path / "outside").read_text() == "ID=evil\n"
    archive.remove(folder)


def test_of_two_files_at_one_path_the_first_counts(tmp_path: Path) -> None:
    folder = archive.unpacked(str(archived(tmp_path / "a", RELEASE, (RELEASE[0], b"ID=evil\n"), ("n/etc", b"x"))))
    assert held(folder) == {RELEASE[0]: RELEASE[1]}
    archive.remove(folder)


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path, space: Path) -> None:
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        for number in range(archive.MOST_FILES + 1):
            entry = tarfile.TarInfo(f"n/{number % 3}")
            entry.type = tarfile.DIRTYPE
            file.write(entry.tobuf())
    assert f"it holds more than {archive.MOST_FILES} files" in refused(tmp_path / "a.tar.gz", space)


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_unpacks_to_more_than_memory_is_refused(kind: bytes, tmp_path: Path, space: Path) -> None:
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        entry = tarfile.TarInfo("n/x")
        entry.type, entry.size = kind, MANY
        file.write(entry.tobuf(tarfile.GNU_FORMAT))
        for _ in range(MANY // 1_000_000):
            file.write(b"\0" * 1_000_000)
    assert (tmp_path / "a.tar.gz").stat().st_size < MANY // 100
    assert "a header of 400000000 bytes" in refused(tmp_path / "a.tar.gz", space)


def test_a_map_of_holes_without_end_is_not_read(tmp_path: Path, space: Path) -> None:
    old = tarfile.TarInfo("n/holes")
    old.type = tarfile.GNUTYPE_SPARSE
    new = tarfile.TarInfo("n/holes")
    new.size = MANY
    new.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1"}
    for name, header in (("old", old.tobuf(tarfile.GNU_FORMAT)), ("new", new.tobuf(tarfile.PAX_FORMAT))):
        with gzip.open(tmp_path / name, "wb", compresslevel=1) as file:
            file.write(header + b"%d\n" % MANY)
            for _ in range(MANY // 1_000_000):
                file.write(b"1\n" * 500_000)
        assert "it holds a file with holes" in refused(tmp_path / name, space)


def test_an_unpacker_takes_no_more_memory_than_it_may(tmp_path: Path, space: Path) -> None:
    tar = io.BytesIO()
    tarfile.open(fileobj=tar, mode="w").close()
    packed = bytearray(lzma.compress(tar.getvalue()))
    header = packed[12 : 12 + 4 * (packed[12] + 1)]  # of the one block, see the .xz file format, 3.1
    assert header[2:4] == b"\x21\x01"  # LZMA2, and one byte that says how large its dictionary is
    header[4] = 40  # 4 GiB
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    packed[12 : 12 + len(header)] = header
    (tmp_path / "a.tar.xz").write_bytes(packed)
    assert "takes more than 536870912 bytes of memory" in refused(tmp_path / "a.tar.xz", space)


@pytest.mark.parametrize("name", ["n/" + "d/" * 100 + "x", "n/" + "x" * 300, "n/../b", "n//../b", ".."])
def test_a_path_is_a_path_of_the_archive_s_own_or_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which is no path below a folder"):
        archive.unpacked(str(archived(tmp_path / "a", (name, b"x"))))


def test_a_path_may_hold_what_a_node_s_may(tmp_path: Path) -> None:
    folder = archive.unpacked(str(archived(tmp_path / "a", ("./n/a\\b c\n", b"x"))))
    assert held(folder) == {"n/a\\b c\n": b"x"}
    archive.remove(folder)
