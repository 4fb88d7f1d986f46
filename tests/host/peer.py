"""A D-Bus peer in a thread: what stands at the other end of systemd's sockets in a test, of jeepney's own parts."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from jeepney import HeaderFields, Message, new_error, new_method_return
from jeepney.low_level import Parser

Answer: TypeAlias = tuple[str, object]  # a signature and what is returned
PATIENCE_S: Final = 10


class Talk(Protocol):
    """What a peer does with a connection."""

    def __call__(self, channel: socket.socket) -> None: ...


class Systemd:
    """Answers calls by their member, properties by `object.name`, and keeps what it was asked."""

    def __init__(self, answers: dict[str, Answer], *, bus: bool) -> None:
        self._answers = answers
        self._bus = bus
        self.asked: list[str] = []

    def __call__(self, channel: socket.socket) -> None:
        said = b""
        while b"BEGIN\r\n" not in said:  # calls may come with it
            data = channel.recv(4096)
            if not data:
                return
            said += data
            if said.count(b"\r\n") == 1:
                channel.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
        parser = Parser()
        serial = 0
        data = said.partition(b"BEGIN\r\n")[2] or channel.recv(65536)
        while data:
            for message in parser.feed(data):
                serial += 1
                channel.sendall(self._answer(message).serialise(serial))
            data = channel.recv(65536)

    def _answer(self, message: Message) -> Message:
        fields = message.header.fields
        member, path = fields[HeaderFields.member], fields[HeaderFields.path]
        assert (HeaderFields.destination in fields) is self._bus, "a destination is for a bus"
        if member == "Hello":
            assert self._bus, "Hello is for a bus"
            return new_method_return(message, "s", (":1.7",))
        name = member
        if member == "Get":
            name = f"{path.rpartition('/')[2]}.{message.body[1]}"
        self.asked.append(name)
        if name not in self._answers:
            return new_error(message, "org.freedesktop.DBus.Error.UnknownProperty")
        signature, value = self._answers[name]
        return new_method_return(message, "v" if member == "Get" else signature, (value,))


@contextlib.contextmanager
def served(path: Path, talk: Talk) -> Iterator[None]:
    """Serve a socket until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    channel, _ = listening.accept()
                except OSError:
                    return
                with channel, contextlib.suppress(OSError):
                    channel.settimeout(PATIENCE_S)
                    if not done.is_set():
                        talk(channel)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)
    path.unlink()
    assert not thread.is_alive()
