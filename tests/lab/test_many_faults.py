"""One node, broken in many ways at once: each check finds its own, and none of it on a healthy node."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from tests.lab.conftest import Lab
from tests.lab.machine import call
from tests.lab.node import Node
from tests.lab.seen import Seen
from tests.lab.test_log_faults import wait_until
from tests.lab.test_watch import say

POD: Final = "/var/lib/kubelet/pods/7f/volumes/kubernetes.io~flocker/pv-1"
ZOMBIES: Final = 250
# By check and subject of what must be found: what is done to the node.
DONE: Final = {
    "mounts.suid-and-devices /var": "mount -o remount,bind,suid /var",
    "mounts.stateful-partition /var/lib/google": "mount -o nosuid,nodev /dev/other /var/lib/google",
    "storage.supported flocker": f"mkdir -p '{POD}'; mount -t tmpfs flocker '{POD}'",
    "software.toolbox-image image": """
        mount -o remount,rw /
        printf '#!/bin/sh\\n' >/usr/bin/toolbox; chmod +x /usr/bin/toolbox
        echo TOOLBOX_DOCKER_IMAGE=example.com/tools >/etc/default/toolbox""",
    "updates.engine update-engine": """
        printf '#!/bin/sh\\n' >/usr/sbin/update_engine
        mkdir -p /var/lib/update_engine/prefs
        cat /proc/sys/kernel/random/boot_id >/var/lib/update_engine/prefs/update-completed-on-boot-id""",
    "kubelet.configuration authentication.anonymous.enabled": """
        sed -i '/anonymous:/{n;s/false/true/}' /home/kubernetes/kubelet-config.yaml""",
    "runtime.cgroup-driver kubelet": "sed -i 's/cgroupfs/systemd/' /home/kubernetes/kubelet-config.yaml",
    "memory.available node": "sed -i 's/100Mi/99.9%/' /home/kubernetes/kubelet-config.yaml",
    "memory.reserved system": "printf 'kubeReserved:\\n  memory: 1Mi\\n' >>/home/kubernetes/kubelet-config.yaml",
    "kubelet.version-skew containerd": """
        sed -i 's/v1.20.15-gke.13400/v1.32.1-gke.1000/' /etc/default/kubelet; systemctl restart kubelet""",
    "issues.known issue.cgroup-v1-ends": ":",  # as of 1.31, which the kubelet now says it is
    "runtime.snapshotter overlayfs": "cd /var/lib/containerd; mv io.containerd.snapshotter.v1.overlayfs mislaid",
    "boot.jobs slow.service": """
        printf '[Service]\\nType=oneshot\\nExecStart=/bin/sleep 1000\\n' >/run/systemd/system/slow.service
        systemctl daemon-reload; systemctl start --no-block slow""",
    "journald.persistent /var/log/journal": """
        mkdir -p /etc/systemd/journald.conf.d
        printf '[Journal]\\nStorage=volatile\\nSystemMaxUse=1M\\n' >/etc/systemd/journald.conf.d/own.conf""",
    "journald.bounded /var/log/journal": ":",  # the files that are there are larger than that
    "processes.zombies zombies": f"""
        bash -c 'for _ in $(seq {ZOMBIES}); do sleep 2 & done; exec sleep 1000' >/dev/null 2>&1 &""",
    "limits.pids /sys/fs/cgroup/pids/kubepods/pids.max": """
        for at in /sys/fs/cgroup/*/; do mkdir -p $at/kubepods; done
        echo 8 >/sys/fs/cgroup/pids/kubepods/pids.max
        for _ in 1 2 3 4 5 6 7 8; do
          sh -c 'echo $$ >/sys/fs/cgroup/pids/kubepods/cgroup.procs; exec sleep 1000' >/dev/null 2>&1 &
        done""",
    "memory.swap all": """
        dd if=/dev/zero of=/var/swap bs=1M count=2 2>/dev/null
        chmod 600 /var/swap; mkswap -q /var/swap; swapon /var/swap""",
}
# What no test may do to this machine's kernel, or would take half an hour, stands in files bound over the kernel's own,
# as the node's kernel command line does.
BOUND: Final = {
    "cgroups.version version": ("/proc/cmdline", "systemd.unified_cgroup_hierarchy=true"),
    "drift.cmdline mitigations=off": ("/proc/cmdline", "mitigations=off"),
    "kernel.loadpin LoadPin": ("/proc/cmdline", "loadpin.enforce=0"),
    "kernel.module-signing module signatures": ("/proc/cmdline", "module.sig_enforce=0"),
    "limits.cgroups memory cgroups": ("/proc/cgroups", "memory\t9\t60000\t1"),
    "limits.conntrack net.netfilter.nf_conntrack_max": ("/proc/sys/net/netfilter/nf_conntrack_max", "20"),
    "limits.files fs.file-max": ("/proc/sys/fs/file-nr", "1800000\t0\t2000000"),
    "limits.inotify fs.inotify.max_user_instances": ("/proc/sys/fs/inotify/max_user_instances", "100"),
    "pressure.cpu cpu.some": ("/proc/pressure/cpu", "some avg10=97.00 avg60=95.00 avg300=93.00 total=9"),
    "pressure.io io.some": ("/proc/pressure/io", "some avg10=97.00 avg60=95.00 avg300=93.00 total=9"),
    "pressure.memory memory.some": ("/proc/pressure/memory", "some avg10=97.00 avg60=95.00 avg300=93.00 total=9"),
    "processes.load node": ("/proc/loadavg", "90.00 80.00 70.00 2/700 999"),
}
LOGGED: Final = {
    "logs.warning kubelet.panic": "util.go:82] Recovered from panic: invalid memory address",
    "logs.evictions kubelet.pod-storage-limit": "a.go:1] Container web exceeded its local ephemeral storage limit 1Gi",
    "logs.node-updates kubelet.node-lease-retried": "controller.go:1]"
    " failed to update lease using latest lease, fallback to ensure lease",
    "node.conditions-agree MemoryPressure": "eviction_manager.go:1] attempting to reclaim memory",
}
# What is known of a node elsewhere says something else than the node.
GIVEN: Final = (
    "image.node-object kernelVersion", "image.source-project gke-12015-gke13400-cos-85-13310-1260-8-c-pre",
    "image.source-version gke-12015-gke13400-cos-85-13310-1260-8-c-pre", "image.version-map build",
    "node.conditions Ready",
)  # fmt: skip
AT_ONCE: Final = """
[startup]
boot_minutes = 10
job_minutes = 0
remedy = "end the job"
why = "a test waits for seconds"
source = "the lab"
"""
NOW: Final = datetime.now(UTC)


def node_object(node: Node, *, ready: str, kernel: str, provider: str = "gce://p/a/b") -> str:
    """Give the node's object as the Kubernetes API has it."""
    later = f"{NOW + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    told = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.run("hostname").stdout.strip(),
            "creationTimestamp": f"{NOW - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
            "labels": {"cloud.google.com/gke-nodepool": "default-pool", "cloud.google.com/gke-os-distribution": "cos"},
        },
        "spec": {"providerID": provider},
        "status": {
            "conditions": [
                {"type": kind, "status": status, "lastHeartbeatTime": later, "lastTransitionTime": later}
                for kind, status in (("Ready", ready), ("MemoryPressure", "False"))
            ],
            "nodeInfo": {
                "kernelVersion": kernel,
                "osImage": "Container-Optimized OS from Google",
                "containerRuntimeVersion": "containerd://1.6.20",
            },
        },
    }
    return json.dumps(told)


def instance(name: str, project: str) -> str:
    source = f"projects/{project}/global/images/{name}"
    return json.dumps({"properties": {"disks": [{"boot": True, "initializeParams": {"sourceImage": source}}]}})


def versions(gke: str, image: str) -> str:
    return json.dumps({"creation_time": f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "entries": [{"gke_version": gke, "image": image}]})


def given(node: Node, told: dict[str, str], profile: str) -> Seen:
    """Have a report made by an own profile, with what is told of the node elsewhere."""
    options = []
    for option, text in told.items():
        file = f"/run/told-{option}.json"
        node.run("tee", file, text=text)
        options += [f"--{option}", file]
    node.run("tee", "/run/own.toml", text=profile)
    return node.report(*options, "--profile", "/run/own.toml")


def found(one: Seen) -> set[str]:
    return {f"{check.id} {problem.subject.name}" for check in one.report.checks for problem in check.problems}


def bind(node: Node) -> None:
    """Bind files over the kernel's own; what several say of one file stands in it line by line, or behind what was."""
    said: dict[str, list[str]] = {}
    for path, text in BOUND.values():
        said.setdefault(path, []).append(text)
    for path, texts in said.items():
        was = [node.run("cat", path).stdout.strip()] if path == "/proc/cmdline" else []
        own = f"/run/bound-{path.replace('/', '-')}"
        node.run("tee", own, text=" ".join([*was, *texts]) + "\n")
        node.run("mount", "--bind", own, path)


def another_disk(node: Node) -> None:
    """Give the node a disk that is not its stateful one, which goes with its mount."""
    file = node.roots.folder / "other.img"
    call("truncate", "--size=16M", file)
    call("mke2fs", "-q", "-t", "ext4", file)
    device = call("losetup", "--find", "--show", file).stdout.strip()
    node.run("mknod", "/dev/other", "b", "7", device.removeprefix("/dev/loop"))


@pytest.fixture(scope="module")
def broken(lab: Lab, well: set[str]) -> Iterator[Node]:
    """Give one node with all of it, once the healthy one was looked at: both have the kernel of this machine."""
    del well
    node = lab.boot("cos")
    try:
        another_disk(node)
        node.filter("-A INPUT -m conntrack --ctstate INVALID -j DROP")  # from here on its connections are tracked
        for does in DONE.values():
            node.run("sh", "-ec", does)
        node.run("bash", "-c", "for port in {20001..20030}; do echo >/dev/udp/127.0.0.1/$port; done")
        bind(node)
        for line in LOGGED.values():
            say(node, f"E1121 10:00:00.000000 1 {line}")
        dead = ("sh", "-c", "ps -e -o stat= | grep -c ^Z")
        wait_until(lambda: int(node.run(*dead, check=False).stdout) >= ZOMBIES, "they have ended")
        yield node
    finally:
        node.run("swapoff", "/var/swap", check=False)
        node.stop()


@pytest.fixture(scope="module")
def sick(broken: Node) -> tuple[Node, Seen]:
    return broken, given(
        broken,
        {
            "node-object": node_object(broken, ready="False", kernel="5.4.1+"),
            "instance": instance("gke-12015-gke13400-cos-85-13310-1260-8-c-pre", "acme-images"),
            "gke-versions": versions("1.32.1-gke.1000", "cos-117-18613-75-72"),
        },
        broken.path(broken.profile).read_text() + AT_ONCE,
    )


@pytest.fixture(scope="module")
def well(cos: Node) -> set[str]:
    """Give what is found of a healthy node of which nobody says anything else."""
    one = given(
        cos,
        {
            "node-object": node_object(cos, ready="True", kernel=cos.run("uname", "-r").stdout.strip()),
            "instance": instance("gke-12015-gke13400-cos-85-13310-1366-8-c-pre", "gke-node-images"),
            "gke-versions": versions("1.20.15-gke.13400", "cos-85-13310-1366-8"),
        },
        cos.path(cos.profile).read_text() + AT_ONCE,
    )
    return found(one)


@pytest.mark.parametrize("expected", [*DONE, *BOUND, *LOGGED, *GIVEN])
def test_each_check_finds_its_own_on_a_node_with_many_faults_and_none_on_a_healthy_one(
    expected: str, sick: tuple[Node, Seen], well: set[str]
) -> None:
    assert expected in found(sick[1])
    assert expected not in well


def test_each_of_them_shows_what_it_rests_on_and_says_what_to_do(sick: tuple[Node, Seen]) -> None:
    for check in sick[1].report.checks:
        for problem in check.problems:
            assert problem.evidence, check.id
            assert problem.remedy or problem.severity == "info", check.id


def test_an_object_of_another_cloud_is_found(cos: Node, well: set[str]) -> None:
    told = node_object(cos, ready="True", kernel="5.4.1+", provider="aws:///a/i-1")
    one = given(cos, {"node-object": told}, cos.path(cos.profile).read_text())
    assert "image.platform platform" in found(one) - well


def test_a_label_of_another_runtime_is_found(sick: tuple[Node, Seen], well: set[str]) -> None:
    node, before = sick
    node.run("sed", "-i", "s/gke-container-runtime=containerd/gke-container-runtime=docker/", "/etc/default/kubelet")
    node.run("systemctl", "restart", "kubelet")
    assert "image.consistent label-names-another-runtime" in found(node.report("--no-logs")) - found(before) - well
