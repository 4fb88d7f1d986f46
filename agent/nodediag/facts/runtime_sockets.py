"""The sockets of container runtimes: which are there, and whether anybody answers.

The kubelet talks to the one at its endpoint; the others tell what else runs, or ran.
"""

from enum import StrEnum
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.kubelet import Kubelet
from nodediag.host.answer import PathType
from nodediag.host.host import Host
from nodediag.model.evidence import PathEvidence
from nodediag.model.image import RuntimeName
from nodediag.model.reason import Code, Reason

PLACES: Final = {
    "/run/containerd/containerd.sock": RuntimeName.CONTAINERD,
    "/run/crio/crio.sock": RuntimeName.CRI_O,
    "/run/cri-dockerd.sock": RuntimeName.DOCKER,
    "/run/dockershim.sock": RuntimeName.DOCKER,
    "/run/k3s/containerd/containerd.sock": RuntimeName.CONTAINERD,
}
_UNIX: Final = "unix://"


class SocketState(StrEnum):
    """What came of knocking: `refuses` where nobody listens, `foreign` where something else than gRPC is spoken."""

    ANSWERS = "answers"
    REFUSES = "refuses"
    HANGS = "hangs"
    CLOSES = "closes"
    FOREIGN = "foreign"
    NO_SOCKET = "no_socket"


_BY_CODE: Final = {
    Code.ABSENT: SocketState.REFUSES, Code.TIMED_OUT: SocketState.HANGS, Code.CRASHED: SocketState.CLOSES,
    Code.WRONG_KIND: SocketState.NO_SOCKET,
}  # fmt: skip


class RuntimeSocket(msgspec.Struct, frozen=True, kw_only=True):
    """A socket that is there; `says` is what went wrong, empty where it answers."""

    path: str
    runtime: RuntimeName
    state: SocketState
    says: str = ""
    evidence: PathEvidence


class RuntimeSockets(msgspec.Struct, frozen=True, kw_only=True):
    """Those that are there, `endpoint` the path of the kubelet's own where it is told, `unseen` why others may be."""

    sockets: tuple[RuntimeSocket, ...]
    endpoint: str = ""
    unseen: dict[str, Reason] = {}

    def at(self, path: str) -> RuntimeSocket | None:
        """Give the socket at a path."""
        return next((one for one in self.sockets if one.path == path), None)


def derive(host: Host, kubelet: Kubelet | None) -> RuntimeSockets:
    """Knock at each; raises ReadError where none can be looked for."""
    endpoint = path_of(kubelet.endpoint) if kubelet is not None else ""
    found: list[RuntimeSocket] = []
    unseen: dict[str, Reason] = {}
    places = {**PLACES, endpoint: PLACES.get(endpoint, RuntimeName.UNKNOWN)} if endpoint else PLACES
    for path, runtime in places.items():
        try:
            if (one := _knocked(host, path, runtime)) is not None:
                found.append(one)
        except ReadError as error:
            unseen[path] = error.reason
    if len(unseen) == len(places):
        path, reason = next(iter(unseen.items()))
        raise ReadError(path, reason)
    return RuntimeSockets(sockets=tuple(found), endpoint=endpoint, unseen=unseen)


def path_of(endpoint: str) -> str:
    """Give the path of an endpoint as the kubelet names it, in one spelling; empty for what is no unix socket."""
    path = endpoint.removeprefix(_UNIX)
    return path.replace("/var/run/", "/run/", 1) if path.startswith("/") else ""


def _knocked(host: Host, path: str, runtime: RuntimeName) -> RuntimeSocket | None:
    stood = host.absent(host.stat, path)
    if stood is None:
        return None
    evidence = PathEvidence(path=path, type=stood.kind.value, mode=stood.mode)
    says, state = "", SocketState.ANSWERS
    try:
        if stood.kind is not PathType.SOCKET:
            says, state = f"{path} is a {stood.kind}, no socket", SocketState.NO_SOCKET
        elif not host.connect(path).http2:
            says, state = f"{path}: what answers speaks no HTTP/2", SocketState.FOREIGN
    except ReadError as error:
        if error.reason.code not in _BY_CODE:
            raise
        says, state = error.reason.detail, _BY_CODE[error.reason.code]
    return RuntimeSocket(path=path, runtime=runtime, state=state, says=says, evidence=evidence)
