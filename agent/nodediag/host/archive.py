"""A bundle or sosreport as one file, unpacked into a folder of our own: nothing of it reaches outside or fills a disk.

Only files and folders are taken. A link, device or pipe stands for nothing that a diagnosis reads, and is left out.
What tarfile and its unpackers hold in memory is bounded too: a header, a map of holes and a dictionary are as long as
they say they are.
"""

import os
import resource
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from lzma import LZMAError
from typing import IO, Final, Self
from zlib import error as ZlibError  # noqa: N812 - a class, whatever its name

from nodediag.errors import UsageError
from nodediag.host import own
from nodediag.host.recording import fits

MOST_FILES: Final = 100_000
MOST_BYTES: Final = 2 * 1024 * 1024 * 1024
_PIECE_BYTES: Final = 1024 * 1024
_MOST_HEADER_BYTES: Final = 1024 * 1024
_MOST_MEMORY_BYTES: Final = 512 * 1024 * 1024
_READ_WHOLE: Final = {
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
}  # fmt: skip
BROKEN: Final = (tarfile.TarError, LZMAError, ZlibError, EOFError)
_WANTED: Final = "a bundle of `nodediag bundle` or a sosreport: a tar, plain or packed with gzip, xz or bzip2"


def unpacked(path: str) -> str:
    """Unpack an archive and give the folder, which its caller removes; raises UsageError for one that is not safe."""
    folder = tempfile.mkdtemp(prefix="nodediag-")
    try:
        with _opened(path) as file, opened(file) as archive:
            _unpack(archive, folder)
    except BROKEN as error:
        remove(folder)
        raise UsageError(f"--root {path}: {str(error) or 'it ends too early'}; wanted {_WANTED}") from error
    except MemoryError as error:
        remove(folder)
        raise UsageError(f"--root {path}: to unpack it takes more than {_MOST_MEMORY_BYTES} bytes of memory") from error
    except OSError as error:
        remove(folder)
        raise UsageError(f"--root {path}: {error.strerror or error}") from error
    except _UnsafeError as error:
        remove(folder)
        raise UsageError(f"--root {path}: {error}") from error
    except BaseException:
        remove(folder)
        raise
    return folder


@contextmanager
def opened(file: IO[bytes]) -> Iterator[tarfile.TarFile]:
    """Open a tar, however it is packed, to be read once from its beginning; raises one of BROKEN, or MemoryError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = _held_bytes() + _MOST_MEMORY_BYTES
    low = most if soft == resource.RLIM_INFINITY else min(soft, most)
    resource.setrlimit(resource.RLIMIT_DATA, (low, hard))
    try:
        with tarfile.open(fileobj=file, mode="r|*", tarinfo=_Entry) as archive:
            yield archive
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _held_bytes() -> int:
    """Give what the process holds already of what RLIMIT_DATA counts, see proc_pid_statm(5); 0 where it is not told."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[5]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0


class _Entry(tarfile.TarInfo):
    """An entry whose header is of bounded length, without a map of holes, which nothing bounds."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Refuse what tarfile would read whole, however long it is."""
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in _READ_WHOLE and entry.size > _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"it holds a header of {entry.size} bytes")
        return entry

    def _proc_sparse(self, *_: object) -> Self:
        """Refuse holes; the methods of tarfile that have this name and the next read their map, in either format."""
        raise tarfile.ReadError("it holds a file with holes, which no bundle has")

    _proc_gnusparse_10 = _proc_sparse


def top(folder: str) -> str:
    """Give the folder in which all of an archive lies."""
    names = os.listdir(folder)
    only = os.path.join(folder, names[0]) if len(names) == 1 else folder
    return only if os.path.isdir(only) else folder


def remove(folder: str) -> None:
    """Remove what was unpacked."""
    shutil.rmtree(folder, ignore_errors=True)


class _UnsafeError(Exception):
    """What an archive must not hold."""


def _opened(path: str) -> IO[bytes]:
    """Open a regular file; a pipe without a writer is not waited for."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _UnsafeError(f"neither a folder nor a file; wanted {_WANTED}")
    return open(fd, "rb")


def _unpack(archive: tarfile.TarFile, folder: str) -> None:
    left_bytes = MOST_BYTES
    for number, member in enumerate(archive, 1):
        if number > MOST_FILES:
            raise _UnsafeError(f"it holds more than {MOST_FILES} files")
        name = member.name.removeprefix("./").rstrip("/")
        if not (member.isreg() or member.isdir()) or name in {"", "."}:
            continue
        if not fits(f"/{name}"):
            raise _UnsafeError(f"it holds {name[:200]!r}, which is no path below a folder")
        left_bytes -= member.size if member.isreg() else 0
        if left_bytes < 0:
            raise _UnsafeError(f"unpacked it takes more than {MOST_BYTES} bytes")
        source = archive.extractfile(member) if member.isreg() else None
        if source is not None:
            with suppress(FileExistsError, NotADirectoryError):  # one path twice: the first counts
                own.write_pieces(folder, name, iter(partial(source.read, _PIECE_BYTES), b""))
