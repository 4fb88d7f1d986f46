"""A bundle or sosreport as one file, unpacked into a folder of our own: nothing of it reaches outside or fills a disk.

Only files and folders are taken. A link, device or pipe stands for nothing that a diagnosis reads, and is left out.
"""

import os
import shutil
import stat
import tarfile
import tempfile
from contextlib import suppress
from functools import partial
from lzma import LZMAError
from typing import IO, Final
from zlib import error as ZlibError  # noqa: N812 - a class, whatever its name

from nodediag.errors import UsageError
from nodediag.host import own
from nodediag.host.recording import fits

MOST_FILES: Final = 100_000
MOST_BYTES: Final = 2 * 1024 * 1024 * 1024
_PIECE_BYTES: Final = 1024 * 1024
_WANTED: Final = "a bundle of `nodediag bundle` or a sosreport: a tar, plain or packed with gzip, xz or bzip2"


def unpacked(path: str) -> str:
    """Unpack an archive and give the folder, which its caller removes; raises UsageError for one that is not safe."""
    folder = tempfile.mkdtemp(prefix="nodediag-")
    try:
        with _opened(path) as file, tarfile.open(fileobj=file, mode="r|*") as archive:
            _unpack(archive, folder)
    except (tarfile.TarError, LZMAError, ZlibError, EOFError) as error:
        remove(folder)
        raise UsageError(f"--root {path}: {str(error) or 'it ends too early'}; wanted {_WANTED}") from error
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
