"""The CRI, asked of servers made of gRPC, and of a real containerd."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Final

import pytest

from nodediag.host import cri
from nodediag.host.answer import Connected, CriAnswer, Failure
from nodediag.host.answer_parts import RuntimeCondition, RuntimeHandler
from nodediag.host.ask import Connect, Cri
from nodediag.host.live import LiveSource
from nodediag.host.recording import Recorder
from nodediag.host.redacting import RedactingSource
from nodediag.host.sacrifice import Sacrifice
from nodediag.model.reason import Code

grpc = pytest.importorskip("grpc", reason="needs the extra cri")

PATH: Final = "/r.sock"
# As protobuf's encoding has it: tag = number * 8 + 2 for what has a length, number * 8 for a number.
VERSION: Final = b"\x0a\x050.1.0\x12\x0acontainerd\x1a\x052.0.6\x22\x02v1"
HANDLER: Final = b"\x1a\x0c\x0a\x04runc\x12\x04\x08\x01\x10\x01"
Answers = dict[str, bytes]
Serve = Callable[[Answers], str]


def condition(name: bytes, *, status: bool, reason: bytes = b"", message: bytes = b"") -> bytes:
    fields = b"\x0a" + bytes([len(name)]) + name + (b"\x10\x01" if status else b"")
    fields += b"\x1a" + bytes([len(reason)]) + reason + b"\x22" + bytes([len(message)]) + message
    return b"\x0a" + bytes([len(fields)]) + fields


def status(*conditions: bytes) -> bytes:
    body = b"".join(conditions)
    return b"\x0a" + bytes([len(body)]) + body + HANDLER


READY: Final = status(condition(b"RuntimeReady", status=True), condition(b"NetworkReady", status=True))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve methods by their path; what is not there is not implemented."""
    servers = []

    def served(answers: Answers) -> str:
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))

        def service(_: object, details):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - grpc has no types
            found = answers.get(details.method)
            return found if found is None else grpc.unary_unary_rpc_method_handler(lambda *_: found)

        handler = type("Handler", (grpc.GenericRpcHandler,), {"service": service})
        server.add_generic_rpc_handlers((handler(),))
        server.add_insecure_port(f"unix:{tmp_path}{PATH}")
        server.start()
        servers.append(server)
        return str(tmp_path)

    yield served
    for server in servers:
        server.stop(0).wait()


def ask(root: str) -> object:
    return RedactingSource(LiveSource(root, cri_budget_s=2)).answer(Cri(PATH))


def test_a_runtime_tells_its_version_conditions_handlers_and_driver(serve: Serve) -> None:
    service = "/runtime.v1.RuntimeService"
    bad = condition(b"NetworkReady", status=False, reason=b"NetworkPluginNotReady", message=b"password=hunter2hunter2")
    answers = {
        f"{service}/Version": VERSION,
        f"{service}/Status": status(condition(b"RuntimeReady", status=True), bad),
        f"{service}/RuntimeConfig": b"\x0a\x02\x08\x01",
    }
    assert ask(serve(answers)) == CriAnswer(
        api="v1",
        name="containerd",
        version="2.0.6",
        conditions=(
            RuntimeCondition("RuntimeReady", status=True, reason="", message=""),
            RuntimeCondition("NetworkReady", False, "NetworkPluginNotReady", "password=[redacted]"),  # noqa: FBT003
        ),
        handlers=(RuntimeHandler("runc", recursive_read_only_mounts=True, user_namespaces=True),),
        cgroup_driver="cgroupfs",
        masked={"assignment": 1},
    )


def test_an_old_runtime_is_asked_by_the_older_version(serve: Serve) -> None:
    service = "/runtime.v1alpha2.RuntimeService"
    reply = ask(serve({f"{service}/Version": VERSION, f"{service}/Status": READY}))
    assert isinstance(reply, CriAnswer)
    assert (reply.api, reply.version, reply.cgroup_driver) == ("v1alpha2", "2.0.6", "")


def test_a_server_without_the_cri_says_so(serve: Serve) -> None:
    reply = ask(serve({}))
    assert isinstance(reply, Failure)
    assert reply.reason.code is Code.UNSUPPORTED


def test_what_is_no_answer_is_a_failure(serve: Serve) -> None:
    service = "/runtime.v1.RuntimeService"
    reply = ask(serve({f"{service}/Version": b"\xff\xff\xff", f"{service}/Status": READY}))
    assert isinstance(reply, Failure)


def test_nobody_there_is_told_within_the_deadline(tmp_path: Path) -> None:
    reply = ask(str(tmp_path))
    assert isinstance(reply, Failure)
    assert reply.reason.code is Code.ABSENT
    (tmp_path / PATH[1:]).write_text("")
    reply = ask(str(tmp_path))
    assert isinstance(reply, Failure)
    assert reply.reason.code in {Code.CRASHED, Code.TIMED_OUT}


def test_without_grpc_it_is_not_asked_and_says_how_to_get_it(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['grpc'] = None; sys.path[:0] = ['agent']"
    code = f"{hide}\nfrom nodediag.host import cri\nprint(cri.ask(0, '/s', 1).reason.needs)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert "pip install 'nodediag[cri]'" in done.stdout, done.stderr
    assert cri.MISSING.code is Code.NOT_ASKED
    del tmp_path


@pytest.fixture
def containerd(tmp_path: Path) -> Iterator[Path]:
    """Run a containerd of its own, without a CNI configuration; gives the folder of its socket."""
    program = shutil.which("containerd")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs containerd, and root to run it")
    config = tmp_path / "config.toml"
    config.write_text(
        f'version = 2\nroot = "{tmp_path}/root"\nstate = "{tmp_path}/state"\n[grpc]\n  address = "{tmp_path}{PATH}"\n'
        f'[plugins."io.containerd.grpc.v1.cri".cni]\n  conf_dir = "{tmp_path}/net.d"\n'
    )
    process = subprocess.Popen([program, "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not isinstance(LiveSource(str(tmp_path)).answer(Cri(PATH)), CriAnswer):
            if process.poll() is not None or time.monotonic() > until:
                pytest.skip("containerd does not run here")
            time.sleep(0.2)
        yield tmp_path
    finally:
        process.terminate()
        process.wait(30)
        subprocess.run(["umount", "--recursive", "--lazy", tmp_path / "root"], capture_output=True, check=False)


@pytest.mark.root
def test_a_real_containerd_is_ready_and_has_no_network(containerd: Path) -> None:
    children = Sacrifice(lambda _: LiveSource(str(containerd)), budget_s=60)
    recorder = Recorder(children)
    try:
        assert children.answer(Connect(PATH)) == Connected(http2=True)
        reply = recorder.answer(Cri(PATH))
    finally:
        children.close()
    assert isinstance(reply, CriAnswer)
    assert reply.name == "containerd"
    told = {one.type: (one.status, one.reason) for one in reply.conditions}
    assert told["RuntimeReady"][0]
    assert told["NetworkReady"] == (False, "NetworkPluginNotReady")
