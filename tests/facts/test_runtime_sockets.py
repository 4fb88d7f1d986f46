"""Which runtimes answer at their sockets."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ReadError
from nodediag.facts.kubelet import EndpointFrom, Kubelet
from nodediag.facts.runtime_sockets import SocketState, derive, path_of
from nodediag.host.answer import Connected, Failure
from nodediag.model.image import RuntimeName
from nodediag.model.reason import Code, Reason
from tests.sockets import Socket

if TYPE_CHECKING:
    from tests.conftest import MakeHost

CONTAINERD = "/run/containerd/containerd.sock"


def kubelet(endpoint: str) -> Kubelet:
    return Kubelet(running=True, endpoint=endpoint, endpoint_from=EndpointFrom.FLAG)


def failed(code: Code) -> Failure:
    return Failure(Reason(code=code, detail="why"))


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Connected(http2=True), SocketState.ANSWERS),
        (Connected(http2=False), SocketState.FOREIGN),
        (failed(Code.ABSENT), SocketState.REFUSES),
        (failed(Code.TIMED_OUT), SocketState.HANGS),
        (failed(Code.CRASHED), SocketState.CLOSES),
    ],
)
def test_what_comes_of_knocking_is_told(host: "MakeHost", reply: Connected | Failure, state: SocketState) -> None:
    seen = derive(host({CONTAINERD: Socket(reply)}), None)
    (one,) = seen.sockets
    assert (one.path, one.runtime, one.state, one.evidence.type) == (
        CONTAINERD, RuntimeName.CONTAINERD, state, "socket",
    )  # fmt: skip
    assert bool(one.says) is (state is not SocketState.ANSWERS)


def test_a_file_in_the_place_of_a_socket_is_told(host: "MakeHost") -> None:
    seen = derive(host({CONTAINERD: "text"}), None)
    assert [one.state for one in seen.sockets] == [SocketState.NO_SOCKET]


def test_the_kubelets_own_endpoint_is_looked_at_wherever_it_is(host: "MakeHost") -> None:
    seen = derive(host({"/run/x.sock": Socket(), CONTAINERD: Socket()}), kubelet("unix:///var/run/x.sock"))
    assert seen.endpoint == "/run/x.sock"
    one = seen.at("/run/x.sock")
    assert one is not None
    assert one.runtime is RuntimeName.UNKNOWN
    assert seen.at(CONTAINERD) is not None


def test_what_is_refused_is_not_absent(host: "MakeHost") -> None:
    seen = derive(host({CONTAINERD: Socket(failed(Code.NOT_PERMITTED))}), None)
    assert seen.sockets == ()
    assert seen.unseen[CONTAINERD].code is Code.NOT_PERMITTED
    with pytest.raises(ReadError):
        derive(host({}, missing=Code.NOT_CAPTURED), kubelet(f"unix://{CONTAINERD}"))


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        (f"unix://{CONTAINERD}", CONTAINERD),
        (CONTAINERD, CONTAINERD),
        ("unix:///var/run/dockershim.sock", "/run/dockershim.sock"),
        ("npipe:////./pipe/containerd-containerd", ""),
        ("tcp://localhost:3735", ""),
        ("", ""),
    ],
)
def test_an_endpoint_is_a_path_where_it_is_a_unix_socket(endpoint: str, path: str) -> None:
    assert path_of(endpoint) == path
