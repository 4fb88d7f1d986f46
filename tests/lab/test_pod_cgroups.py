"""The component `cgroup2`: what a pod sees by it, that it can write nothing, and that it starts with version 2 only."""

import errno
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.facts.fact import Known
from nodediag.model.outcome import Outcome
from nodediag.model.report import Origin
from tests.lab.daemonset import PROGRAM, DaemonSetPod
from tests.lab.machine import LabError
from tests.lab.node import Node
from tests.lab.pod import Pod
from tests.lab.seen import seen
from tests.manifests import DaemonSet, daemonset

AT: Final = "/sys/fs/cgroup"
UNIFIED: Final = f"{AT}/unified"  # where a node with version 1 has the tree of version 2


def given(found: DaemonSet, path: str, source: str) -> DaemonSet:
    """Take another path of the node for one that the manifest names; the guard goes, which this node does not pass."""
    pod, container = found.pod, found.container
    guard = f"{path}/cgroup.controllers"
    volumes = tuple(
        msgspec.structs.replace(volume, host_path=msgspec.structs.replace(volume.host_path, path=source))
        if volume.host_path is not None and volume.host_path.path == path
        else volume
        for volume in pod.volumes
        if volume.host_path is None or volume.host_path.path != guard
    )
    mounts = tuple(mount for mount in container.volume_mounts if mount.mount_path != f"/host{guard}")
    container = msgspec.structs.replace(container, volume_mounts=mounts)
    pod = msgspec.structs.replace(pod, volumes=volumes, containers=(container,))
    template = msgspec.structs.replace(found.spec.template, spec=pod)
    return msgspec.structs.replace(found, spec=msgspec.structs.replace(found.spec, template=template))


def test_it_does_not_start_where_version_1_is(pod: Pod) -> None:
    deployed = DaemonSetPod(pod, daemonset("overlays/cgroup2"), "cgroup2-on-1")
    with ExitStack() as ending:
        ending.callback(deployed.remove)
        with pytest.raises(LabError, match=r"cgroup\.controllers"):
            deployed.start()


def test_cgroups_are_seen_from_the_pod_and_cannot_be_written_to(sick: Node, agent_tar: Path) -> None:
    deployed = DaemonSetPod(Pod(sick, agent_tar), given(daemonset("overlays/cgroup2"), AT, UNIFIED), "cgroup2")
    deployed.start()
    sick.run("mount", "--bind", UNIFIED, AT)  # from here on the node has version 2, as its mount table says
    # runc, which would enter it too, asks for controllers that this tree has not
    enter = ("nsenter", f"--target={deployed.pid()}", "--mount", "--pid", "--net", "--uts", "--ipc", "--root", "--wd")
    one = seen(sick.run(*enter, "--", PROGRAM, "report", "--no-logs", "--format=json", check=False))
    assert (one.report.view.origin, one.report.node.cgroup.version) == (Origin.POD, "v2")
    assert one.check("limits.cgroups").outcome is Outcome.PASSED
    pods = one.report.facts.kubepods
    assert isinstance(pods, Known)
    counted = sick.path(f"{AT}/cgroup.stat").read_text().splitlines()
    assert f"nr_descendants {pods.value.cgroups}" in counted
    inside = sick.path(f"/proc/{deployed.pid()}/root/host{AT}")
    assert (inside / "cgroup.stat").read_text()
    for write in (partial((inside / "cgroup.procs").write_text, "1"), (inside / "of-a-pod").mkdir):
        with pytest.raises(OSError, match="Read-only") as refused:
            write()
        assert refused.value.errno == errno.EROFS
