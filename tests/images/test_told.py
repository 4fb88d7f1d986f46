"""What others tell of a node: image names, Windows releases, and an image type for each of the eight."""

from typing import Final

import msgspec
import pytest
from hypothesis import given, strategies as st

from nodediag.facts.fact import Known
from nodediag.facts.host_view import HostView
from nodediag.facts.hostname import Hostname
from nodediag.facts.instance_data import InstanceData, joined, read
from nodediag.facts.kubelet import EndpointFrom, Kubelet
from nodediag.facts.lsb_release import LsbRelease
from nodediag.facts.machine import Machine
from nodediag.facts.node_object import NodeObject
from nodediag.facts.snapshot import Facts
from nodediag.images import agreement, source_image, told, windows
from nodediag.images.describe import describe
from nodediag.images.identify import identify
from nodediag.images.source_image import SourceImage
from nodediag.images.windows import Channel
from nodediag.model.evidence import FileEvidence, InputEvidence, UnameEvidence
from nodediag.model.image import Answer, ImageType, OsFamily

UNSEEN: Final = Known(HostView(node=Answer.UNKNOWN, says="nothing was seen"))
LINE: Final = FileEvidence(path="/etc/machine-id", line=1, text="x")
EVIDENCE: Final = InputEvidence(option="--instance", path="f", text="x")
COS: Final = "Container-Optimized OS from Google"
UBUNTU: Final = "Ubuntu 20.04.4 LTS"
GKE: Final = "v1.21.9-gke.1002"


def of_object(os_image: str, runtime: str, kernel: str = "5.4.170+", kubelet: str = GKE, **more: object) -> Facts:
    info = {
        "osImage": os_image, "containerRuntimeVersion": runtime, "kernelVersion": kernel, "kubeletVersion": kubelet,
        "operatingSystem": "windows" if "Windows" in os_image else "linux",
    }  # fmt: skip
    made = msgspec.structs.replace(NodeObject(path="n.json", name="gke-n", info=info), **more)
    return Facts(host_view=UNSEEN, node_object=Known(made))


def of_files(*texts: str) -> Facts:
    found = joined(tuple(read(f"f{number}", text) for number, text in enumerate(texts)))
    return Facts(host_view=UNSEEN, instance_data=Known(found))


@pytest.mark.parametrize(
    ("facts", "image_type"),
    [
        (of_object(COS, "containerd://1.4.8"), ImageType.COS_CONTAINERD),
        (of_object(COS, "docker://19.3.14"), ImageType.COS),
        (of_object(UBUNTU, "containerd://1.4.8", "5.4.0-1039-gke"), ImageType.UBUNTU_CONTAINERD),
        (of_object(UBUNTU, "docker://20.10.7", "5.4.0-1039-gke"), ImageType.UBUNTU),
        (
            of_object("Windows Server 2019 Datacenter", "containerd://1.5", "10.0.17763.1"),
            ImageType.WINDOWS_LTSC_CONTAINERD,
        ),
        (of_object("Windows Server 2022 Datacenter", "docker://20", "10.0.20348.1"), ImageType.WINDOWS_LTSC),
        (of_object("Windows Server Datacenter", "containerd://1.5", "10.0.19042.1"), ImageType.WINDOWS_SAC_CONTAINERD),
        (of_object("Windows Server Datacenter", "docker://20", "10.0.18363.1"), ImageType.WINDOWS_SAC),
        (of_object("Debian GNU/Linux 12", "containerd://1.7"), ImageType.NONE),
        (of_object("Google Container-VM Image", "docker://1.11", kubelet="v1.4.6"), ImageType.NONE),
        (of_object(COS, "docker://18.9", kubelet="v1.14.6"), ImageType.NONE),
        (of_object(COS, "containerd://1.6", provider_id="vsphere://1234"), ImageType.NONE),
        (of_object(UBUNTU, "containerd://1.6+azure", "5.4.0-1046-azure", "v1.20.7"), ImageType.NONE),
        (of_object(COS, "cri-o://1.30"), ImageType.UNKNOWN),
        (of_object(COS, "containerd://1.6", kubelet=""), ImageType.UNKNOWN),
        (of_object(COS, ""), ImageType.UNKNOWN),
    ],
)
def test_an_object_alone_names_the_image(facts: Facts, image_type: ImageType) -> None:
    image = identify(facts)
    assert image.image_type is image_type
    assert (image_type is ImageType.UNKNOWN) == ("image_type" in image.open)
    assert not image.contradictions


GKE_IMAGES: Final = "projects/gke-node-images/global/images"


@pytest.mark.parametrize(
    ("name", "image_type"),
    [
        ("gke-1278-gke1067004-cos-105-17412-226-62-c-pre", ImageType.COS_CONTAINERD),
        ("gke-12410-gke2300-cos-97-16919-235-13-v230222-c-pre", ImageType.COS_CONTAINERD),
        ("gke-1219-gke1002-cos-89-16108-534-17-v220308-c-pre", ImageType.UNKNOWN),
    ],
)
def test_an_image_of_gke_from_1_24_on_has_containerd(name: str, image_type: ImageType) -> None:
    assert identify(of_files(f"{GKE_IMAGES}/{name}")).image_type is image_type


def test_a_kubelet_with_an_endpoint_of_its_own_is_not_overruled_by_its_release() -> None:
    kubelet = Kubelet(
        running=True, endpoint="unix:///run/other.sock", endpoint_from=EndpointFrom.FLAG, evidence=(LINE,)
    )
    seen = of_files(f"{GKE_IMAGES}/gke-1278-gke1067004-cos-105-17412-226-62-c-pre")
    assert identify(msgspec.structs.replace(seen, kubelet=Known(kubelet))).image_type is ImageType.UNKNOWN


def test_a_capture_with_lsb_release_alone_names_its_system_and_is_held_against_its_object() -> None:
    fields = {"DISTRIB_ID": "Ubuntu", "DISTRIB_DESCRIPTION": "Ubuntu 20.04.2 LTS", "DISTRIB_RELEASE": "20.04"}
    lsb = LsbRelease(fields=fields, lines=dict.fromkeys(fields, LINE))
    facts = msgspec.structs.replace(of_object("Ubuntu 18.04.5 LTS", "containerd://1.4.1"), lsb_release=Known(lsb))
    system = describe(facts, identify(facts)).os
    assert (system.id, system.name, system.version) == ("ubuntu", "Ubuntu 20.04.2 LTS", "20.04")
    theirs = told.node_object(facts)
    assert theirs is not None
    assert [pair.field for pair in agreement.of_one_boot(facts, theirs) if pair.differs] == ["osImage"]


@pytest.mark.parametrize("image_type", sorted(set(ImageType) - {ImageType.NONE, ImageType.UNKNOWN}))
def test_the_type_of_a_node_pool_is_known_in_capitals(image_type: ImageType) -> None:
    facts = of_files(f'{{"config": {{"imageType": "{image_type.value.upper()}"}}, "version": "1.21.9-gke.1002"}}')
    assert identify(facts).image_type is image_type
    assert describe(facts, identify(facts)).platform.gke_version == "1.21.9-gke.1002"


def test_conditions_and_labels_of_docker_do_not_make_it_the_runtime() -> None:
    labels = "cloud.google.com/gke-container-runtime=containerd,cloud.google.com/gke-os-distribution=cos"
    assert identify(of_files(labels)).image_type is ImageType.COS_CONTAINERD


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("gke-12410-gke2300-cos-97-16919-235-13-v230222-c-pre",
         ("1.24.10-gke.2300", "97", "16919.235.13", ("c", "pre"))),
        ("gke-1278-gke1067004-cos-105-17412-226-62-c-pre", ("1.27.8-gke.1067004", "105", "17412.226.62", ("c", "pre"))),
        ("gke-1314-gke1256000-cos-117-18613-75-60-c-cgpv1-nvda",
         ("1.31.4-gke.1256000", "117", "18613.75.60", ("c", "cgpv1", "nvda"))),
        ("gke-1309-gke1046000-cos-arm64-113-18244-291-9-c-pre",
         ("1.30.9-gke.1046000", "113", "18244.291.9", ("c", "pre"))),
        ("gke-1341-gke3971000-cos-arm64-lm-125-19216-104-45-c-nvda",
         ("1.34.1-gke.3971000", "125", "19216.104.45", ("c", "nvda"))),
        ("gke-1340-gke1662000-cos-121-18867-199-28-pre", ("1.34.0-gke.1662000", "121", "18867.199.28", ("pre",))),
    ],
)  # fmt: skip
def test_a_name_of_gkes_cos_images_holds_their_versions(name: str, wanted: tuple[object, ...]) -> None:
    found = source_image.parse(f"projects/gke-node-images/global/images/{name}")
    assert found is not None
    assert (found.gke_version, found.milestone, found.build, found.marks) == wanted
    assert (found.family, found.of_gke) == (OsFamily.COS, True)


@pytest.mark.parametrize(
    ("path", "family", "release", "of_gke"),
    [
        ("ubuntu-os-gke-cloud/global/images/ubuntu-gke-2204-1-27-v20230619", OsFamily.UBUNTU, "22.04", True),
        ("ubuntu-os-gke-cloud/global/images/ubuntu-gke-2204-1-34-arm64-v20231201", OsFamily.UBUNTU, "22.04", True),
        ("ubuntu-os-gke-cloud/global/images/ubuntu-gke-2404-1-33-amd64-v20250812a", OsFamily.UBUNTU, "24.04", True),
        ("ubuntu-os-gke-cloud/global/images/ubuntu-gke-1604-xenial-v20180207", OsFamily.UBUNTU, "16.04", True),
        ("ubuntu-os-gke-cloud-devel/global/images/some", OsFamily.UBUNTU, "", True),
        ("gke-windows-node-images/global/images/windows-2019", OsFamily.WINDOWS, "", True),
        ("cos-cloud/global/images/cos-stable-121-18867-199-28", OsFamily.UNKNOWN, "", False),
        ("gke-node-images-copy/global/images/x", OsFamily.UNKNOWN, "", False),
    ],
)
def test_other_names_hold_less(path: str, family: OsFamily, release: str, of_gke: bool) -> None:  # noqa: FBT001 - a table
    found = source_image.parse(f"projects/{path}")
    assert found is not None
    assert (found.family, found.release, found.of_gke, found.gke_version) == (family, release, of_gke, "")


@given(
    text=st.one_of(st.text(max_size=40), st.from_regex(r"projects/[a-z-]+/global/images/gke-\d+-gke\d+-cos[-\d]+c?"))
)
def test_any_path_is_an_image_or_none(text: str) -> None:
    found = source_image.parse(text)
    assert found is None or isinstance(found, SourceImage)
    assert source_image.map_build(text) is None or text.startswith("cos-")


def test_a_line_of_the_map_is_a_build() -> None:
    assert source_image.map_build("cos-121-18867-199-52") == ("121", "18867.199.52")
    assert source_image.map_build("cos-121-18867") is None


def test_the_data_on_windows_is_whole() -> None:
    pairs = [(one.build, one.channel) for one in windows.releases()]
    assert len(set(pairs)) == len(pairs)
    assert {one.version for one in windows.releases() if one.channel is Channel.LTSC} >= {"2019", "2022"}


def test_a_label_of_the_build_will_do() -> None:
    labels = {told.WINDOWS_BUILD: "10.0.20348", f"{told.LABEL_PREFIX}nodepool": "w"}
    facts = of_object("Windows Server 2022 Datacenter", "containerd://1.7", "", labels=labels)
    release = windows.decide(facts).value
    assert release is not None
    assert (release.channel, release.version) == (Channel.LTSC, "2022")


def test_what_a_server_tells_now_counts_before_what_a_file_told() -> None:
    now = InstanceData(image="projects/a/global/images/now", evidence={"image": EVIDENCE})
    then = InstanceData(image="projects/a/global/images/then", zone="z", evidence={"image": EVIDENCE})
    facts = Facts(host_view=UNSEEN, metadata=Known(now), instance_data=Known(then))
    found = told.image_source(facts)
    assert found is not None
    assert (found[0].name, told.zone(facts)) == ("now", "z")


@pytest.mark.parametrize(
    ("name", "override", "machine", "other"),
    [
        ("n", "", "", False),
        ("N.c.project.internal", "", "", False),
        ("m", "", "", True),
        ("m", "n", "", False),
        ("n", "m", "", True),
        ("m", "", "0" * 32, False),
        ("n", "", "1" * 32, True),
    ],
)
def test_an_object_of_another_node_is_told_by_the_machine_else_by_the_name(
    name: str,
    override: str,
    machine: str,
    other: bool,  # noqa: FBT001 - a table
) -> None:
    info = {"osImage": COS, "machineID": "00000000-0000-0000-0000-000000000000"} if machine else {"osImage": COS}
    known_id = Known(Machine(id=machine, evidence=LINE)) if machine else Facts().machine
    kubelet = Kubelet(running=True, pids=(7,), flags={"hostname-override": override} if override else {})
    facts = Facts(
        host_view=UNSEEN,
        hostname=Known(Hostname(name=name, evidence=UnameEvidence(text=name))),
        machine=known_id,
        kubelet=Known(kubelet),
        node_object=Known(NodeObject(path="n.json", name="n", info=info)),
    )
    assert told.other_node(facts) is other
    assert (told.family(facts) is None) is other
    pair = agreement.identity(facts, NodeObject(path="n.json", name="n", info=info))
    assert pair is not None
    assert pair.differs is other
