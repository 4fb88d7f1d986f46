"""The one question for processes, put once for all facts that rest on it."""

from typing import Final

from nodediag.host.answer import ProcessList
from nodediag.host.ask import Processes
from nodediag.host.host import Host

WITH_KUBELET: Final = {"k3s": "k3s", "k3s-server": "k3s", "k3s-agent": "k3s", "kubelite": "microk8s"}
KUBELETS: Final = ("kubelet", "hyperkube", "k3s server", "k3s agent", *WITH_KUBELET)
RUNTIMES: Final = ("containerd", "dockerd", "crio")
SHIMS: Final = ("containerd-shim",)  # as the kernel cuts the names of all of them, and how they begin
_SHIMS: Final = ("containerd-shim", "containerd-shim-runc-v2", "containerd-shim-runc-v1", "containerd-shim-runsc-v1")
TOOLBOX: Final = "systemd-nspawn"
UPDATE_ENGINE: Final = "update_engine"
WRITABLE: Final = ("/home", "/var", "/mnt", "/tmp", "/etc", "/run", "/dev/shm")  # noqa: S108 - paths of a node
ASK: Final = Processes((*KUBELETS, *RUNTIMES, *_SHIMS, TOOLBOX, UPDATE_ENGINE), WRITABLE)


def listed(host: Host) -> ProcessList:
    """Ask for them; the answer is kept."""
    return host.processes(*ASK.names, below=ASK.below)
