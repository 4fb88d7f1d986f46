"""The units whose entries are read: what runs a node, under all the names that distributions give it."""

from typing import Final

from nodediag.journal.journal import KERNEL

SYSTEMD: Final = "init.scope"  # PID 1's own entries; those about a unit are also the unit's
UNITS: Final = (
    "kubelet.service", "containerd.service", "docker.service", "crio.service", "node-problem-detector.service",
    "kube-node-installation.service", "kube-node-configuration.service", "kubelet-monitor.service",
    "kube-container-runtime-monitor.service", "setup-kubernetes-dir.service", "gcfsd.service",
    "snap.kubelet.daemon.service", "snap.microk8s.daemon-kubelite.service", "snap.microk8s.daemon-containerd.service",
    "k3s.service", "k3s-agent.service", "rke2-server.service", "rke2-agent.service",
    "systemd-journald.service", "cloud-init.service", "cloud-final.service", "google-guest-agent.service",
    "google-startup-scripts.service", "update-engine.service", "auditd.service", "chronyd.service", "chrony.service",
    "systemd-timesyncd.service", "systemd-networkd.service", "systemd-logind.service", "systemd-oomd.service",
    "iscsid.service", "multipathd.service", SYSTEMD, KERNEL,
)  # fmt: skip
