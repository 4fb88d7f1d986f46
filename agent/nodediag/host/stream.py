"""A long text that an option names, as it comes: a file, a pipe, or standard input."""

import os
import select
import sys
import time
from collections.abc import Iterator
from typing import Final

from nodediag.errors import UsageError

_CHUNK_BYTES: Final = 1 << 20
_LONGEST_S: Final = 3600.0  # poll(2) counts milliseconds in 31 bits


class SilentError(Exception):
    """Nothing more came in the time there was."""


def chunks(option: str, path: str, patience_s: float | None = None) -> Iterator[bytes]:
    """Read a file, or standard input for `-`; raises UsageError.

    Who writes into a pipe is waited for so long from now on, without `patience_s` for ever; raises SilentError. What is
    there already is read to its end.
    """
    until = None if patience_s is None else time.monotonic() + patience_s
    if path == "-" and sys.stdin is None:
        raise UsageError(f"{option} -: standard input is closed")
    try:
        fd = sys.stdin.fileno() if path == "-" else os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            while chunk := _next(fd, until):
                yield chunk
        finally:
            if path != "-":
                os.close(fd)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from error


def _next(fd: int, until: float | None) -> bytes:
    """Give what is there next, empty at the end; a pipe that nobody has opened yet to write into has not ended."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        left_s = _LONGEST_S if until is None else max(0.0, min(until - time.monotonic(), _LONGEST_S))
        if not poll.poll(left_s * 1000):
            if until is None or until > time.monotonic():
                continue
            raise SilentError
        try:
            return os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:  # another reader was faster
            continue
