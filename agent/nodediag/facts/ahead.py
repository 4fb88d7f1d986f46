"""What every look at a running node asks, sent before its answers are wanted: the node works while we are imported.

Each stands in the module of its fact too, which is imported later; a test holds the two together. They are in the order
in which they are wanted, for answers come in the order of their questions.
"""

from typing import Final

from nodediag.facts.packages import CAP_BYTES, FIELDS, STATUS_PATH
from nodediag.facts.process_list import ASK
from nodediag.host.ask import (
    Ask,
    Below,
    Certificates,
    Kubeconfig,
    List,
    Namespaces,
    PacketFilter,
    Read,
    Readlink,
    Stat,
    Uname,
    Units,
)
from nodediag.host.host import TEXT_CAP_BYTES

_MIB: Final = 1024 * 1024


def _read(*paths: str, cap_bytes: int = TEXT_CAP_BYTES) -> tuple[Read, ...]:
    return tuple(Read(path, cap_bytes) for path in paths)


def _listed(*paths: str) -> tuple[List, ...]:
    return tuple(List(path) for path in paths)


def _stat(*paths: str) -> tuple[Stat, ...]:
    return tuple(Stat(path) for path in paths)


ASKS: Final[tuple[Ask, ...]] = (
    Namespaces(),
    ASK,
    Units(),
    *_read("/proc/1/mountinfo", cap_bytes=64 * _MIB),
    *_read("/etc/os-release", "/proc/cmdline", "/proc/1/cgroup", "/proc/1/comm", "/proc/2/comm"),
    *_listed("/sys/class/block"),
    *_read("/proc/sys/kernel/tainted"),
    Uname(),
    *_read("/sys/class/dmi/id/product_name", "/run/cloud-init/instance-data.json", "/etc/lsb-release"),
    *_read("/etc/machine-id", "/proc/sys/kernel/random/boot_id"),
    *_read("/proc/stat", cap_bytes=4 * _MIB),
    *_read("/proc/modules", "/proc/filesystems", cap_bytes=16 * _MIB),
    *_stat("/usr/sbin/mkfs.ext4", "/usr/sbin/mkfs.xfs", "/usr/sbin/mount.nfs", "/usr/sbin/mount.nfs4"),
    *_stat("/usr/sbin/mount.ceph", "/usr/bin/rbd", "/usr/sbin/iscsiadm"),
    *_stat("/sbin/mkfs.ext4", "/sbin/mkfs.xfs", "/sbin/mount.nfs", "/sbin/mount.nfs4", "/sbin/mount.ceph"),
    *_stat("/sbin/iscsiadm", "/home/kubernetes/containerized_mounter/mounter"),
    *_listed("/sys/class/iscsi_session", "/sys/class/fc_host"),
    *_read("/etc/containerd/config.toml", "/proc/meminfo", "/proc/vmstat"),
    *_listed("/var/lib/kubelet", "/etc/cni/net.d"),
    *_stat("/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/cri-dockerd.sock", "/run/dockershim.sock"),
    *_stat("/run/k3s/containerd/containerd.sock"),
    Kubeconfig("/var/lib/kubelet/kubeconfig"),
    Kubeconfig("/etc/kubernetes/kubelet.conf"),
    Certificates("/var/lib/kubelet/pki/kubelet.crt"),
    *_stat("/var/lib/kube-proxy/kubeconfig", "/var/lib/kubelet/pki/kubelet-client-current.pem"),
    *_stat("/var/lib/kubelet/pki/kubelet-server-current.pem"),
    *_read("/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io"),
    *_read("/proc/loadavg", "/sys/devices/system/cpu/online", "/proc/sys/kernel/threads-max"),
    *_read("/proc/sys/kernel/pid_max", "/proc/sys/fs/file-nr"),
    *_read("/proc/sys/fs/inotify/max_user_instances", "/proc/sys/fs/inotify/max_user_watches"),
    *_read("/proc/sys/net/netfilter/nf_conntrack_max"),
    *_stat("/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs"),
    *_read("/sys/fs/cgroup/kubepods.slice/pids.current", "/sys/fs/cgroup/kubepods/pids.current"),
    *_listed("/etc/systemd/system", "/run/systemd/system", "/etc/systemd/system.control"),
    *_listed("/run/systemd/system.control", "/usr/lib/systemd/system"),
    *_read("/etc/systemd/journald.conf"),
    *_listed("/etc/systemd/journald.conf.d", "/run/systemd/journald.conf.d", "/usr/local/lib/systemd/journald.conf.d"),
    *_listed("/usr/lib/systemd/journald.conf.d", "/var/log/journal"),
    Read(STATUS_PATH, CAP_BYTES, FIELDS),
    *(Readlink(path) for path in ("/bin", "/sbin")),
    *_listed("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/bin", "/etc", "/home/kubernetes/bin"),
    *_listed("/var/lib/google", "/var/lib/google/bin", "/var/lib/toolbox", "/mnt/disks", "/nix"),
    *_stat("/usr/bin/toolbox"),
    *_read("/run/cloud-init/result.json", "/run/cloud-init/status.json"),
    *_stat("/run/cloud-init/disabled", "/etc/cloud/cloud-init.disabled"),
    *_read("/sys/module/module/parameters/sig_enforce", "/sys/kernel/security/lsm"),
    PacketFilter(),
    *_listed("/sos_commands"),
    *_stat("/usr/sbin/update_engine"),
    *_read("/home/kubernetes/npd-custom-plugins/configs/init-sysctls.conf"),
    *_read("/proc/uptime", "/proc/diskstats", "/proc/1/net/dev"),
    *_read("/proc/1/net/netstat", "/proc/1/net/softnet_stat", "/proc/1/net/stat/nf_conntrack"),
    *_stat("/sys/fs/cgroup/cgroup.controllers"),
    Below("/sys/fs/cgroup/kubepods.slice", ("cpu.stat", "memory.events"), 3),
    Below("/sys/fs/cgroup/system.slice", ("cpu.stat",), 1),
)
