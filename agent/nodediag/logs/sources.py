"""Which program an entry is from: units have many names (snap, k3s, microk8s, hyperkube) for a few programs."""

from typing import Final

_BY_UNIT: Final = {
    "kubelet": ("kubelet",),
    "snap.kubelet.daemon": ("kubelet",),
    "kubenswrapper": ("kubelet",),
    "kubelet-wrapper": ("kubelet",),
    "atomic-openshift-node": ("kubelet", "kube-proxy"),
    "k8s-event": ("kubelet",),
    "hyperkube": ("kubelet", "kube-proxy"),
    "origin-node": ("kubelet", "kube-proxy"),
    "k3s": ("kubelet", "containerd", "kube-proxy"),
    "k3s-agent": ("kubelet", "containerd", "kube-proxy"),
    "rke2": ("kubelet", "containerd", "kube-proxy"),
    "rke2-server": ("kubelet", "containerd", "kube-proxy"),
    "rke2-agent": ("kubelet", "containerd", "kube-proxy"),
    "k0s": ("kubelet", "containerd", "kube-proxy"),
    "k0scontroller": ("kubelet", "containerd", "kube-proxy"),
    "k0sworker": ("kubelet", "containerd", "kube-proxy"),
    "microk8s.daemon-kubelet": ("kubelet",),
    "snap.microk8s.daemon-kubelet": ("kubelet",),
    "microk8s.daemon-kubelite": ("kubelet", "kube-proxy"),
    "snap.microk8s.daemon-kubelite": ("kubelet", "kube-proxy"),
    "microk8s.daemon-containerd": ("containerd",),
    "snap.microk8s.daemon-containerd": ("containerd",),
    "containerd": ("containerd",),
    "ctr": ("containerd",),
    "crictl": ("containerd",),
    "nerdctl": ("containerd",),
    "docker": ("docker",),
    "dockerd": ("docker",),
    "dockerd-current": ("docker",),
    "docker-current": ("docker",),
    "docker.dockerd": ("docker",),
    "snap.docker.dockerd": ("docker",),
    "init.scope": ("systemd",),
    "crio": ("crio",),
    "talos": ("kubelet", "containerd", "kernel"),
}


def sources(unit: str) -> frozenset[str]:
    """Give the programs a unit or syslog identifier runs; one that is not listed is itself."""
    name = unit.removesuffix(".service")
    return frozenset(_BY_UNIT.get(name, (name,)))
