"""Healthy nodes: nothing is found wrong, and what is told of them is true."""

import json
from typing import Final

import pytest

from nodediag.facts.fact import Known
from nodediag.facts.packet_filter import CHAINS
from nodediag.model.image import Answer, ImageType, OsFamily, RuntimeName
from nodediag.model.outcome import Verdict
from nodediag.model.report import Origin
from tests.lab.node import Node
from tests.lab.same import MEASURED_CHECKS

# what no container on one machine can have
WAIVED: Final = {
    "cos": {
        "mounts.root-verified", "partitions.root-slot", "units.drop-ins", "logs.complete", "drift.kernel",
        "software.package-manager", "software.toolbox", "software.cloud-init",
    },
    "ubuntu": {"units.drop-ins", "logs.complete", "drift.kernel"},
}  # fmt: skip
NO_GRPC: Final = {"runtime.ready", "runtime.network-ready"}  # the folder that is made for nodes has no gRPC
UNSEEN: Final[dict[str, set[str]]] = {"cos": NO_GRPC, "ubuntu": NO_GRPC}


def test_a_healthy_node_is_found_healthy(healthy: Node) -> None:
    seen = healthy.report()
    assert (set(seen.unseen), seen.counted) == (UNSEEN[healthy.image], {})
    assert not_measured(seen.waived) == WAIVED[healthy.image]
    assert (seen.report.verdict, seen.status, seen.stderr) == (Verdict.HEALTHY, 0, "")
    assert seen.report.view.origin is Origin.LIVE
    assert [spot.what for spot in seen.report.view.blind_spots] == []


def test_what_one_machine_cannot_give_is_found_where_nobody_waives_it(cos: Node) -> None:
    done = cos.nodediag("report")
    report = json.loads(done.stdout)
    assert not_measured({check["id"] for check in report["checks"] if check["problems"]}) == WAIVED["cos"]
    assert (report["verdict"], done.returncode, report["profile"]["name"]) == ("unhealthy", 1, "cos_containerd")


@pytest.mark.parametrize(
    ("image", "family", "image_type", "milestone"),
    [
        ("cos", OsFamily.COS, ImageType.COS_CONTAINERD, "85"),
        ("ubuntu", OsFamily.UBUNTU, ImageType.UBUNTU_CONTAINERD, "none"),
    ],
)
def test_a_node_is_told_for_what_it_is(
    image: str, family: OsFamily, image_type: ImageType, milestone: str, request: pytest.FixtureRequest
) -> None:
    node = request.getfixturevalue(image)
    assert isinstance(node, Node)
    told = node.report().report.node
    assert (told.os.family, told.image_type, told.os.milestone) == (family, image_type, milestone)
    assert (told.platform.gke, told.platform.gke_version) == (Answer.YES, "1.20.15-gke.13400")
    assert (told.runtime.name, told.runtime.endpoint) == (
        RuntimeName.CONTAINERD, "unix:///run/containerd/containerd.sock",
    )  # fmt: skip
    assert told.kubelet.version == "v1.20.15-gke.13400"
    assert told.hostname == node.run("hostname").stdout.strip()
    assert told.machine_id == node.run("cat", "/etc/machine-id").stdout.strip()
    assert told.boot_id == node.run("cat", "/proc/sys/kernel/random/boot_id").stdout.strip()
    assert told.kernel.release == node.run("uname", "-r").stdout.strip()
    assert told.cgroup.version == "v1"


def test_the_packet_filter_is_told_as_the_kernel_has_it(cos: Node, ubuntu: Node) -> None:
    for node, policy in ((cos, "DROP"), (ubuntu, "none")):
        told = node.report().report.facts.packet_filter
        assert isinstance(told, Known)
        assert {one.chain: one.policy for one in told.value.policies} == dict.fromkeys(CHAINS, policy)
    names = ubuntu.run("cat", "/proc/net/ip_tables_names").stdout
    assert names == ""  # nobody's asking made it


def test_a_healthy_nodes_journal_tells_of_nothing_that_takes_it_down(healthy: Node) -> None:
    done = healthy.nodediag("logs", "--format", "json")
    logs = json.loads(done.stdout)
    assert logs["entries"] > 0
    assert [finding["id"] for finding in logs["signatures"] if finding["severity"] != "info"] == []
    assert (done.returncode, done.stderr) == (0, "")


def not_measured(checks: set[str]) -> set[str]:
    """Leave out what depends on how busy this machine is."""
    return {check for check in checks if not check.startswith(MEASURED_CHECKS)}
