"""A folder of our own for what is kept from one run to the next: files written whole or not at all."""

import os
from contextlib import suppress
from typing import Final

from nodediag.errors import UsageError

_DRAFT: Final = ".draft-"
_CAP_BYTES: Final = 8 * 1024 * 1024


def prepare(option: str, folder: str) -> None:
    """Make the folder, for its owner only, unless it is there; raises UsageError."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{option} {folder}: {error.strerror}") from error


def read(folder: str, name: str) -> bytes | None:
    """Read a file of the folder; None where there is none. Raises OSError."""
    try:
        fd = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(fd, "rb") as file:
        return file.read(_CAP_BYTES)


def write(folder: str, name: str, data: bytes) -> None:
    """Write a file of the folder whole or not at all; raises OSError."""
    draft = f"{folder}/{_DRAFT}{name}"
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, f"{folder}/{name}")
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise


def names(folder: str) -> tuple[str, ...]:
    """Name the files of the folder that are whole, in order; raises OSError."""
    return tuple(sorted(name for name in os.listdir(folder) if not name.startswith(_DRAFT)))


def delete(folder: str, name: str) -> None:
    """Delete a file of the folder; raises OSError."""
    with suppress(FileNotFoundError):
        os.unlink(f"{folder}/{name}")
