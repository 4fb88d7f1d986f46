"""The DaemonSet's pod: the image and the manifest that users apply, started by the nodes' own containerd."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from nodediag.model.outcome import Verdict
from nodediag.model.report import Origin
from tests.lab.daemonset import STATE, DaemonSetPod
from tests.lab.node import Node
from tests.lab.pod import Pod
from tests.lab.same import blind, unexplained
from tests.lab.seen import Seen, seen
from tests.manifests import daemonset

# The packet filter is that of its own network namespace; a limit belongs to a PID namespace; a process shows its
# program only to a tracer; of what is left it is given no path. And the lab's /dev is a tmpfs, which counts as a disk.
UNSEEN_CHECKS: Final = {
    "network.filter-policy", "limits.pids", "software.stray-processes", "drift.runtime", "limits.files",
    "limits.inotify", "limits.cgroups", "disks.space", "disks.inodes", "boot.finished", "boot.jobs", "units.expected",
    "units.failed", "units.flapping", "units.drop-ins", "journald.persistent", "journald.bounded",
    "software.package-manager", "software.toolbox", "software.toolbox-image", "software.cloud-init", "updates.engine",
    "drift.sysctls", "apt.pending-reboot", "apt.release", "kubelet.certificates", "kubelet.healthz", "runtime.socket",
    "runtime.cni", "runtime.snapshotter", "runtime.ready", "runtime.network-ready",
    "runtime.shims", "kubelet.file-modes",
}  # fmt: skip
UNSEEN: Final = {
    "hostname", "file_handles", "inotify", "kubepods", "unit_files", "journald", "software", "toolbox", "cloud_init",
    "sysctls", "update_engine", "stray_processes", "packet_filter", "kubelet_certificates", "healthz",
    "shims", "runtime_sockets", "cni", "snapshotter",
}  # fmt: skip
UNSEEN_ON: Final = {"cos": {*UNSEEN, "packages"}, "ubuntu": UNSEEN}
NOTHING: Final = "0000000000000000"


class Deployed:
    """A pod of the DaemonSet for the node's image."""

    def __init__(self, pod: Pod, *, rro: bool) -> None:
        image = pod.node.image
        self.node = pod.node
        self.pod = DaemonSetPod(pod, daemonset(f"overlays/gke-{image}"), f"nodediag-{image}", rro=rro)
        pod.node.run("cp", pod.node.profile, self.pod.state)

    def report(self, *more: str) -> Seen:
        """Report as `kubectl exec ds/nodediag -- nodediag report`, by the lab's profile."""
        profile = f"{STATE}/lab_{self.node.image}.toml"
        return seen(self.pod.execute("nodediag", "report", "--profile", profile, *more))


@pytest.fixture(params=["cos-ro", "cos-rro", "ubuntu-ro"])
def deployed(request: pytest.FixtureRequest) -> Iterator[Deployed]:
    """Give the pod on each image, and as a runtime starts it that knows recursively read-only mounts."""
    image, _, access = str(request.param).partition("-")
    pod = request.getfixturevalue("pod" if image == "cos" else "pod_on_ubuntu")
    assert isinstance(pod, Pod)
    with ExitStack() as ending:
        found = Deployed(pod, rro=access == "rro")
        ending.callback(found.pod.remove)
        found.pod.start()
        yield found


def until_now(node: Node) -> tuple[str, ...]:
    """Give a window that ends now, since a journal goes on while it is looked at."""
    return "--since", "2026-01-01", "--until", node.run("date", "--utc", "+%F %T").stdout.strip()


def test_the_answer_of_the_daemonset_s_pod_is_the_one_given_on_the_node(deployed: Deployed) -> None:
    node = deployed.node
    window = until_now(node)
    here, there = node.report(*window), deployed.report(*window)
    assert there.report.view.origin is Origin.POD
    assert (there.report.verdict, there.status, there.stderr) == (Verdict.HEALTHY, 0, "")
    assert blind(there) - blind(here) == UNSEEN_ON[node.image]
    assert there.unseen.keys() <= UNSEEN_CHECKS
    assert unexplained(here, there) == []


def test_its_process_has_what_the_manifest_gives_it_and_no_more(deployed: Deployed) -> None:
    status = deployed.node.run("cat", f"/proc/{deployed.pod.pid()}/status").stdout
    told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {told[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {NOTHING}
    assert (told["NoNewPrivs"], told["Seccomp"], told["Uid"].split()) == ("1", "2", ["0"] * 4)
    assert told["NSpid"].split()[-1] == "1"
