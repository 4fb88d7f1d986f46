"""A long text that an option names, as it comes: a file, or standard input."""

import os
import sys
from collections.abc import Iterator
from typing import Final

from nodediag.errors import UsageError

_CHUNK_BYTES: Final = 1 << 20


def chunks(option: str, path: str) -> Iterator[bytes]:
    """Read a file, or standard input for `-`; raises UsageError."""
    try:
        if path == "-":
            while chunk := os.read(sys.stdin.fileno(), _CHUNK_BYTES):
                yield chunk
            return
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from error
