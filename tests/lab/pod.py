"""A container that the node's own containerd starts, with the node's root at /host, as pods for debugging have it."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Final

import msgspec
import yaml

from tests.lab.node import Node

IMAGE: Final = "docker.io/library/nodediag-lab:1"
# the namespaces of the node that `kubectl debug node/NAME` shares
DEBUG: Final = ("--net-host", "--with-ns", "pid:/proc/1/ns/pid", "--with-ns", "ipc:/proc/1/ns/ipc")
HOST: Final = ("--mount", "type=bind,src=/,dst=/host,options=rbind:ro")
_PARTS: Final = (
    "bin", "lib", "lib64", "usr/lib64", "usr/bin/sh", "usr/bin/dash", "usr/bin/cat", "usr/bin/ls", "usr/bin/sleep",
    "usr/bin/journalctl", "usr/lib/x86_64-linux-gnu/systemd", "etc/passwd",
)  # fmt: skip
_NAME: Final = "lab.tar"
_EMPTY: Final = "/var/lib/kubelet/pods/lab/volumes/kubernetes.io~empty-dir"
_CAPABILITIES: Final = (  # what containerd gives a container that asks for nothing
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip
_CLOSED: Final = (
    "--read-only", "--seccomp", "--memory-limit=268435456", "--cpus=0.5",
    *(f"--cap-drop=CAP_{name}" for name in _CAPABILITIES),
)  # fmt: skip


class _HostPath(msgspec.Struct):
    path: str


class _Volume(msgspec.Struct):
    name: str
    host_path: _HostPath | None = msgspec.field(default=None, name="hostPath")


class _Mount(msgspec.Struct):
    name: str
    mount_path: str = msgspec.field(name="mountPath")
    read_only: bool = msgspec.field(default=False, name="readOnly")


class _Container(msgspec.Struct):
    mounts: list[_Mount] = msgspec.field(name="volumeMounts")


class _PodSpec(msgspec.Struct):
    containers: list[_Container]
    volumes: list[_Volume]


class _Template(msgspec.Struct):
    spec: _PodSpec


class _Spec(msgspec.Struct):
    template: _Template


class _DaemonSet(msgspec.Struct):
    spec: _Spec


def manifest(*files: Path) -> tuple[str, ...]:
    """Give the options for a container as the manifests of a DaemonSet ask for it: the first whole, the others patches.

    What security settings they have is asserted by the manifests' own tests; here they are all in force.
    """
    specs = [msgspec.convert(yaml.safe_load(file.read_text()), _DaemonSet).spec.template.spec for file in files]
    paths = {volume.name: volume.host_path for spec in specs for volume in spec.volumes}
    mounts = [mount for spec in specs for mount in spec.containers[0].mounts]
    options: list[str] = [*_CLOSED]
    for mount in sorted(mounts, key=lambda mount: mount.mount_path):
        held = paths[mount.name]
        source = f"{_EMPTY}/{mount.name}" if held is None else held.path
        access = "ro" if mount.read_only else "rw"
        options += ["--mount", f"type=bind,src={source},dst={mount.mount_path},options=rbind:{access}"]
    return tuple(options)


class Pod:
    """Containers of one image with a nodediag in it, on a node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._runs = 0
        libraries = "find usr/lib/x86_64-linux-gnu -maxdepth 1 -name '*.so*'"
        parts = " ".join(_PARTS)
        node.run("mkdir", "-p", "/var/lib/google/lab", f"{_EMPTY}/nothing", f"{_EMPTY}/state")
        folder = "/var/lib/google/lab"
        node.run("sh", "-ec", f"cd /; {libraries} | tar -cf {folder}/layer.tar -T - {parts}")
        node.run("sh", "-ec", f"cd {node.program}/..; tar -rf {folder}/layer.tar --transform 's,^,opt/,' nodediag")
        _archive(node.path(f"{folder}/layer.tar"), node.path(f"{folder}/{_NAME}"))
        node.run("ctr", "images", "import", f"{folder}/{_NAME}")
        node.run("rm", "-r", folder)

    def run(self, *command: str, options: tuple[str, ...] = (*DEBUG, *HOST)) -> subprocess.CompletedProcess[str]:
        """Run a command in a container of its own."""
        self._runs += 1
        return self._node.run("ctr", "run", "--rm", *options, IMAGE, f"lab{self._runs}", *command, check=False)


def _archive(layer: Path, target: Path) -> None:
    """Make an image of one layer, as `docker save` writes it."""
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    config = {
        "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/usr/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    with tarfile.open(target, "w") as archive:
        for name, content in (("config.json", config), ("manifest.json", manifest)):
            data = json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        archive.add(layer, "layer.tar")
