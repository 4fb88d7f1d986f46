"""Standard output as a place that may be full, blocked, closed or slow, and is waited for by nobody."""

import os
import select
from typing import Final

_PIECE_BYTES: Final = 4096  # PIPE_BUF: a pipe that can be written takes so much at once


class Outlet:
    """A descriptor that is written piece by piece, as far as it takes any without waiting."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, data: bytes) -> int:
        """Write as much as is taken now, and give how much that was; raises OSError for a full disk, a closed pipe."""
        written = 0
        while written < len(data) and self._poll.poll(0):
            try:
                written += os.write(self.fd, data[written : written + _PIECE_BYTES])
            except BlockingIOError:
                break
            except OSError:
                if written:  # what was taken counts; the next call meets the error again
                    break
                raise
        return written
