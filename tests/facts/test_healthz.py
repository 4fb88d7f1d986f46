"""Where the kubelet's healthz is asked, and where it is not."""

from typing import Protocol

import pytest

from nodediag.facts import kubelet
from nodediag.facts.fact import Fact, Known, Unknown, attempt, settle
from nodediag.facts.healthz import Collector, Healthz
from nodediag.host.answer import (
    Failure,
    HealthzAnswer,
    HealthzOutcome,
    NamespaceAnswer,
    Process,
    ProcessList,
    Reply,
    Sharing,
    SystemdAnswer,
    Target,
)
from nodediag.host.ask import Ask, Namespace, Namespaces, Processes, place
from nodediag.host.host import Host, Seen
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

OK = HealthzAnswer(outcome=HealthzOutcome.ANSWERED, status=200, text="ok")
Files = dict[str, str | bytes | Target | SystemdAnswer | HealthzAnswer | Failure]


class MakeHost(Protocol):
    def __call__(self, files: Files, *, processes: tuple[Process, ...] = ...) -> Host: ...


class Node:
    """A node whose kubelet has some flags, seen from some network namespace; it keeps what is asked."""

    def __init__(self, *flags: str, sharing: Sharing = Sharing.SAME) -> None:
        self.flags = flags
        self.sharing = sharing
        self.asked: list[str] = []

    def answer(self, ask: Ask) -> Reply:
        match ask:
            case Processes():
                return ProcessList((Process(9, 1, "kubelet", ("kubelet", *self.flags)),), complete=True)
            case Namespaces():
                return NamespaceAnswer(dict.fromkeys(Namespace, self.sharing))
            case _ if "healthz" in place(ask):
                self.asked.append(place(ask))
                return OK
            case _:
                return Failure(Reason(code=Code.ABSENT, detail="no"))


def seen(source: Node) -> Fact[Healthz]:
    node = Host(source, Seen(origin=Origin.LIVE, root="/", uid=0))
    return attempt(Collector(settle(lambda: kubelet.collect(node))), node, None)


@pytest.mark.parametrize(
    ("flags", "url"),
    [
        ((), "http://127.0.0.1:10248/healthz"),
        (("--healthz-port=5",), "http://127.0.0.1:5/healthz"),
        (("--healthz-bind-address=0.0.0.0",), "http://127.0.0.1:10248/healthz"),
        (("--healthz-bind-address=::",), "http://[::1]:10248/healthz"),
    ],
)
def test_it_is_asked_where_it_listens(flags: tuple[str, ...], url: str) -> None:
    assert seen(Node(*flags)) == Known(Healthz(url=url, outcome=HealthzOutcome.ANSWERED, status=200, text="ok"))


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (("--healthz-port=0",), Code.ABSENT),
        (("--healthz-port=x",), Code.UNPARSABLE),
        (("--healthz-port=99999",), Code.UNPARSABLE),
        (("--healthz-port=" + "9" * 5000,), Code.UNPARSABLE),
        (("--config=/gone",), Code.ABSENT),
    ],
)
def test_it_is_not_asked_where_it_does_not_listen_or_where_is_not_known(flags: tuple[str, ...], code: Code) -> None:
    node = Node(*flags)
    found = seen(node)
    assert isinstance(found, Unknown)
    assert (found.reason.code, node.asked) == (code, [])


@pytest.mark.parametrize("sharing", [Sharing.OTHER, Sharing.UNKNOWN])
def test_from_another_network_namespace_it_is_not_asked_and_what_is_needed_is_said(sharing: Sharing) -> None:
    node = Node(sharing=sharing)
    found = seen(node)
    assert isinstance(found, Unknown)
    assert (found.reason.code, bool(found.reason.needs), node.asked) == (Code.OTHER_NAMESPACE, True, [])


def test_without_a_kubelet_nobody_is_asked(host: MakeHost) -> None:
    node = host({})
    found = attempt(Collector(settle(lambda: kubelet.collect(node))), node, None)
    assert isinstance(found, Unknown)
    assert found.reason.code is Code.ABSENT
    lost = Unknown(Reason(code=Code.NOT_CAPTURED, detail="no"))
    assert attempt(Collector(lost), node, None) == lost
