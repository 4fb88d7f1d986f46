"""A fact is known or it is not; when not, it says why. There is no third way: never None, never 0 for "no idea"."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec

from nodediag.errors import NodediagError, ParseError, ReadError
from nodediag.host.answer import Sharing
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.reason import Code, Reason

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Known(msgspec.Struct, Generic[T], frozen=True, tag_field="state", tag="known"):
    """A fact we have."""

    value: T


class Unknown(msgspec.Struct, frozen=True, tag_field="state", tag="unknown"):
    """A fact we lack, and why."""

    reason: Reason


Fact: TypeAlias = Known[T] | Unknown

NOT_COLLECTED = Unknown(Reason(code=Code.NOT_ASKED, detail="this run did not ask for it"))


class NotKnownError(NodediagError):
    """Raised by `need`; it ends a check as unknown."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.detail)
        self.reason = reason


class Collector(Protocol[T_co]):
    """A module of this room: what it collects, and the namespace on which the answer depends, if it does on one."""

    @property
    def NAMESPACE(self) -> Namespace | None:  # noqa: N802 - a module's constant
        """The namespace."""

    def collect(self, host: Host) -> T_co:
        """Read it; raises ReadError or ParseError."""


def need(fact: Fact[T]) -> T:
    """Give a fact's value, or end the check that asks as unknown."""
    match fact:
        case Known(value):
            return value
        case Unknown(reason):
            raise NotKnownError(reason)


def known(fact: Fact[T]) -> T | None:
    """Give a fact's value where there is one, for evidence that may speak but need not."""
    return fact.value if isinstance(fact, Known) else None


def attempt(collector: Collector[T], host: Host, elsewhere: Reason | None) -> Fact[T]:
    """Collect one fact; `elsewhere` is there when what we see is a container's own view and not the node."""
    kind = collector.NAMESPACE
    if kind is not None and elsewhere is not None:
        return Unknown(elsewhere)

    def collected() -> T:
        if kind is not None and kind not in {Namespace.MOUNT, Namespace.PID}:
            _must_share(host, kind)
        return collector.collect(host)

    return settle(collected)


def settle(work: Callable[[], T]) -> Fact[T]:
    """Give what some work comes to as a fact: known, or unknown for the reason it failed."""
    try:
        return Known(work())
    except (ReadError, ParseError) as error:
        return Unknown(error.reason)


def _must_share(host: Host, kind: Namespace) -> None:
    sharing = host.namespaces().sharing.get(kind, Sharing.UNKNOWN)
    if sharing is not Sharing.SAME:
        told = "is not that of" if sharing is Sharing.OTHER else "cannot be compared with that of"
        detail = f"our {kind} namespace {told} the node's PID 1"
        reason = Reason(code=Code.OTHER_NAMESPACE, detail=detail, needs="to run on the node itself, as root")
        raise ReadError(f"/proc/1/ns/{kind}", reason)
