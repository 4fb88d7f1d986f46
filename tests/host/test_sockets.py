"""Knocking at sockets: of servers that answer, hang, refuse, or speak another language."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nodediag.host.answer import Connected, Failure
from nodediag.host.ask import Connect
from nodediag.host.live import LiveSource
from nodediag.host.recording import Recorder, key
from nodediag.host.sacrifice import Sacrifice
from nodediag.host.tree import TreeSource
from nodediag.model.reason import Code

SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
PATH = "/run/s.sock"
Serve = Callable[[Callable[[socket.socket], None]], str]
SILENT = "import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); time.sleep(60)"


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve one connection at the socket of a root."""
    (tmp_path / "run").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    threads: list[threading.Thread] = []

    def served(work: Callable[[socket.socket], None]) -> str:
        listener.bind(str(tmp_path) + PATH)
        listener.listen(1)

        def answer() -> None:
            with suppress(OSError), listener.accept()[0] as channel:
                work(channel)

        threads.append(threading.Thread(target=answer, daemon=True))
        threads[-1].start()
        return str(tmp_path)

    yield served
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join(5)


def ask(root: str) -> object:
    return LiveSource(root, socket_budget_s=0.3).answer(Connect(PATH))


def code(root: str) -> Code:
    reply = ask(root)
    assert isinstance(reply, Failure)
    return reply.reason.code


def settles(channel: socket.socket) -> None:
    channel.sendall(SETTINGS)
    channel.recv(100)


def waits(held: threading.Event) -> None:
    held.wait(10)


def test_a_server_that_sends_its_settings_answers(serve: Serve) -> None:
    assert ask(serve(settles)) == Connected(http2=True)


def test_a_server_that_first_hears_the_preface_answers(serve: Serve) -> None:
    def polite(channel: socket.socket) -> None:
        if channel.recv(100).startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            channel.sendall(SETTINGS[:5])
            channel.sendall(SETTINGS[5:])

    assert ask(serve(polite)) == Connected(http2=True)


def test_another_language_is_told_from_it(serve: Serve) -> None:
    assert ask(serve(lambda channel: channel.sendall(b"HTTP/1.1 400 Bad Request\r\n"))) == Connected(http2=False)


def test_one_that_closes_without_a_word_is_told(serve: Serve) -> None:
    assert code(serve(lambda channel: channel.close())) is Code.CRASHED


def test_one_that_says_nothing_is_not_waited_for(serve: Serve) -> None:
    held = threading.Event()
    try:
        assert code(serve(lambda _: waits(held))) is Code.TIMED_OUT
    finally:
        held.set()


def test_a_socket_nobody_listens_at_and_a_path_without_one_are_absent(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert code(str(tmp_path)) is Code.ABSENT
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path) + PATH)
    assert code(str(tmp_path)) is Code.ABSENT
    (tmp_path / PATH[1:]).unlink()
    (tmp_path / PATH[1:]).write_text("a file")
    assert code(str(tmp_path)) is Code.WRONG_KIND


def test_a_link_out_of_the_root_leads_nowhere(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out.sock"
    (inside / "run").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(outside))
        other.listen(1)
        (inside / PATH[1:]).symlink_to(outside)
        assert code(str(inside)) is Code.ABSENT


def test_a_stopped_server_with_a_full_queue_is_bounded_in_the_child(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    path = str(tmp_path) + PATH
    server = subprocess.Popen([sys.executable, "-c", SILENT, path])
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    children = Sacrifice(lambda _: LiveSource(str(tmp_path), socket_budget_s=0.3), budget_s=10)
    try:
        while not Path(path).exists():
            os.sched_yield()
        server.send_signal(signal.SIGSTOP)
        for one in waiting:
            one.settimeout(0)
            with suppress(OSError):
                one.connect(path)
        for _ in range(2):  # the child lives on, and is asked again
            reply = children.answer(Connect(PATH))
            assert isinstance(reply, Failure)
            assert reply.reason.code in {Code.TIMED_OUT, Code.ABSENT}  # not yet listening, under load
    finally:
        children.close()
        for one in waiting:
            one.close()
        server.kill()
        server.wait(10)


def test_it_is_recorded_and_in_a_folder_was_not_captured(serve: Serve) -> None:
    root = serve(settles)
    recorder = Recorder(LiveSource(root))
    assert recorder.answer(Connect(PATH)) == Connected(http2=True)
    assert key(Connect(PATH)) == ("Connect", PATH)
    captured = TreeSource(LiveSource(root)).answer(Connect(PATH))
    assert isinstance(captured, Failure)
    assert captured.reason.code is Code.NOT_CAPTURED
