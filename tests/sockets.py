"""A socket on a node made of texts."""

from dataclasses import dataclass
from typing import Final

from nodediag.host.answer import Connected, CriAnswer, Failure
from nodediag.host.answer_parts import RuntimeCondition

HTTP2: Final = Connected(http2=True)
READY: Final = CriAnswer(
    api="v1",
    name="containerd",
    version="1.7.27",
    conditions=(
        RuntimeCondition(type="RuntimeReady", status=True, reason="", message=""),
        RuntimeCondition(type="NetworkReady", status=True, reason="", message=""),
    ),
)


@dataclass(frozen=True)
class Socket:
    """A socket, and what comes of knocking there."""

    reply: Connected | Failure = HTTP2
    cri: CriAnswer | Failure = READY
