"""Nodes as kubectl shows them to people; each text has what it has, and no more is made of it."""

from typing import Final

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError, UsageError
from nodediag.facts import node_object, node_text
from nodediag.facts.node_object import NodeCondition, NodeObject
from nodediag.model.image import RuntimeName


def table(*rows: tuple[str, ...], indent: str = "") -> str:
    """Lay rows out as kubectl does, three blanks at least between two columns."""
    widths = [max(map(len, column)) + 3 for column in zip(*rows, strict=True)]
    padded = ("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{indent}{row}\n" for row in padded)


COS: Final = "Container-Optimized OS from Google"
WIDE: Final = table(
    (
        "NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "EXTERNAL-IP", "OS-IMAGE", "KERNEL-VERSION",
        "CONTAINER-RUNTIME",
    ),
    (
        "gke-a-1", "Ready,SchedulingDisabled", "<none>", "13m", "v1.19.8-gke.1600", "10.128.0.2", "<none>", COS,
        "5.4.89+", "docker://19.3.14",
    ),
    (
        "gke-a-2", "NotReady", "<none>", "13m", "v1.19.8-gke.1600", "10.128.0.4", "192.0.2.7", COS, "<unknown>",
        "docker://19.3.14",
    ),
)  # fmt: skip
NARROW: Final = table(
    ("NAME", "STATUS", "ROLES", "AGE", "VERSION", "LABELS"),
    ("gke-a-1", "Ready", "<none>", "3d", "v1.34.0-gke.1662000", "cloud.google.com/gke-os-distribution=cos,b="),
)
CONDITIONS: Final = table(
    ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"),
    ("----", "------", "-----------------", "------------------", "------", "-------"),
    (
        "KernelDeadlock", "False", "Tue, 29 Apr 2025 11:55:00 +0200", "Tue, 29 Apr 2025 09:01:00 +0000", "KernelHasNo",
        "kernel has no deadlock",
    ),
    ("Ready", "True", "Tue, 29 Apr 2025 09:59:00 +0000", "soon", "KubeletReady", "kubelet is posting  ready status"),
    indent="  ",
)  # fmt: skip
DESCRIBED: Final = f"""\
Name:               gke-a-1
Roles:              <none>
Labels:             beta.kubernetes.io/arch=amd64
                    cloud.google.com/gke-container-runtime=containerd
Annotations:        node.alpha.kubernetes.io/ttl: 0
CreationTimestamp:  Tue, 29 Apr 2025 09:00:00 +0000
Conditions:
{CONDITIONS}\
Addresses:
  InternalIP:  10.128.0.2
System Info:
  Machine ID:                 d0b199c102e0dac957d294f47cd52705
  Kernel Version:             6.6.72+
  OS Image:                   {COS}
  Operating System:           linux
  Container Runtime Version:  containerd://1.7.24
  Kubelet Version:            v1.32.2-gke.1182003
ProviderID:                   gce://p/z/gke-a-1
Events:
  Type    Reason   Age   From   Message
  Normal  OS Image:  1m    x      not this
"""


def read(text: str, name: str = "") -> NodeObject:
    return node_object.read("n.txt", text, name)


def test_a_table_tells_versions_and_whether_the_node_is_ready() -> None:
    one = read(WIDE, "gke-a-1")
    assert one.info == {
        "kubeletVersion": "v1.19.8-gke.1600", "osImage": "Container-Optimized OS from Google",
        "kernelVersion": "5.4.89+", "containerRuntimeVersion": "docker://19.3.14",
    }  # fmt: skip
    assert one.runtime == (RuntimeName.DOCKER, "19.3.14")
    assert one.conditions == (NodeCondition(type="Ready", status="True"),)
    other = read(WIDE, "gke-a-2")
    assert "kernelVersion" not in other.info
    assert other.conditions == (NodeCondition(type="Ready", status="False or Unknown"),)


def test_a_table_may_have_fewer_columns_and_labels() -> None:
    one = read(NARROW)
    assert (one.name, one.info) == ("gke-a-1", {"kubeletVersion": "v1.34.0-gke.1662000"})
    assert one.labels == {"cloud.google.com/gke-os-distribution": "cos", "b": ""}


def test_where_gaps_tell_no_columns_their_beginnings_do() -> None:
    gap = " " * len("<none>")
    empty = WIDE.replace(f"<none>{gap}  {COS}", f"{gap}{gap}  {COS}")
    assert empty != WIDE
    assert read(empty, "gke-a-1") == read(WIDE, "gke-a-1")


def test_of_several_one_must_be_named() -> None:
    for text in (WIDE, DESCRIBED + "\n\n" + DESCRIBED.replace("gke-a-1", "gke-a-2")):
        with pytest.raises(UsageError, match="gke-a-1, gke-a-2"):
            read(text)
        assert read(text, "gke-a-2").name == "gke-a-2"


def test_a_description_tells_what_the_object_does() -> None:
    assert read(DESCRIBED) == NodeObject(
        path="n.txt", name="gke-a-1", provider_id="gce://p/z/gke-a-1",
        labels={"beta.kubernetes.io/arch": "amd64", "cloud.google.com/gke-container-runtime": "containerd"},
        info={
            "machineID": "d0b199c102e0dac957d294f47cd52705", "kernelVersion": "6.6.72+", "operatingSystem": "linux",
            "osImage": "Container-Optimized OS from Google", "containerRuntimeVersion": "containerd://1.7.24",
            "kubeletVersion": "v1.32.2-gke.1182003",
        },
        conditions=(
            NodeCondition(
                type="KernelDeadlock", status="False", reason="KernelHasNo", message="kernel has no deadlock",
                heartbeat="2025-04-29T09:55:00Z", changed="2025-04-29T09:01:00Z",
            ),
            NodeCondition(
                type="Ready", status="True", reason="KubeletReady", message="kubelet is posting  ready status",
                heartbeat="2025-04-29T09:59:00Z",
            ),
        ),
    )  # fmt: skip


def test_an_excerpt_of_a_description_will_do() -> None:
    one = read(" Kernel version: 5.4.0-1033-gke\n OS image: Ubuntu 18.04.5 LTS\nkubelet version: v1.20.4-gke.2200\n")
    assert (one.name, one.info) == (
        "unknown",
        {"kernelVersion": "5.4.0-1033-gke", "osImage": "Ubuntu 18.04.5 LTS", "kubeletVersion": "v1.20.4-gke.2200"},
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello\n",
        "Operating System: linux\n",
        "NAME READY STATUS RESTARTS AGE\n",
        "Name: x\nKind: Pod\n",
        "NAME STATUS",
    ],
)
def test_another_text_is_no_node(text: str) -> None:
    with pytest.raises(ParseError, match="wanted a Node"):
        read(text)


@given(
    st.text(alphabet="NAME STUOs:\n\t-=,<>", max_size=200),
    st.sampled_from([WIDE, NARROW, DESCRIBED, ""]),
    st.integers(0, 900),
)
def test_any_text_is_a_list_of_nodes_or_none(noise: str, text: str, at: int) -> None:
    for node in node_text.nodes(text[:at] + noise + text[at:]) or ():
        assert isinstance(node, dict)
        assert node["kind"] == "Node"
