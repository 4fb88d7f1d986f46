"""The kubelet's own word on its health: one request to this machine's loopback, within one short deadline.

HTTP/1.0 by hand: no proxy, no redirect, no keep-alive, and nothing of a client library to load. Any call here may
block; it runs in a child, see sacrifice.py.
"""

import re
import socket
import time
from typing import Final

import msgspec

from nodediag.host.answer import Failure, HealthzAnswer, HealthzOutcome, Reply
from nodediag.model.reason import Code, Reason
from nodediag.redact import counted, redact_text

DEADLINE_S: Final = 3.0
LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})
_CAP_BYTES: Final = 8 * 1024
_MOST_LETTERS: Final = 1000
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?\r?\n")
_REQUEST: Final = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def ask(address: str, port: int, *, deadline_s: float = DEADLINE_S) -> Reply:
    """Ask once; that nobody listens or answers is an answer, what is no HTTP is a failure."""
    if address not in LOOPBACK:
        detail = f"the kubelet's healthz listens at {address}, which is not asked: only loopback is"
        return Failure(Reason(code=Code.UNSUPPORTED, detail=detail))
    try:
        said = _talk(address, port, time.monotonic() + deadline_s)
    except TimeoutError:
        return HealthzAnswer(outcome=HealthzOutcome.TIMED_OUT)
    except (ConnectionRefusedError, ConnectionResetError):
        return HealthzAnswer(outcome=HealthzOutcome.REFUSED)
    head = _STATUS.match(said)
    if head is None:
        detail = f"what answers at port {port} of {address} is no HTTP server"
        return Failure(Reason(code=Code.WRONG_KIND, detail=detail))
    body = said.partition(b"\r\n\r\n")[2].decode("utf-8", "backslashreplace")
    counted()
    text = redact_text(body.strip())[:_MOST_LETTERS]
    masked = counted() or msgspec.UNSET
    return HealthzAnswer(outcome=HealthzOutcome.ANSWERED, status=int(head[1]), text=text, masked=masked)


def _talk(address: str, port: int, until: float) -> bytes:
    """Send the request, and give what comes until the other side ends; raises OSError, TimeoutError among them."""
    with socket.create_connection((address, port), timeout=_left(until)) as connection:
        connection.sendall(_REQUEST)
        said = b""
        while len(said) < _CAP_BYTES:
            connection.settimeout(_left(until))
            part = connection.recv(_CAP_BYTES)
            if not part:
                break
            said += part
        return said


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
