"""The kubelet's healthz: asked at loopback alone, within a deadline, whatever answers there."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from nodediag.host import healthz
from nodediag.host.answer import Failure, HealthzAnswer, HealthzOutcome
from nodediag.host.ask import Healthz
from nodediag.host.host import Host, Seen
from nodediag.host.live import LiveSource
from nodediag.host.recording import Recorder
from nodediag.host.tree import TreeSource
from nodediag.model.reason import Code
from nodediag.model.report import Origin

HERE = "127.0.0.1"
Serve = Callable[[bytes, float], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer one request with some bytes, after some seconds; the port is given."""
    with socket.socket() as listening, suppress(OSError):
        listening.bind((HERE, 0))
        listening.listen(1)
        threads: list[Thread] = []

        def answer(said: bytes, pause_s: float) -> None:
            with suppress(OSError):
                taken, _ = listening.accept()
                with taken:
                    taken.recv(4096)
                    for at in range(0, max(len(said), 1), 1 << 14):
                        time.sleep(pause_s)
                        taken.sendall(said[at : at + (1 << 14)])

        def started(said: bytes, pause_s: float = 0.0) -> int:
            threads.append(Thread(target=answer, args=(said, pause_s)))
            threads[-1].start()
            return int(listening.getsockname()[1])

        yield started
        listening.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("said", "status", "text"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok"),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n[-]syncloop failed\n", 500, "[-]syncloop failed"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", 302, ""),
        (b"HTTP/1.0 200 \r\n", 200, ""),
        (b"HTTP/1.0 500 x\r\n\r\n--token=hunter22hunter22 \xff\x1b", 500, "--token=[redacted] \\xff\x1b"),
        (b"HTTP/1.0 500 x\r\n\r\n" + b"y" * 1_000_000, 500, "y" * 1000),
    ],
)
def test_what_is_answered_is_told_and_cut(said: bytes, status: int, text: str, serve: Serve) -> None:
    found = healthz.ask(HERE, serve(said, 0.0))
    masked = {"flag": 1} if "[redacted]" in text else msgspec.UNSET
    assert found == HealthzAnswer(outcome=HealthzOutcome.ANSWERED, status=status, text=text, masked=masked)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.0 2x0\r\n", b"\x15\x03\x01"])
def test_what_is_no_http_is_nobody_s_word(said: bytes, serve: Serve) -> None:
    found = healthz.ask(HERE, serve(said, 0.0))
    assert isinstance(found, Failure)
    assert found.reason.code is Code.WRONG_KIND


@pytest.mark.parametrize("said", [b"", b"HTTP/1.0 200 OK\r\n\r\nok", b"x" * (1 << 20)])
def test_what_is_late_is_told_as_late(said: bytes, serve: Serve) -> None:
    found = healthz.ask(HERE, serve(said, 0.3), deadline_s=0.1)
    assert found == HealthzAnswer(outcome=HealthzOutcome.TIMED_OUT)


def test_where_nobody_listens_the_answer_says_so() -> None:
    with socket.socket() as bound:
        bound.bind((HERE, 0))
        port = int(bound.getsockname()[1])
        assert healthz.ask(HERE, port) == HealthzAnswer(outcome=HealthzOutcome.REFUSED)


@pytest.mark.parametrize("address", ["192.0.2.1", "localhost", "169.254.169.254", ""])
def test_no_other_address_is_asked(address: str) -> None:
    found = healthz.ask(address, 10248)
    assert isinstance(found, Failure)
    assert found.reason.code is Code.UNSUPPORTED


def test_an_answer_is_recorded_and_a_folder_has_none(serve: Serve, tmp_path: Path) -> None:
    recorder = Recorder(LiveSource("/"))
    port = serve(b"HTTP/1.0 200 OK\r\n\r\nok", 0.0)
    assert Host(recorder, Seen(origin=Origin.LIVE, root="/", uid=0)).healthz(HERE, port).text == "ok"
    again = recorder.answer(Healthz(HERE, port))
    assert msgspec.json.decode(msgspec.json.encode(again), type=HealthzAnswer | Failure) == again
    folder = TreeSource(LiveSource(str(tmp_path))).answer(Healthz(HERE, port))
    assert isinstance(folder, Failure)
    assert folder.reason.code is Code.NOT_CAPTURED
