"""The kernel's limits: threads and their ids, file handles, inotify, tracked connections."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import conntrack, file_handles, inotify, kernel, pids
from nodediag.facts.fact import Known
from nodediag.facts.kernel import Kernel
from nodediag.host.answer import Failure, NamespaceAnswer, Reply, Sharing
from nodediag.host.ask import Namespace, Namespaces
from nodediag.host.host import Host, Seen
from nodediag.model.evidence import UnameEvidence
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

if TYPE_CHECKING:
    from nodediag.host.ask import Ask
    from tests.conftest import MakeHost, MakeLines

STAT = "entries  clashres found\n000003e8  00000000 00000000\n000003e8  00000000 00000000\n"
SYSCTLS: dict[str, str] = {pids.THREADS_PATH: "63389\n", pids.PID_PATH: "4194304\n"}
TRACKED: dict[str, str] = {conntrack.MOST_PATH: "262144\n", conntrack.COUNT_PATH: "77\n"}


class Elsewhere:
    """A host whose namespaces are not those of PID 1."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def answer(self, ask: "Ask") -> Reply:
        if isinstance(ask, Namespaces):
            return NamespaceAnswer(dict.fromkeys(Namespace, Sharing.OTHER))
        return self._host._source.answer(ask)  # noqa: SLF001 - a test's own host

    def seen(self) -> Host:
        return Host(self, Seen(origin=Origin.POD, root="/host", uid=0))


def running(release: str) -> Known[Kernel]:
    evidence = UnameEvidence(text=release)
    return Known(
        Kernel(release=release, version="", machine="", taints=kernel.decode(0), taints_known=True, evidence=evidence)
    )


def test_threads_and_their_ids_are_limited(host: "MakeHost") -> None:
    found = pids.derive(host({**SYSCTLS}), running("6.18.0"))
    assert found.threads_max.most == 63389
    assert isinstance(found.pid_max, pids.Limit)
    assert found.pid_max.most == 4194304


@pytest.mark.parametrize(("release", "own"), [("6.6.97+", False), ("6.13.9", False), ("6.14.0", True), ("7.0", True)])
def test_from_6_14_on_pid_max_is_the_readers_own(host: "MakeHost", release: str, *, own: bool) -> None:
    found = pids.derive(Elsewhere(host({**SYSCTLS})).seen(), running(release))
    assert found.threads_max.most == 63389
    assert (found.pid_max is msgspec.UNSET) is own
    if own:
        assert isinstance(found.pid_max_reason, Reason)
        assert found.pid_max_reason.code is Code.OTHER_NAMESPACE


def test_a_pid_max_that_was_not_captured_leaves_the_other(host: "MakeHost") -> None:
    found = pids.derive(host({pids.THREADS_PATH: "9\n"}, missing=Code.NOT_CAPTURED), running("6.6"))
    assert found.threads_max.most == 9
    assert isinstance(found.pid_max_reason, Reason)
    assert found.pid_max_reason.code is Code.NOT_CAPTURED


def test_file_handles_and_inotify_are_read(host: "MakeHost") -> None:
    files = {file_handles.PATH: "4512\t0\t9223372036854775807\n"}
    files |= {f"{inotify.PATH}/max_user_instances": "128\n", f"{inotify.PATH}/max_user_watches": "65536\n"}
    handles = file_handles.collect(host({**files}))
    assert (handles.allocated, handles.most) == (4512, 1 << 53)
    limits = inotify.collect(host({**files}))
    assert (limits.instances.most, limits.watches.most) == (128, 65536)


@pytest.mark.parametrize("text", ["", "1 2", "a b c", "-1 0 9", "1 0 9 9"])
def test_other_words_are_no_file_handles(lines: "MakeLines", text: str) -> None:
    with pytest.raises(ParseError):
        file_handles.parse(lines(text or "x")[0])


def test_tracked_connections_are_those_of_pid_1_whoever_reads(host: "MakeHost") -> None:
    for node in (
        host({**TRACKED, conntrack.STAT_PATH: STAT}),
        Elsewhere(host({**TRACKED, conntrack.STAT_PATH: STAT})).seen(),
    ):
        found = conntrack.collect(node)
        assert (found.tracked, found.entries, found.most) == (True, 1000, 262144)


def test_where_the_statistics_are_missing_only_ones_own_count_is_taken_for_pid_1s(host: "MakeHost") -> None:
    assert conntrack.collect(host({**TRACKED})).entries == 77
    with pytest.raises(ReadError) as caught:
        conntrack.collect(Elsewhere(host({**TRACKED})).seen())
    assert caught.value.reason.code is Code.OTHER_NAMESPACE


def test_a_kernel_that_tracks_nothing_is_known_to(host: "MakeHost") -> None:
    assert not conntrack.collect(host({})).tracked
    with pytest.raises(ReadError):
        conntrack.collect(host({}, missing=Code.NOT_CAPTURED))
    refused = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))
    with pytest.raises(ReadError):
        conntrack.collect(host({**TRACKED, conntrack.STAT_PATH: refused}))


@pytest.mark.parametrize(
    "text", ["", "entries", "found\n000003e8", "entries\n", "entries\nxyz 1", "entries\n" + "f" * 17]
)
def test_other_statistics_are_refused(lines: "MakeLines", text: str) -> None:
    with pytest.raises(ParseError):
        conntrack.parse(lines(text))
