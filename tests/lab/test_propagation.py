"""Where the node's root is mounted as a whole: whether a volume that the node unmounts is free, or still held there."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.engine import AGENT, ROOT
from tests.lab.daemonset import DaemonSetPod
from tests.lab.machine import call
from tests.lab.node import Node
from tests.lab.pod import DEBUG, HOST, Pod
from tests.lab.test_log_faults import wait_until
from tests.lab.toolbox import ROOT as TOOLBOX_ROOT, Toolbox
from tests.manifests import daemonset

AT: Final = "/var/lib/kubelet/pods/web/volumes/kubernetes.io~gce-pd/data"
WATCHES: Final = ("nodediag", "watch", "--listen=none")
HELD: Final = "held"
DEVICE: Final = "/dev/disk-of-web"
END: Final = "/root/end"
STAYS: Final = f"until test -e {END}; do sleep 0.2; done"  # one that is killed would be a failed unit in the journal
NODEDIAG_RUN: Final = ROOT / "packaging/cos/nodediag-run"


class Volume:
    """A disk that the node has mounted for a pod; the kernel lets go of it with its last mount."""

    def __init__(self, node: Node, file: Path) -> None:
        self._node = node
        self._file = file
        with file.open("wb") as image:
            image.truncate(16 << 20)
        call("mke2fs", "-q", "-t", "ext4", file)
        device = Path(call("losetup", "--find", "--show", file).stdout.strip())
        self._backing = Path(f"/sys/block/{device.name}/loop/backing_file")
        number = device.stat().st_rdev
        node.run("mkdir", "-p", AT)
        node.run("mknod", DEVICE, "b", str(os.major(number)), str(os.minor(number)))
        node.run("mount", DEVICE, AT)
        call("losetup", "--detach", device)  # once it is mounted nowhere

    @property
    def is_held(self) -> bool:
        """Whether it is still mounted in any mount namespace."""
        try:
            return self._backing.read_text().strip() == str(self._file)
        except OSError:
            return False

    def close(self) -> None:
        self._node.run("umount", AT, check=False)
        self._node.run("rm", "-f", DEVICE)


@pytest.fixture
def volume(cos: Node, tmp_path: Path) -> Iterator[Volume]:
    """Give a disk that is mounted on the node."""
    made = Volume(cos, tmp_path / "disk")
    assert made.is_held
    yield made
    made.close()


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    """Give where to say what is to be undone."""
    with ExitStack() as stack:
        yield stack


def unmounted(node: Node) -> None:
    """Unmount it as the kubelet does: never lazily."""
    node.run("umount", AT)


def test_the_daemonset_with_the_whole_root_lets_volumes_go(pod: Pod, volume: Volume, ending: ExitStack) -> None:
    deployed = DaemonSetPod(pod, daemonset("overlays/whole-root"), "nodediag-root")
    ending.callback(deployed.remove)
    deployed.start()
    seen = f"/proc/{deployed.pid()}/mountinfo"
    assert f"/host{AT}" in pod.node.run("cat", seen).stdout
    unmounted(pod.node)
    assert f"/host{AT}" not in pod.node.run("cat", seen).stdout
    assert not volume.is_held
    assert deployed.pid()


def test_nodediag_run_lets_volumes_go(pod: Pod, volume: Volume, ending: ExitStack) -> None:
    mount = re.search(r"--mount (type=bind,src=/,dst=/host,options=\S+)", NODEDIAG_RUN.read_text())
    assert mount
    start(pod.node, ending, "--mount", mount[1])
    unmounted(pod.node)
    assert not volume.is_held


def test_kubectl_debug_holds_on_to_them_until_its_pod_is_gone_as_its_guide_says(
    pod: Pod, volume: Volume, ending: ExitStack
) -> None:
    start(pod.node, ending, *DEBUG, *HOST)
    unmounted(pod.node)
    assert volume.is_held
    remove(pod.node)
    wait_until(lambda: not volume.is_held, "the volume is free")


def test_the_toolbox_lets_volumes_go(cos: Node, toolbox: Toolbox, volume: Volume, ending: ExitStack) -> None:
    ending.enter_context(subprocess.Popen(toolbox.command("sh", "-c", STAYS), stdin=subprocess.DEVNULL))
    ending.callback(cos.run, "touch", f"{TOOLBOX_ROOT}{END}")
    where = f"/media/root{AT}"
    wait_until(lambda: where in mounts_of(cos, f"sh -c {STAYS}"), "the toolbox is there")
    unmounted(cos)
    assert where not in mounts_of(cos, f"sh -c {STAYS}")
    assert not volume.is_held


def start(node: Node, ending: ExitStack, *options: str) -> None:
    """Start a container of the image that stays."""
    ending.callback(remove, node)
    node.run("ctr", "run", "--detach", "--null-io", *options, AGENT, HELD, *WATCHES)


def remove(node: Node) -> None:
    node.run("ctr", "tasks", "rm", "--force", HELD, check=False)
    node.run("ctr", "containers", "rm", HELD, check=False)


def mounts_of(node: Node, command: str) -> str:
    """Give the mount table of the process with this command line, empty where there is none."""
    return node.run("sh", "-c", f'cat /proc/$(pgrep --full --exact "{command}")/mountinfo', check=False).stdout
