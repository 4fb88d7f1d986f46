"""Sockets of the node at which a server must speak gRPC: whether anybody answers there.

That a connection is made says nothing of the server, since the kernel makes it; a server that lives answers the first
words of HTTP/2 with its settings, see RFC 9113, 3.4. Nothing is asked of it.
"""

import os
import socket
import stat
import time
from contextlib import suppress
from typing import Final

from nodediag.host.answer import Connected, Failure
from nodediag.model.reason import Code, Reason

_SETTINGS: Final = 4
_FRAME_HEADER_BYTES: Final = 9
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0))
_NEEDS: Final = "a server that answers"


def knock(fd: int, path: str, budget_s: float) -> Connected | Failure:
    """Say the first words at a socket, by a descriptor of its path; raises OSError where nobody listens."""
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return Failure(Reason(code=Code.WRONG_KIND, detail=f"{path} is no socket"))
    until = time.monotonic() + budget_s
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(budget_s)
        try:
            channel.connect(f"/proc/self/fd/{fd}")
            with suppress(BrokenPipeError):  # what it said before it closed counts
                channel.sendall(_PREFACE)
            said = _heard(channel, until)
        except BlockingIOError:
            return _late(path, "as many wait there as may")
        except TimeoutError:
            return _late(path, f"no answer within {budget_s:g} s")
        except ConnectionResetError:
            said = b""
    if not said:
        detail = f"{path}: the connection was closed without a word"
        return Failure(Reason(code=Code.CRASHED, detail=detail, needs=_NEEDS))
    return Connected(http2=len(said) >= _FRAME_HEADER_BYTES and said[3] == _SETTINGS)


def _heard(channel: socket.socket, until: float) -> bytes:
    said = b""
    while len(said) < _FRAME_HEADER_BYTES:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        channel.settimeout(left)
        more = channel.recv(_FRAME_HEADER_BYTES - len(said))
        if not more:
            break
        said += more
    return said


def _late(path: str, why: str) -> Failure:
    return Failure(Reason(code=Code.TIMED_OUT, detail=f"{path}: {why}", needs=_NEEDS))
