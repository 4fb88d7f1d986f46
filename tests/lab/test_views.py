"""From a toolbox and from a pod: the node is found there by itself, and the answer is the one given on the node."""

import json
from collections.abc import Iterator
from typing import Final

import pytest

from nodediag.model.image import ImageType
from nodediag.model.outcome import Verdict
from nodediag.model.reason import Code
from nodediag.model.report import Origin
from tests.lab.node import Node
from tests.lab.pod import DEBUG, HOST, Pod
from tests.lab.same import Json, blind, unexplained
from tests.lab.seen import Seen, seen
from tests.lab.toolbox import Toolbox

REPORT: Final = ("nodediag", "report", "--format", "json", "--profile")
IN_TOOLBOX: Final = ("/opt/nodediag/nodediag", *REPORT[1:], "/opt/nodediag/lab_cos.toml")
IN_POD: Final = (*REPORT, "/host/var/lib/toolbox/nodediag/lab_cos.toml")
# the limit belongs to a PID namespace; a process shows its program only to who may trace it, its cgroup from within one
NO_GRPC: Final = {"runtime.ready", "runtime.network-ready"}  # the folder that is made for nodes has no gRPC
FROM_NO_CONTAINER: Final = {*NO_GRPC, "software.stray-processes", "drift.runtime"}
NOT_FROM_A_POD: Final = {
    *FROM_NO_CONTAINER, "limits.pids", "runtime.shims",
    "network.filter-policy",  # told to those alone who may change it
}  # fmt: skip
NOT_WITHOUT_THE_NODES_NETWORK: Final = {*NOT_FROM_A_POD, "kubelet.healthz"}
ACCESS: Final = {"plain": HOST, "debug": (*DEBUG, *HOST), "privileged": ("--privileged", *DEBUG, *HOST)}
ELSEWHERE: Final = ("/media/root/", "/host/etc", "/host/proc", "/host/var")


def in_toolbox(toolbox: Toolbox, *more: str) -> Seen:
    return seen(toolbox.run(*IN_TOOLBOX, *more))


def in_pod(pod: Pod, *more: str, options: tuple[str, ...] = (*DEBUG, *HOST)) -> Seen:
    return seen(pod.run(*IN_POD, *more, options=options))


def test_the_toolbox_sees_the_node_and_not_itself(toolbox: Toolbox) -> None:
    assert "ID=debian" in toolbox.run("cat", "/etc/os-release").stdout
    one = in_toolbox(toolbox)
    assert (one.report.view.origin, one.report.view.root) == (Origin.TOOLBOX, "/media/root")
    assert one.report.node.image_type is ImageType.COS_CONTAINERD
    assert (set(one.unseen), one.counted) == (FROM_NO_CONTAINER, {})
    assert (one.report.verdict, one.status) == (Verdict.HEALTHY, 0)


def test_a_pod_sees_the_node_and_not_itself(pod: Pod) -> None:
    one = in_pod(pod)
    assert (one.report.view.origin, one.report.view.root) == (Origin.POD, "/host")
    assert one.report.node.image_type is ImageType.COS_CONTAINERD
    assert one.unseen.keys() <= NOT_FROM_A_POD
    assert one.counted == {}
    assert (one.report.verdict, one.status, one.stderr) == (Verdict.HEALTHY, 0, "")


@pytest.mark.parametrize("options", ACCESS.values(), ids=ACCESS)
def test_a_pod_needs_no_privilege_and_no_namespace_of_the_node(pod: Pod, options: tuple[str, ...]) -> None:
    one = in_pod(pod, options=options)
    assert one.unseen.keys() <= NOT_WITHOUT_THE_NODES_NETWORK
    assert one.counted == {}
    assert (one.report.view.origin, one.report.verdict) == (Origin.POD, Verdict.HEALTHY)


def test_a_pod_without_the_nodes_root_judges_nothing(pod: Pod) -> None:
    for options in ((), DEBUG):
        one = seen(pod.run("nodediag", "report", options=options))
        assert (one.report.verdict, one.status, one.counted) == (Verdict.UNKNOWN, 3, {})
        assert one.report.node.image_type is ImageType.UNKNOWN


def test_a_pid_namespace_on_the_node_is_not_taken_for_the_node(healthy: Node) -> None:
    apart = ("unshare", "--pid", "--fork", "--mount", "--mount-proc")
    one = seen(healthy.run(*apart, f"{healthy.program}/nodediag", "report", check=False))
    assert (one.report.verdict, one.status, one.counted) == (Verdict.UNKNOWN, 3, {})
    spot = one.report.view.blind_spots[0]
    assert (spot.what, spot.reason.code) == ("the node", Code.OTHER_NAMESPACE)
    assert "no init, in a PID namespace of its own" in spot.reason.detail


def test_paths_are_the_nodes_own_from_wherever_they_were_read(toolbox: Toolbox, pod: Pod) -> None:
    for one in (in_toolbox(toolbox), in_pod(pod)):
        told = json.loads(one.text)
        del told["view"]
        assert [text for text in texts(told) if any(prefix in text for prefix in ELSEWHERE)] == []


def test_the_answer_from_a_toolbox_is_the_one_given_on_the_node(cos: Node, toolbox: Toolbox) -> None:
    window = until_now(cos)
    here, there = cos.report(*window), in_toolbox(toolbox, *window)
    assert blind(there) - blind(here) == {"stray_processes"}
    assert unexplained(here, there) == []


def test_the_answer_from_a_pod_is_the_one_given_on_the_node(cos: Node, pod: Pod) -> None:
    window = until_now(cos)
    here, there = cos.report(*window), in_pod(pod, *window)
    assert blind(there) - blind(here) == {"hostname", "packet_filter", "shims", "stray_processes"}
    assert unexplained(here, there) == []


def until_now(node: Node) -> tuple[str, ...]:
    """Give a window that ends now, since a journal goes on while it is looked at."""
    return "--since", "2026-01-01", "--until", node.run("date", "--utc", "+%F %T").stdout.strip()


def texts(value: Json) -> Iterator[str]:
    """Give every text in a value."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value
