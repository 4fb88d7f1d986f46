"""Which image a node runs: what is said rests on evidence, and less evidence never makes another answer."""

from itertools import combinations
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.facts.fact import Known, Unknown
from nodediag.facts.instance import Instance
from nodediag.facts.kubelet import EndpointFrom, Kubelet
from nodediag.facts.packages import Package, Packages
from nodediag.facts.snapshot import Facts, collect
from nodediag.host.origin import open_host
from nodediag.images import gke, runtime
from nodediag.images.describe import describe
from nodediag.images.identify import identify
from nodediag.images.version import parse_version
from nodediag.model.evidence import FileEvidence, ProcessEvidence
from nodediag.model.image import Answer, Image, ImageType, OsFamily, RuntimeName
from nodediag.model.reason import Code, Reason

NODES: Final = Path(__file__).parent.parent / "nodes"
TRUTH: Final = {
    "gke-cos-containerd-1.34": ("cos", "yes", "yes", "containerd", "cos_containerd"),
    "gke-cos-containerd-2020-noexec-volumes": ("cos", "yes", "yes", "containerd", "cos_containerd"),
    "gke-cos-docker-2017-block-mounts": ("cos", "yes", "yes", "unknown", "unknown"),
    "gke-ubuntu-containerd-1.27": ("ubuntu", "yes", "yes", "containerd", "ubuntu_containerd"),
    "cos-gce-2025-tmp-overmounted": ("cos", "no", "unknown", "unknown", "none"),
    "ubuntu-charmed-kubernetes-2022": ("ubuntu", "no", "unknown", "unknown", "none"),
    "gke-pod-view-2022": ("unknown", "unknown", "unknown", "unknown", "unknown"),
}
SOURCES: Final = (
    "os_release", "lsb_release", "cmdline", "kernel", "hostname", "instance", "mounts", "partitions", "kubelet",
    "containerd_config", "packages",
)  # fmt: skip
GONE: Final = Unknown(Reason(code=Code.NOT_CAPTURED, detail="taken away"))
COMMAND: Final = ProcessEvidence(pid=7, name="kubelet", text="kubelet")


def facts_of(name: str) -> Facts:
    opened = open_host(str(NODES / name / "root"), budget_s=30)
    try:
        return collect(opened.host)
    finally:
        opened.close()


def answers(image: Image) -> tuple[str, ...]:
    values = (image.os_family, image.gke, image.gce, image.runtime, image.image_type)
    return tuple(value.value for value in values)


@pytest.fixture(params=sorted(TRUTH))
def node(request: pytest.FixtureRequest) -> tuple[Facts, tuple[str, ...]]:
    name: str = request.param
    return facts_of(name), TRUTH[name]


def test_a_node_is_what_it_is(node: tuple[Facts, tuple[str, ...]]) -> None:
    facts, truth = node
    assert answers(identify(facts)) == truth


def test_less_evidence_leaves_a_question_open_and_never_answers_it_otherwise(
    node: tuple[Facts, tuple[str, ...]],
) -> None:
    facts, truth = node
    for count in range(len(SOURCES) + 1):
        for taken in combinations(SOURCES, count):
            short = msgspec.structs.replace(facts, **dict.fromkeys(taken, GONE))
            image = identify(short)
            found = answers(image)
            assert all(one in {true, "unknown"} for one, true in zip(found, truth, strict=True)), (taken, found)
            assert not image.contradictions, taken


def test_what_stays_open_says_why_and_what_is_said_has_evidence(node: tuple[Facts, tuple[str, ...]]) -> None:
    facts, _ = node
    for taken in [(), *combinations(SOURCES, 1), SOURCES]:
        image = identify(msgspec.structs.replace(facts, **dict.fromkeys(taken, GONE)))
        fields = ("os_family", "gke", "gce", "runtime", "image_type")
        for field, answer in zip(fields, answers(image), strict=True):
            assert (field in image.open) == (answer == "unknown" or (field, answer) == ("runtime", "none")), field
            if field in {"os_family", "gke", "runtime"} and answer != "unknown":
                assert image.findings[field], field
        assert all(reason.detail for reason in image.open.values())


def test_a_description_has_no_empty_words(node: tuple[Facts, tuple[str, ...]]) -> None:
    facts, _ = node
    for taken in [(), *combinations(SOURCES, 1), SOURCES]:
        short = msgspec.structs.replace(facts, **dict.fromkeys(taken, GONE))
        told = msgspec.to_builtins(describe(short, identify(short)))
        told.pop("evidence")
        words = [word for value in told.values() for word in (value.values() if isinstance(value, dict) else [value])]
        assert all(isinstance(word, str) and word for word in words)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("v1.34.0-gke.1662000", (1, 34, 0, 1662000)),
        ("1.20.5-gke.100", (1, 20, 5, 100)),
        ("v1.24.3-gke.200", (1, 24, 3, 200)),
        ("v1.27.4-eks-8ccc7ba", (1, 27, 4, 0)),
        ("v1.14.6", (1, 14, 6, 0)),
        ("v1.22.17+k3s1", (1, 22, 17, 0)),
        ("1.24", (1, 24, 0, 0)),
        ("true", None),
        ("", None),
        ("v1.34.0-gke.1662000\n", None),
        ("v" + "9" * 5000 + ".1", None),
    ],
)
def test_versions_are_numbers(text: str, parts: tuple[int, ...] | None) -> None:
    assert parse_version(text) == parts


def test_versions_compare_by_number() -> None:
    ordered = ["1.20.4-gke.2200", "1.20.5-gke.100", "1.20.5-gke.1300", "1.20.15-gke.100", "1.100.0-gke.1"]
    parsed = [parse_version(text) or () for text in ordered]
    assert parsed == sorted(parsed)


def kubelet(endpoint: str = "", *, where: EndpointFrom = EndpointFrom.NOWHERE, **flags: str) -> Facts:
    flags = {name.replace("_", "-"): value for name, value in flags.items()}
    return Facts(
        kubelet=Known(
            Kubelet(
                running=True,
                pids=(7,),
                flags=flags,
                version=flags.get("version", ""),
                endpoint=endpoint,
                endpoint_from=EndpointFrom.FLAG if endpoint else where,
                evidence=(COMMAND,),
            )
        )
    )


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (kubelet("unix:///run/containerd/containerd.sock"), RuntimeName.CONTAINERD),
        (kubelet("/run/containerd/containerd.sock"), RuntimeName.CONTAINERD),
        (kubelet("unix:///run/k3s/containerd/containerd.sock"), RuntimeName.CONTAINERD),
        (kubelet("unix:///var/run/crio/crio.sock"), RuntimeName.CRI_O),
        (kubelet("unix:///var/run/dockershim.sock"), RuntimeName.DOCKER),
        (kubelet("unix:///run/cri-dockerd.sock"), RuntimeName.DOCKER),
        (kubelet("unix:///run/other.sock"), RuntimeName.UNKNOWN),
        (kubelet("unix:///run/containerd/containerd.sock", container_runtime="docker"), RuntimeName.UNKNOWN),
        (kubelet("unix:///var/run/dockershim.sock", container_runtime="docker"), RuntimeName.DOCKER),
        (kubelet(container_runtime="docker"), RuntimeName.DOCKER),
        (kubelet(version="v1.23.17"), RuntimeName.DOCKER),
        (kubelet(version="v1.23.17", where=EndpointFrom.UNREAD), RuntimeName.DOCKER),
        (kubelet(version="v1.23.17", container_runtime="remote"), RuntimeName.UNKNOWN),
        (kubelet(network_plugin="cni"), RuntimeName.DOCKER),
        (kubelet(cni_bin_dir="/home/kubernetes/bin", where=EndpointFrom.UNREAD), RuntimeName.DOCKER),
        (kubelet(network_plugin="cni", container_runtime="remote"), RuntimeName.UNKNOWN),
        (kubelet(network_plugin="cni", version="v1.24.0"), RuntimeName.UNKNOWN),
        (kubelet(version="v1.24.0"), RuntimeName.UNKNOWN),
        (kubelet(version="v1.26.9"), RuntimeName.UNKNOWN),
        (kubelet(version="v1.27.0"), RuntimeName.CONTAINERD),
        (kubelet(version="v1.34.0", where=EndpointFrom.UNREAD), RuntimeName.UNKNOWN),
        (kubelet(), RuntimeName.UNKNOWN),
        (Facts(kubelet=Known(Kubelet(running=False))), RuntimeName.NONE),
        (Facts(), RuntimeName.UNKNOWN),
    ],
)
def test_the_endpoint_of_the_running_kubelet_decides(facts: Facts, name: RuntimeName) -> None:
    decision = runtime.decide(facts)
    assert decision.value is name
    assert (decision.open is not None) == (name in {RuntimeName.UNKNOWN, RuntimeName.NONE})
    assert bool(decision.findings) or decision.open


def product(name: str) -> Known[Instance]:
    evidence = FileEvidence(path="/sys/class/dmi/id/product_name", line=1, text=name)
    return Known(Instance(product=name, cloud="", instance_id="", zone="", evidence=(evidence,)))


@pytest.mark.parametrize(
    ("name", "on_gke", "on_gce"),
    [
        ("Google Compute Engine", Answer.YES, Answer.YES),
        ("Google", Answer.YES, Answer.YES),
        ("", Answer.YES, Answer.YES),
        ("VMware Virtual Platform", Answer.NO, Answer.NO),
        ("VMware7,1", Answer.NO, Answer.NO),
    ],
)
def test_a_kubelet_of_gke_makes_a_gke_node_on_google_hardware_alone(name: str, on_gke: Answer, on_gce: Answer) -> None:
    facts = msgspec.structs.replace(kubelet(version="v1.30.5-gke.100"), instance=product(name))
    decided = gke.decide(facts, OsFamily.UBUNTU)
    assert (decided.value, gke.decide_gce(facts, decided.value).value) == (on_gke, on_gce)


def test_hardware_of_google_alone_makes_no_gke_node() -> None:
    decided = gke.decide(Facts(instance=product("Google Compute Engine")), OsFamily.COS)
    assert (decided.value, decided.findings) == (Answer.UNKNOWN, ())
    assert decided.open is not None


@pytest.mark.parametrize(
    ("name", "package", "version"),
    [
        ("containerd", "containerd", "1.7.0"),
        ("containerd", "containerd.io", "1.6.0"),
        ("docker", "docker.io", "20.10"),
        ("docker", "docker-ce", "24.0"),
        ("containerd", "docker.io", "unknown"),
    ],
)
def test_the_runtime_version_is_that_of_its_own_package(name: str, package: str, version: str) -> None:
    evidence = FileEvidence(path="/var/lib/dpkg/status", line=3, text="")
    held = Package(name=package, version="1.7.0" if version == "unknown" else version, evidence=evidence)
    facts = msgspec.structs.replace(kubelet(), packages=Known(Packages(manager=True, installed=(held,))))
    node = describe(facts, Image(runtime=RuntimeName(name)))
    assert (node.runtime.version, node.image_type) == (version, ImageType.UNKNOWN)
