"""The DaemonSet's pod on a node: its rendered manifest, as the kubelet and containerd would carry it out."""

import re
import subprocess
from contextlib import suppress
from typing import Final

from tests.engine import AGENT
from tests.lab.machine import LabError
from tests.lab.pod import Pod
from tests.manifests import DaemonSet, VolumeMount

PROGRAM: Final = "/nodediag/nodediag"  # the image's entry point
STATE: Final = "/var/lib/nodediag"
_UNITS: Final = {"Mi": 1 << 20, "Gi": 1 << 30}
_PROPAGATION: Final = {"None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}
_GIVEN: Final = (  # what containerd gives a container that asks for nothing
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip
_FROM_THE_KUBELET: Final = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log")


class DaemonSetPod:
    """One container. What `rro` says is whether the runtime knows recursively read-only mounts."""

    def __init__(self, pod: Pod, found: DaemonSet, name: str, *, rro: bool = False) -> None:
        self.node = pod.node
        self.name = name
        self._found = found
        self._folder = f"/var/lib/kubelet/pods/{name}"
        self._rro = rro
        self._execs = self._starts = 0
        for volume in found.pod.volumes:
            if volume.empty_dir is not None:
                self.node.run("mkdir", "-p", "-m", "0777", self._empty_dir(volume.name))
        for path in _FROM_THE_KUBELET:
            self.node.run("touch", f"{self._folder}/{path.rpartition('/')[2]}")

    def start(self, *more: str) -> None:
        """Start it with the manifest's arguments, and more."""
        self._starts += 1
        log = f"--log-uri=file://{self._log}"
        command = (PROGRAM, *self._found.container.args, *more)
        self.node.run("ctr", "run", "--detach", log, *self.options(), AGENT, self.name, *command)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `kubectl exec` does."""
        self._execs += 1
        execution = f"--exec-id=exec{self._execs}"
        return self.node.run("ctr", "tasks", "exec", execution, self.name, *command, check=False)

    def status(self) -> int:
        """Clear it away after it has ended, and give the status that it ended with."""
        said = self.node.run("ctr", "tasks", "rm", self.name).stderr
        self.node.run("ctr", "containers", "rm", self.name)
        status = re.search(r"non-zero exit code (\d+)", said)
        return int(status[1]) if status else 0

    def remove(self) -> None:
        """Remove it, whatever it does."""
        with suppress(LabError):
            if self.pid():
                self.node.run("ctr", "tasks", "kill", "--signal=SIGKILL", self.name)
        for kind in ("tasks", "containers"):
            self.node.run("ctr", kind, "rm", self.name, check=False)

    def pid(self) -> int:
        """Give its process as the node numbers it, 0 where it has ended."""
        lines = self.node.run("ctr", "tasks", "ls").stdout.splitlines()
        running = (line.split() for line in lines)
        return next((int(words[1]) for words in running if words[0] == self.name and words[2] == "RUNNING"), 0)

    @property
    def state(self) -> str:
        """Where the node has what it remembers."""
        return self._empty_dir("state")

    def said(self) -> list[str]:
        """Give the lines of all its starts."""
        logs = [f"{self._folder}/{number}.log" for number in range(1, self._starts + 1)]
        return self.node.run("cat", *logs).stdout.splitlines()

    @property
    def _log(self) -> str:
        return f"{self._folder}/{self._starts}.log"

    def _empty_dir(self, volume: str) -> str:
        return f"{self._folder}/volumes/kubernetes.io~empty-dir/{volume}"

    def options(self) -> tuple[str, ...]:
        """Give what the manifest asks for as options of `ctr run`."""
        pod, container = self._found.pod, self._found.container
        security, limits = container.security_context, container.resources["limits"]
        assert (pod.host_network, pod.host_pid, pod.host_ipc) == (False, False, False)
        assert (pod.security.run_as_user, pod.security.run_as_group) == (0, 0), "the image's own"
        assert pod.security.seccomp_profile == {"type": "RuntimeDefault"}
        assert security.capabilities.drop == ("ALL",)
        return (
            "--seccomp",
            *(("--privileged",) if security.privileged else ()),
            *(("--allow-new-privs",) if security.allow_privilege_escalation else ()),
            *(("--read-only",) if security.read_only_root_filesystem else ()),
            *(f"--cap-drop=CAP_{name}" for name in _GIVEN),
            *(f"--cap-add=CAP_{name}" for name in security.capabilities.add),
            *(f"--env={one.name}={self._field(one.value_from.field_ref.field_path)}" for one in container.env),
            f"--cpus={int(limits['cpu'].removesuffix('m')) / 1000}",
            f"--memory-limit={int(limits['memory'][:-2]) * _UNITS[limits['memory'][-2:]]}",
            *self._mounts(),
        )

    def _field(self, path: str) -> str:
        """Give a field of the pod; the node is registered by its host name."""
        assert path == "spec.nodeName"
        return self.node.run("hostname").stdout.strip()

    def _mounts(self) -> list[str]:
        """Give the manifest's mounts in the order in which containerd makes them, with those that every pod has."""
        paths = {volume.name: volume.host_path for volume in self._found.pod.volumes}
        options = []
        for mount in sorted(self._found.container.volume_mounts, key=lambda mount: mount.mount_path.count("/")):
            held = paths[mount.name]
            source = self._empty_dir(mount.name) if held is None else held.path
            how = ":".join((self._access(mount), _PROPAGATION[mount.mount_propagation]))
            options += ["--mount", f"type=bind,src={source},dst={mount.mount_path},options=rbind:{how}"]
        for path in _FROM_THE_KUBELET:
            source = f"{self._folder}/{path.rpartition('/')[2]}"
            options += ["--mount", f"type=bind,src={source},dst={path},options=rbind:rprivate:rw"]
        return options

    def _access(self, mount: VolumeMount) -> str:
        if mount.read_only and mount.recursive_read_only and self._rro:
            return "rro"
        return "ro" if mount.read_only else "rw"
