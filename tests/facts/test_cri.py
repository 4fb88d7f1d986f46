"""What a runtime says of itself, as a fact."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ReadError
from nodediag.facts.cri import derive
from nodediag.facts.runtime_sockets import derive as sockets_of
from nodediag.host.answer import Connected, CriAnswer, Failure
from nodediag.model.reason import Code, Reason
from tests.sockets import READY, Socket

if TYPE_CHECKING:
    from tests.conftest import MakeHost

PATH = "/run/containerd/containerd.sock"


def failed(code: Code) -> Failure:
    return Failure(Reason(code=code, detail="unknown service"))


def test_the_answer_at_the_kubelets_socket_is_known(host: "MakeHost") -> None:
    node = host({PATH: Socket()})
    seen = derive(node, sockets_of(node, None))
    assert isinstance(seen.answer, CriAnswer)
    assert (seen.path, seen.answer, seen.refused) == (PATH, READY, "")


def test_a_server_without_the_cri_is_known_as_that(host: "MakeHost") -> None:
    node = host({PATH: Socket(cri=failed(Code.UNSUPPORTED))})
    assert derive(node, sockets_of(node, None)).refused == "unknown service"


@pytest.mark.parametrize("code", [Code.NOT_ASKED, Code.TIMED_OUT, Code.CRASHED, Code.NOT_PERMITTED])
def test_what_kept_us_from_asking_is_the_reason(host: "MakeHost", code: Code) -> None:
    node = host({PATH: Socket(cri=failed(code))})
    with pytest.raises(ReadError) as raised:
        derive(node, sockets_of(node, None))
    assert raised.value.reason.code is code


def test_a_socket_that_is_not_there_or_silent_is_not_asked(host: "MakeHost") -> None:
    with pytest.raises(ReadError, match="no socket"):
        derive(host({}), sockets_of(host({}), None))
    silent = host({PATH: Socket(failed(Code.TIMED_OUT))})
    with pytest.raises(ReadError, match="unknown service"):
        derive(silent, sockets_of(silent, None))
    foreign = host({PATH: Socket(Connected(http2=False))})
    with pytest.raises(ReadError, match="speaks no HTTP/2"):
        derive(foreign, sockets_of(foreign, None))


def test_that_we_have_no_client_is_no_blind_spot(host: "MakeHost") -> None:
    node = host({PATH: Socket(cri=failed(Code.NOT_ASKED))})
    with pytest.raises(ReadError):
        derive(node, sockets_of(node, None))
    assert node.blind_spots() == ()
