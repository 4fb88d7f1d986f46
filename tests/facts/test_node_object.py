"""The node's object, whatever kubectl or somebody's editor made of it."""

import contextlib
import json
from typing import Final

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError, UsageError
from nodediag.facts import node_object, plain
from nodediag.facts.inputs import File, Inputs, encoded, kept, read
from nodediag.facts.metadata import Asking
from nodediag.facts.node_object import NodeCondition, NodeObject
from nodediag.model.image import RuntimeName

YAML: Final = """\
apiVersion: v1
kind: Node
metadata:
  annotations:
    container.googleapis.com/instance_id: "235558051454394976"
  creationTimestamp: "2022-03-28T11:32:10Z"
  labels:
    kubernetes.io/os: linux
    cloud.google.com/gke-netd-ready: "true"
  name: node-a
spec:
  providerID: gce://p/z/node-a
status:
  conditions:
  - lastHeartbeatTime: "2022-05-06T09:36:51Z"
    lastTransitionTime: "2022-03-28T11:32:30Z"
    message: kubelet is posting ready status
    reason: KubeletReady
    status: "True"
    type: Ready
  nodeInfo:
    containerRuntimeVersion: containerd://1.4.8
    kubeletVersion: v1.21.9-gke.1002
    osImage: Container-Optimized OS from Google
"""
WANTED: Final = NodeObject(
    path="a.yaml", name="node-a", created="2022-03-28T11:32:10Z",
    labels={"kubernetes.io/os": "linux", "cloud.google.com/gke-netd-ready": "true"},
    instance_id="235558051454394976", provider_id="gce://p/z/node-a",
    info={
        "containerRuntimeVersion": "containerd://1.4.8", "kubeletVersion": "v1.21.9-gke.1002",
        "osImage": "Container-Optimized OS from Google",
    },
    conditions=(
        NodeCondition(
            type="Ready", status="True", reason="KubeletReady", message="kubelet is posting ready status",
            heartbeat="2022-05-06T09:36:51Z", changed="2022-03-28T11:32:30Z",
        ),
    ),
)  # fmt: skip


def as_json(name: str) -> str:
    loaded = plain.load(YAML.replace("node-a", name), "x")
    return json.dumps(loaded)


@pytest.mark.parametrize(
    "text",
    [
        YAML,
        as_json("node-a"),
        YAML.replace('"', ""),  # an editor took the quotes away: times, numbers and truths of their own kinds
        f'{{"kind": "List", "items": [{as_json("node-a")}]}}',
        "kind: List\nitems:\n- " + YAML.replace("\n", "\n  "),
    ],
    ids=["yaml", "json", "unquoted", "list", "yaml list"],
)
def test_an_object_is_read_in_every_form(text: str) -> None:
    assert node_object.read("a.yaml", text, "") == WANTED


def test_an_excerpt_of_its_status_will_do() -> None:
    found = node_object.read("x", "  nodeInfo:\n    osImage: Ubuntu 18.04.5 LTS\n", "")
    assert (found.name, found.info) == ("unknown", {"osImage": "Ubuntu 18.04.5 LTS"})


@pytest.mark.parametrize("shape", ['{{"items": [{}, {}]}}', "- {}\n- {}\n"])
def test_a_list_needs_a_name_and_the_named_one_is_taken(shape: str) -> None:
    text = shape.format(as_json("node-a"), as_json("node-b"))
    assert node_object.read("x", text, "node-b").name == "node-b"
    with pytest.raises(UsageError, match="name one with --node; there are node-a, node-b"):
        node_object.read("x", text, "")
    with pytest.raises(UsageError, match="there is no node 'node-c' in it"):
        node_object.read("x", text, "node-c")


def test_one_object_of_another_name_is_not_taken() -> None:
    with pytest.raises(UsageError, match="it holds the node 'node-a', not 'node-b'"):
        node_object.read("x", YAML, "node-b")


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "[1]", "null", "kind: Pod\nmetadata: {name: x}\n", '{"items": []}', '{"items": [1]}',
        '{"items": {}}', '{"kind": "Node"}', "{" * 5000, "[" * 100_000, '{"a":' * 100_000, "a: " + "[" * 500,
        "a: &a [x]\nb: [" + "*a, " * 200 + "]", "#" * (plain.YAML_CAP + 1), '{"items": [{"metadata": 1}]}',
        '{"metadata": {"name": "\\ud800"}}',
    ],
)  # fmt: skip
def test_what_is_no_node_is_refused(text: str) -> None:
    with pytest.raises((ParseError, UsageError)):
        node_object.read("x", text, "")


@pytest.mark.parametrize(
    ("told", "runtime"),
    [
        ("containerd://1.4.4+unknown", (RuntimeName.CONTAINERD, "1.4.4+unknown")),
        ("docker://Unknown", (RuntimeName.DOCKER, "Unknown")),
        ("cri-o://1.30.0", (RuntimeName.CRI_O, "1.30.0")),
        ("rkt://1", (RuntimeName.UNKNOWN, "1")),
        ("", (RuntimeName.UNKNOWN, "")),
    ],
)
def test_a_runtime_is_named_by_its_scheme(told: str, runtime: tuple[RuntimeName, str]) -> None:
    assert NodeObject(path="", name="", info={"containerRuntimeVersion": told}).runtime == runtime


def test_secrets_do_not_come_in() -> None:
    text = YAML.replace("kubelet is posting ready status", "--token=abcdefghijklmnop")
    (condition,) = node_object.read("x", text, "").conditions
    assert "abcdefghijklmnop" not in condition.message
    assert condition.message.startswith("--token=")


def test_what_is_refused_is_not_quoted() -> None:
    with pytest.raises(ParseError, match="in line 2") as caught:
        node_object.read("x", "key: c2VjcmV0\n  - a: c2VjcmV0: x\n", "")
    assert "c2VjcmV0" not in str(caught.value)


def test_a_recording_keeps_it() -> None:
    given = Inputs(node_object=WANTED)
    assert kept(encoded(given)) == given
    with pytest.raises(UsageError, match=r"inputs\.json"):
        kept(b'{"node_object": 1}')


WORDS = st.sampled_from([
    "kind", "Node", "List", "items", "metadata", "name", "labels", "status", "nodeInfo", "osImage", "conditions",
    "type",    "2022-05-06T09:36:51Z", "2022-05-06", "True", "0x1f", ".inf", "\ud800", "\x00", "a", "spec",
])  # fmt: skip
VALUES = st.recursive(
    st.one_of(WORDS, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=5)),
    max_leaves=20,
)
TEXTS = st.one_of(
    VALUES.map(json.dumps),
    VALUES.map(lambda value: json.dumps(value, indent=1, ensure_ascii=False)),
    VALUES.map(lambda value: "# yaml\n" + json.dumps(value)),
    VALUES.map(lambda value: json.dumps({"kind": "Node", "metadata": value, "status": value, "nodeInfo": value})),
    st.lists(st.sampled_from([*YAML.split("\n"), "  - ", "\t", ": ", "&a", "*a", "!!int x", "|", "'"])).map("\n".join),
    st.text(max_size=30),
)


@given(text=TEXTS)
def test_any_text_is_an_object_that_can_be_written_or_is_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        found = read(node=File("x", text), name="", instance=(), versions=None, metadata=Asking())
        assert kept(encoded(found)) == found
