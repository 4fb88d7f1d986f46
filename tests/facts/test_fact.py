"""A fact is known or says why it is not."""

import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import (
    boot,
    cmdline,
    hostname,
    instance,
    kernel,
    kubelet,
    lsb_release,
    machine,
    mount_lists,
    mounts,
    os_release,
    packages,
    partition_lists,
    partitions,
    runtime,
)
from nodediag.facts.fact import NOT_COLLECTED, Collector, Known, NotKnownError, Unknown, attempt, known, need
from nodediag.host.answer import Failure, NamespaceAnswer, Reply, Sharing
from nodediag.host.ask import Ask, Namespace, Namespaces
from nodediag.host.host import Host, Seen
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

REASON = Reason(code=Code.ABSENT, detail="it is not there")
ELSEWHERE = Reason(code=Code.OTHER_NAMESPACE, detail="a container's")


class Sharer:
    """A node that tells only which namespaces are shared, or not even that."""

    def __init__(self, sharing: dict[Namespace, Sharing] | None) -> None:
        self._sharing = sharing

    def answer(self, ask: Ask) -> Reply:
        if isinstance(ask, Namespaces) and self._sharing is not None:
            return NamespaceAnswer(self._sharing)
        return Failure(REASON)


class Fixed:
    """A collector with a given answer."""

    def __init__(self, namespace: Namespace | None, answer: str | ReadError | ParseError = "value") -> None:
        self.NAMESPACE = namespace
        self._answer = answer

    def collect(self, host: Host) -> str:
        assert host.seen.root == "/t"
        if isinstance(self._answer, str):
            return self._answer
        raise self._answer


def node(sharing: dict[Namespace, Sharing] | None = None) -> Host:
    return Host(Sharer(sharing), Seen(origin=Origin.LIVE, root="/t", uid=0))


def test_a_known_fact_gives_its_value_and_an_unknown_one_ends_the_check() -> None:
    assert need(Known(0)) == 0
    assert known(Known("")) == ""
    assert known(Unknown(REASON)) is None
    with pytest.raises(NotKnownError) as caught:
        need(Unknown(REASON))
    assert caught.value.reason is REASON
    assert NOT_COLLECTED.reason.code is Code.NOT_ASKED


@pytest.mark.parametrize("error", [ReadError("/x", REASON), ParseError("/x:1", "text", "something else")])
def test_what_a_collector_raises_becomes_the_reason(error: ReadError | ParseError) -> None:
    assert attempt(Fixed(None, error), node(), None) == Unknown(error.reason)


@pytest.mark.parametrize("kind", [Namespace.MOUNT, Namespace.PID, Namespace.UTS, Namespace.NET])
def test_in_a_container_what_depends_on_a_namespace_is_not_asked(kind: Namespace) -> None:
    everywhere = dict.fromkeys(Namespace, Sharing.SAME)
    assert attempt(Fixed(kind), node(everywhere), ELSEWHERE) == Unknown(ELSEWHERE)
    assert attempt(Fixed(None), node(everywhere), ELSEWHERE) == Known("value")


@pytest.mark.parametrize(
    ("sharing", "code"),
    [
        ({Namespace.UTS: Sharing.SAME}, None),
        ({Namespace.UTS: Sharing.OTHER}, Code.OTHER_NAMESPACE),
        ({Namespace.UTS: Sharing.UNKNOWN}, Code.OTHER_NAMESPACE),
        ({Namespace.NET: Sharing.SAME}, Code.OTHER_NAMESPACE),
        (None, Code.ABSENT),
    ],
)
def test_what_the_kernel_answers_for_the_reader_must_be_shared(
    sharing: dict[Namespace, Sharing] | None, code: Code | None
) -> None:
    fact = attempt(Fixed(Namespace.UTS), node(sharing), None)
    assert (fact.reason.code if isinstance(fact, Unknown) else None) is code


@pytest.mark.parametrize("kind", [Namespace.MOUNT, Namespace.PID])
def test_mounts_and_processes_are_read_below_the_nodes_root_whatever_is_shared(kind: Namespace) -> None:
    assert attempt(Fixed(kind), node(None), None) == Known("value")


@pytest.mark.parametrize(
    ("collector", "kind"),
    [
        (boot, None), (cmdline, None), (kernel, None), (partitions, None), (partition_lists, None),
        (hostname, Namespace.UTS), (kubelet, Namespace.PID),
        (mounts, Namespace.MOUNT), (mount_lists, Namespace.MOUNT), (os_release, Namespace.MOUNT),
        (lsb_release, Namespace.MOUNT), (machine, Namespace.MOUNT), (instance, Namespace.MOUNT),
        (packages, Namespace.MOUNT), (runtime, Namespace.MOUNT),
    ],
)  # fmt: skip
def test_each_collector_names_the_namespace_its_answer_depends_on(
    collector: Collector[object], kind: Namespace | None
) -> None:
    assert collector.NAMESPACE is kind
