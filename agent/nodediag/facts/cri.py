"""What the kubelet's container runtime says of itself by the CRI: is it ready, is its network, what can it do."""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.runtime_sockets import RuntimeSockets, SocketState
from nodediag.host.answer import CriAnswer
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.model.evidence import CriEvidence
from nodediag.model.reason import Code, Reason

DEFAULT: Final = "/run/containerd/containerd.sock"  # where a kubelet finds containerd that was told no endpoint


class CriStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered at a path, or `refused`: what a server said that offers no CRI."""

    path: str
    answer: CriAnswer | msgspec.UnsetType = msgspec.UNSET
    refused: str = ""

    def evidence(self, name: str, text: str) -> CriEvidence:
        """Quote what was answered."""
        return CriEvidence(path=self.path, name=name, text=text[:EVIDENCE_CAP])


def derive(host: Host, sockets: RuntimeSockets) -> CriStatus:
    """Ask where somebody answers; raises ReadError where nobody does, or we cannot."""
    path = sockets.endpoint or DEFAULT
    if path in sockets.unseen:
        raise ReadError(path, sockets.unseen[path])
    one = sockets.at(path)
    if one is None:
        raise ReadError(path, Reason(code=Code.ABSENT, detail=f"there is no socket {path}", needs=path))
    if one.state is not SocketState.ANSWERS:
        raise ReadError(path, Reason(code=Code.CRASHED, detail=one.says, needs="a runtime that answers"))
    try:
        return CriStatus(path=path, answer=msgspec.structs.replace(host.cri(path), masked=msgspec.UNSET))
    except ReadError as error:
        if error.reason.code is Code.UNSUPPORTED:
            return CriStatus(path=path, refused=error.reason.detail)
        raise
