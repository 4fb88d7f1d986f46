"""A small TCP server inside an event loop: few connections, short questions, little patience, no thread."""

import socket
from collections.abc import Callable
from time import monotonic
from typing import Final

from nodediag.errors import UsageError
from nodediag.host.events import Events

_MOST_CONNECTIONS: Final = 16
_MOST_QUESTION_BYTES: Final = 8192
_PATIENCE_S: Final = 5.0
_BACKLOG: Final = 16
_READ_BYTES: Final = 4096
_WRITE_BYTES: Final = 1 << 16

Answer = Callable[[bytes], bytes | None]


class Listener:
    """Answers each connection once, and closes it. `answer` gives None as long as a question is not whole."""

    def __init__(self, option: str, host: str, port: int, events: Events, answer: Answer) -> None:
        self._events = events
        self._answer = answer
        self._connections: dict[int, _Connection] = {}
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(_BACKLOG)
        except OSError as error:
            self._socket.close()
            raise UsageError(f"{option} {host}:{port}: {error.strerror or error}") from error
        events.when_read(self._socket.fileno(), self._accept)

    @property
    def address(self) -> str:
        """Give where it listens."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _accept(self) -> None:
        try:
            channel, _ = self._socket.accept()
        except OSError:  # it has gone again, or there are no descriptors left: those we hold end soon
            self.expire(monotonic())
            return
        channel.settimeout(0)
        if len(self._connections) >= _MOST_CONNECTIONS:  # the oldest has had its chance
            self._close(next(iter(self._connections)))
        connection = _Connection(channel)
        self._connections[connection.fd] = connection
        self._events.when_read(connection.fd, lambda: self._read(connection))

    def _read(self, connection: "_Connection") -> None:
        try:
            data = connection.channel.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        connection.asked += data
        answer = self._answer(connection.asked) if data else b""
        if answer is None and len(connection.asked) > _MOST_QUESTION_BYTES:
            answer = b""
        if answer is None:
            return
        if not answer:
            self._close(connection.fd)
            return
        connection.left = memoryview(answer)
        self._events.when_read(connection.fd, None)
        self._events.when_written(connection.fd, lambda: self._write(connection))

    def _write(self, connection: "_Connection") -> None:
        try:
            connection.left = connection.left[connection.channel.send(connection.left[:_WRITE_BYTES]) :]
        except BlockingIOError:
            return
        except OSError:
            connection.left = memoryview(b"")
        if not connection.left:
            self._close(connection.fd)

    def _close(self, fd: int) -> None:
        self._events.when_read(fd, None)
        self._events.when_written(fd, None)
        self._connections.pop(fd).channel.close()

    def expire(self, now: float) -> float | None:
        """Close the connections that have taken too long, and give when the next one will have."""
        for connection in list(self._connections.values()):
            if now >= connection.until:
                self._close(connection.fd)
        return min((connection.until for connection in self._connections.values()), default=None)


class _Connection:
    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.fd = channel.fileno()
        self.until = monotonic() + _PATIENCE_S
        self.asked = b""
        self.left = memoryview(b"")


def ask(host: str, port: int, question: bytes, timeout_s: float) -> bytes:
    """Ask such a server once, and give its whole answer; raises OSError."""
    until = monotonic() + timeout_s
    answer = b""
    with socket.create_connection((host, port), timeout=timeout_s) as channel:
        channel.sendall(question)
        while piece := channel.recv(_READ_BYTES):
            answer += piece
            if len(answer) > _WRITE_BYTES or monotonic() > until:
                break
    return answer
