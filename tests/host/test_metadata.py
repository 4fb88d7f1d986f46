"""The metadata server: what is asked, what is believed, and that nothing waits for it."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Final, Protocol

import msgspec
import pytest

from nodediag.facts.fact import Known, Unknown
from nodediag.facts.metadata import KEYS
from nodediag.facts.snapshot import Facts
from nodediag.host import metadata
from nodediag.host.answer import Failure, MetadataAnswer
from nodediag.host.ask import Metadata
from nodediag.host.live import LiveSource
from nodediag.host.sacrifice import Sacrifice
from nodediag.model.reason import Code
from nodediag.model.report import Report

IMAGE: Final = "instance/image"
VALUES: Final = {IMAGE: b"projects/gke-node-images/global/images/x\n", "instance/id": b"42"}


class Answers(BaseHTTPRequestHandler):
    """Answers as a metadata server does; a test says otherwise by a handler of its own."""

    asked: ClassVar[list[tuple[str, dict[str, str]]]]
    wrong: ClassVar[tuple["Wrong", ...]]

    def do_GET(self) -> None:
        self.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        if any(wrong(self) for wrong in self.wrong):
            return
        value = VALUES.get(self.path.removeprefix("/computeMetadata/v1/"))
        self.tell(404 if value is None else 200, value or b"not here", {"Metadata-Flavor": "Google"})

    def tell(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, text in (*headers.items(), ("Content-Length", str(len(body)))):
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has
        pass


Wrong = Callable[[Answers], bool]


class Server:
    """A running server, and what it was asked."""

    def __init__(self, *wrong: "Wrong") -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        handler = type("Handler", (Answers,), {"asked": self.asked, "wrong": wrong})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Serve(Protocol):
    def __call__(self, *wrong: "Wrong") -> Server: ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[Server] = []

    def served(*wrong: Wrong) -> Server:
        running.append(Server(*wrong))
        return running[-1]

    yield served
    for server in running:
        server.close()


def test_values_are_told_and_what_is_not_there_is_refused_by_name(serve: Serve) -> None:
    server = serve()
    answer = metadata.fetch((IMAGE, "instance/id", "instance/zone"), server.address)
    assert isinstance(answer, MetadataAnswer)
    assert answer.values == {IMAGE: "projects/gke-node-images/global/images/x", "instance/id": "42"}
    assert {key: reason.code for key, reason in answer.refused.items()} == {"instance/zone": Code.ABSENT}
    assert all(headers["metadata-flavor"] == "Google" for _, headers in server.asked)


def test_kube_env_and_tokens_are_never_asked_for() -> None:
    assert not [key for key in KEYS if "kube-env" in key or "token" in key or key.endswith("/")]


def test_who_does_not_say_that_it_is_a_metadata_server_is_not_believed(serve: Serve) -> None:
    def plain(request: Answers) -> bool:
        request.tell(200, b"projects/p/global/images/i", {})
        return True

    answer = metadata.fetch((IMAGE,), serve(plain).address)
    assert isinstance(answer, Failure)
    assert answer.reason.code is Code.WRONG_KIND
    assert "Metadata-Flavor" in answer.reason.detail


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    other = serve()

    def elsewhere(request: Answers) -> bool:
        request.tell(
            302, b"", {"Metadata-Flavor": "Google", "Location": f"http://{other.address}/computeMetadata/v1/x"}
        )
        return True

    answer = metadata.fetch((IMAGE,), serve(elsewhere).address)
    assert isinstance(answer, MetadataAnswer)
    assert answer.refused[IMAGE].code is Code.UNSUPPORTED
    assert other.asked == []


@pytest.mark.parametrize(
    ("status", "size", "code"),
    [(403, 9, Code.NOT_PERMITTED), (200, 70_000, Code.TOO_LARGE), (799, 9, Code.UNSUPPORTED)],
)
def test_what_the_server_will_not_tell_is_not_known(serve: Serve, status: int, size: int, code: Code) -> None:
    def refuses(request: Answers) -> bool:
        request.tell(status, b"x" * size, {"Metadata-Flavor": "Google"})
        return True

    answer = metadata.fetch((IMAGE,), serve(refuses).address)
    assert isinstance(answer, MetadataAnswer)
    assert (answer.values, answer.refused[IMAGE].code) == ({}, code)


def test_where_nobody_listens_that_is_said() -> None:
    answer = metadata.fetch((IMAGE,), "127.0.0.1:1")
    assert isinstance(answer, Failure)
    assert answer.reason.code is Code.NOT_PERMITTED


@pytest.mark.parametrize(
    "server", ["no such host.invalid", "127.0.0.1:x", "[", "127.0.0.1:99999", "a\r\nb: c", "\udcff"]
)
def test_a_server_that_is_none_is_a_failure(server: str) -> None:
    assert isinstance(metadata.fetch((IMAGE,), server), Failure)


def test_a_server_that_does_not_answer_is_given_up(serve: Serve) -> None:
    over = threading.Event()

    def hangs(request: Answers) -> bool:
        del request
        return over.wait(30)

    server = serve(hangs)
    answer = metadata.fetch((IMAGE, "instance/id"), server.address)
    over.set()
    assert isinstance(answer, Failure)
    assert answer.reason.code is Code.TIMED_OUT
    assert len(server.asked) == 1


def test_one_that_answers_drop_by_drop_costs_a_child(serve: Serve) -> None:
    over = threading.Event()

    def drips(request: Answers) -> bool:
        request.wfile.write(b"HTTP/1.0 200 OK\r\n")
        while not over.wait(0.1):
            try:
                request.wfile.write(b"X")
            except OSError:
                break
        return True

    server = serve(drips)
    children = Sacrifice(lambda _hand_over: LiveSource("/"), budget_s=30, patience_s=1.5)
    try:
        answer = children.answer(Metadata((IMAGE,), server.address))
    finally:
        over.set()
        children.close()
    assert isinstance(answer, Failure)
    assert answer.reason.code is Code.TIMED_OUT


def report(folder: Path, *arguments: str, server: str) -> Report[Facts]:
    """Run a report of this machine without its logs; a proxy that it must not ask is nowhere."""
    environment = {**os.environ, "GCE_METADATA_HOST": server, "http_proxy": "http://127.0.0.1:1", "no_proxy": ""}
    command = [sys.executable, "-I", "-m", "nodediag", "report", "--no-logs", "--fail-on", "never", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=Report[Facts])


def test_the_server_that_the_environment_names_is_asked_and_a_recording_tells_it_again(
    serve: Serve, tmp_path: Path
) -> None:
    server = serve()
    live = report(tmp_path, "--record", "kept", server=server.address)
    assert isinstance(live.facts.metadata, Known)
    assert live.facts.metadata.value.instance_id == "42"
    assert {path for path, _ in server.asked} == {f"/computeMetadata/v1/{key}" for key in KEYS}
    asked = len(server.asked)
    again = report(tmp_path, "--root", "kept", server=server.address)
    assert len(server.asked) == asked
    assert (live.facts, live.node, live.checks) == (again.facts, again.node, again.checks)


def test_without_metadata_nobody_is_asked_and_a_recording_says_so_too(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    live = report(tmp_path, "--no-metadata", "--record", "kept", server=server.address)
    again = report(tmp_path, "--root", "kept", server=server.address)
    assert server.asked == []
    assert live.facts == again.facts
    assert why(live) is Code.NOT_ASKED


def test_a_folder_is_not_this_machine(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    (tmp_path / "node/etc").mkdir(parents=True)
    assert why(report(tmp_path, "--root", "node", server=server.address)) is Code.NOT_CAPTURED
    assert server.asked == []


def why(found: Report[Facts]) -> Code:
    assert isinstance(found.facts.metadata, Unknown)
    return found.facts.metadata.reason.code
