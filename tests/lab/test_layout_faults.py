"""A node's layout, broken by hand: what is wrong is found, with the line of the mount table that shows it."""

from pathlib import Path
from typing import Final

import pytest

from nodediag.facts.fact import Known, Unknown
from nodediag.model.evidence import FileEvidence
from nodediag.model.image import ImageType
from nodediag.model.outcome import Severity, Verdict
from nodediag.model.reason import Code
from tests.hung import HungMount
from tests.lab.node import Node
from tests.lab.pod import DEBUG, HOST, Pod
from tests.lab.seen import Seen, seen

DECOY: Final = "/var/lib/google/decoy"
# what is done, the problem that must be found and no other, its severity, and what its evidence quotes
FAULTS: Final = {
    "var-exec": (
        "mount -o remount,bind,exec /var", "mounts.executable /var", Severity.WARNING,
        " /var rw,nosuid,nodev,relatime ",
    ),
    "root-writable": ("mount -o remount,rw /", "mounts.root-read-only /", Severity.CRITICAL, " / rw,relatime "),
    "var-lib-kubelet-read-only": (
        "mount -o remount,bind,ro /var/lib/kubelet", "mounts.writable /var/lib/kubelet", Severity.CRITICAL,
        " /var/lib/kubelet ro,",
    ),
    "bin-noexec": (
        "mount -o remount,bind,noexec /home/kubernetes/bin", "mounts.executable /home/kubernetes/bin",
        Severity.CRITICAL, " /home/kubernetes/bin rw,nosuid,nodev,noexec,",
    ),
    "tmp-on-disk": (
        "mkdir -p /var/scratch && mount --bind /var/scratch /tmp", "mounts.persistence /tmp", Severity.WARNING,
        "/var/scratch /tmp rw,",
    ),
    "executable-below-var": (
        "mkdir /var/mine && mount -t tmpfs mine /var/mine", "mounts.unexpected /var/mine", Severity.WARNING,
        " /var/mine rw,relatime ",
    ),
    "no-kubelet": ("systemctl stop kubelet", "kubelet.running kubelet", Severity.CRITICAL, ""),
}  # fmt: skip
ALSO: Final = {  # what systemd says of the same, and what else it means
    "kubelet.running kubelet": {"units.expected kubelet.service"},
    "mounts.executable /home/kubernetes/bin": {"runtime.cni /home/kubernetes/bin"},
}
UNSEEN: Final = {
    "/home/kubernetes": {
        "/home/kubernetes/bin",
        "/home/kubernetes/bin/host-local",
        "/home/kubernetes/bin/portmap",
        "/home/kubernetes/bin/ptp",
        "/home/kubernetes/containerized_mounter/mounter",
        "/home/kubernetes/kubelet-config.yaml",
        "healthz",  # whose port, and whose sysctls, the kubelet's configuration there says
        "sysctls",
    },
    "/etc/containerd": {"containerd_config"},
    "/var/lib/google": {"/var/lib/google", "/var/lib/google/bin"},
}


@pytest.mark.parametrize(("does", "found", "severity", "quoted"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_the_layout_is_found_and_shown(
    does: str, found: str, severity: Severity, quoted: str, sick: Node
) -> None:
    sick.run("sh", "-ec", does)
    one = sick.report()
    assert found in one.counted
    problem = one.counted[found]
    assert problem.severity is severity
    texts = [evidence.text for evidence in problem.evidence if isinstance(evidence, FileEvidence)]
    assert any(quoted in text for text in texts) or not quoted, texts
    expected = {Severity.CRITICAL: (Verdict.UNHEALTHY, 1), Severity.WARNING: (Verdict.DEGRADED, 0)}
    assert (one.report.verdict, one.status) == expected[severity]
    assert set(one.counted) == {found, *ALSO.get(found, ())}


def test_a_bind_that_may_write_over_a_root_that_may_not_is_no_writable_root(sick: Node) -> None:
    sick.run("mount", "-o", "remount,bind,rw", "/")
    assert sick.run("touch", "/usr/mine", check=False).returncode != 0
    assert sick.report().counted == {}


def test_a_fifo_in_place_of_os_release_is_told_and_not_waited_for(sick: Node) -> None:
    sick.run("sh", "-ec", "rm /etc/os-release; mkfifo /etc/os-release")
    one = sick.report()
    release = one.report.facts.os_release
    assert isinstance(release, Unknown)
    assert (release.reason.code, "fifo" in release.reason.detail) == (Code.WRONG_KIND, True)
    assert one.report.node.image_type is ImageType.COS_CONTAINERD


@pytest.mark.parametrize("target", ["/proc/self/root/etc/os-release", "../../../../../../../../etc/os-release.real"])
def test_a_link_never_leads_a_pod_out_of_the_node(target: str, sick: Node, agent_tar: Path) -> None:
    pod = Pod(sick, agent_tar)
    sick.run("sh", "-ec", f"cp /usr/lib/os-release /etc/os-release.real; ln -sf {target} /etc/os-release")
    sick.run("sh", "-ec", f"mkdir {DECOY}; echo ID=pod | tee {DECOY}/os-release >{DECOY}/os-release.real")
    decoy = ("--mount", f"type=bind,src={DECOY},dst=/etc,options=rbind:rw")
    one = seen(pod.run("nodediag", "report", options=(*DEBUG, *HOST, *decoy)))
    release = one.report.facts.os_release
    assert isinstance(release, Unknown) or release.value.id == "cos"
    assert isinstance(release, Known) == ("real" in target)
    assert one.report.node.image_type is ImageType.COS_CONTAINERD


@pytest.mark.parametrize("where", UNSEEN)
def test_a_file_system_that_never_answers_costs_only_what_lies_on_it(where: str, sick: Node) -> None:
    mount = HungMount(Path(where), sick.pid)
    try:
        one = sick.report()
    finally:
        mount.abort()
    assert one.report.node.image_type is ImageType.COS_CONTAINERD
    assert one.stderr == ""
    assert hung(one) == UNSEEN[where]


def hung(one: Seen) -> set[str]:
    return {spot.what for spot in one.report.view.blind_spots if spot.reason.code is Code.TIMED_OUT}
