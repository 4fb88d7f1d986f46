"""What Compute Engine knows of an instance, from every kind of file that tells it."""

import contextlib
import json
from typing import Final

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError, UsageError
from nodediag.facts import instance_data
from nodediag.facts.inputs import File, encoded, kept, read
from nodediag.facts.instance_data import InstanceData
from nodediag.facts.metadata import Asking
from nodediag.model.evidence import InputEvidence

IMAGE: Final = "projects/gke-node-images/global/images/gke-1278-gke1067004-cos-105-17412-226-62-c-pre"
LABELS: Final = "cloud.google.com/gke-container-runtime=containerd,cloud.google.com/gke-os-distribution=cos"
NODE_LABELS: Final = {
    "cloud.google.com/gke-container-runtime": "containerd", "cloud.google.com/gke-os-distribution": "cos",
}  # fmt: skip
SECRET: Final = "c2VjcmV0LWtleS1vZi10aGUta3ViZWxldA"
KUBE_ENV: Final = f"""\
CA_CERT: {SECRET}
CONTAINER_RUNTIME_ENDPOINT: unix:///run/containerd/containerd.sock
EXTRA_DOCKER_OPTS: --insecure-registry 10.0.0.0/8
KUBELET_KEY: {SECRET}
KUBELET_VERSION: v1.31.4-gke.1256000
"""
PROPERTIES: Final = {
    "disks": [
        {"boot": False, "initializeParams": {"sourceImage": "projects/p/global/images/data"}},
        {"boot": True, "initializeParams": {"sourceImage": f"https://www.googleapis.com/compute/v1/{IMAGE}"}},
    ],
    "labels": {"goog-gke-node": ""},
    "metadata": {"items": [{"key": "kube-labels", "value": LABELS}, {"key": "cluster-name", "value": "c"}]},
}


def told(found: InstanceData) -> dict[str, object]:
    fields = ((name, getattr(found, name)) for name in InstanceData.__struct_fields__ if name != "evidence")
    return {name: value for name, value in fields if value}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (LABELS + "\n", {"labels": NODE_LABELS}),
        (json.dumps(NODE_LABELS), {"labels": NODE_LABELS}),
        (IMAGE, {"image": IMAGE}),
        (f"https://www.googleapis.com/compute/v1/{IMAGE}\n", {"image": IMAGE}),
        (
            "projects/1/regions/r/instanceTemplates/gke-c-default-pool-dee670f4",
            {"gke_marks": ("the name of the instance template",)},
        ),
        (
            json.dumps({"name": "gke-c-pool", "properties": PROPERTIES}),
            {
                "image": IMAGE, "name": "gke-c-pool", "labels": NODE_LABELS,
                "gke_marks": ("the label goog-gke-node", "the attribute cluster-name"),
            },
        ),
        (
            json.dumps([PROPERTIES]),
            {
                "image": IMAGE, "labels": NODE_LABELS,
                "gke_marks": ("the label goog-gke-node", "the attribute cluster-name"),
            },
        ),
        (
            json.dumps({
                "instance": {
                    "image": IMAGE, "id": 42, "name": "n", "zone": "projects/1/zones/z",
                    "attributes": {"kube-labels": LABELS, "kube-env": KUBE_ENV},
                },
                "project": {"projectId": "p"},
            }),
            {
                "image": IMAGE, "instance_id": "42", "zone": "z", "labels": NODE_LABELS,
                "gke_marks": ("the attribute kube-env",), "kubelet_version": "v1.31.4-gke.1256000",
                "runtime_endpoint": "unix:///run/containerd/containerd.sock",
            },
        ),
        (
            KUBE_ENV,
            {
                "kubelet_version": "v1.31.4-gke.1256000",
                "runtime_endpoint": "unix:///run/containerd/containerd.sock",
            },
        ),
        (
            '{"config": {"imageType": "COS_CONTAINERD"}, "version": "1.27.8-gke.1067004"}',
            {
                "image_type": "cos_containerd", "kubelet_version": "1.27.8-gke.1067004",
                "gke_marks": ("the node pool",),
            },
        ),
    ],
)  # fmt: skip
def test_every_kind_of_file_tells_what_it_holds(text: str, wanted: dict[str, object]) -> None:
    found = instance_data.read("f", text)
    assert told(found) == wanted
    assert set(found.evidence) == set(wanted)
    assert all(isinstance(one, InputEvidence) and one.path == "f" for one in found.evidence.values())
    assert SECRET not in encoded_text(text)


def encoded_text(text: str) -> str:
    given = read(node=None, name="", instance=(File("f", text),), versions=None, metadata=Asking())
    return encoded(given).decode()


def test_of_several_files_each_brings_its_own_and_the_first_counts() -> None:
    files = (File("a", IMAGE), File("b", LABELS), File("c", IMAGE.replace("105", "113")))
    found = read(node=None, name="", instance=files, versions=None, metadata=Asking()).instance
    assert isinstance(found, InstanceData)
    assert told(found) == {"image": IMAGE, "labels": NODE_LABELS}
    assert [getattr(found.evidence[name], "path", "") for name in ("image", "labels")] == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "[{}, {}]", "{", "words", "a=b c=d", "kind: Node\n", '{"disks": 1}',
        '{"metadata": {"items": 1}}',
        '{"image": "projects/x"}', "projects/p/global/images/", '{"validImageTypes": ["COS"]}', "{" * 5000,
        "KUBELET_VERSION: &a [x]\nb: [" + "*a, " * 200 + "]",
    ],
)  # fmt: skip
def test_what_tells_nothing_of_an_instance_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="--instance f"):
        instance_data.read("f", text)


WORDS = st.sampled_from([
    "disks", "boot", "initializeParams", "sourceImage", "metadata", "items", "key", "value", "attributes", "kube-env",
    "kube-labels", "image", "config", "imageType", "properties", "instance", "labels", "zone", "KUBELET_VERSION",
    LABELS,    IMAGE, "\ud800", "cloud.google.com/x",
])  # fmt: skip
VALUES = st.recursive(
    st.one_of(WORDS, st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=20,
)


@given(text=st.one_of(VALUES.map(json.dumps), VALUES.map(lambda v: "#\n" + json.dumps(v)), WORDS, st.text(max_size=40)))
def test_any_text_is_instance_data_that_can_be_written_or_is_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        found = read(node=None, name="", instance=(File("x", text),), versions=None, metadata=Asking())
        assert kept(encoded(found)) == found
