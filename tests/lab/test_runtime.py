"""What the container runtime says and how it was configured, on nodes with a real containerd."""

import importlib.util
import shutil
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from nodediag.model.outcome import Outcome, Severity, Verdict
from tests.lab.node import Node
from tests.lab.seen import Seen
from tests.lab.test_log_faults import wait_until

CONFIG: Final = "/etc/containerd/config.toml"
MIRROR: Final = (
    '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."a.example"]\n  endpoint = ["https://b.example"]\n'
)
SOCKET: Final = "/run/containerd/containerd.sock"


def messages(one: Seen, check: str) -> dict[str, str]:
    return {problem.subject.name: problem.message for problem in one.check(check).problems}


def add_client(node: Node) -> None:
    """Put the extra `cri` beside nodediag on a node, as pip would; skips where it is not installed here."""
    for name in ("grpc", "google.protobuf", "typing_extensions"):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            pytest.skip("needs the extra cri")
        source, library = Path(found.origin), next(node.path(f"{node.program}/lib").glob("python3*"))
        if source.name == "__init__.py":
            shutil.copytree(source.parent, library / name.replace(".", "/"), dirs_exist_ok=True)
        else:
            shutil.copy(source, library)


def test_a_containerd_that_lost_its_network_hangs_or_stops_is_told(sick: Node) -> None:
    add_client(sick)
    well = sick.report("--no-logs")
    assert {check: well.check(check).outcome for check in ("runtime.ready", "runtime.network-ready")} == dict.fromkeys(
        ("runtime.ready", "runtime.network-ready"), Outcome.PASSED
    )
    sick.run("sh", "-c", "mv /etc/cni/net.d/* /root/ 2>/dev/null || mv /etc/cni/net.d/* /var/tmp/")
    wait_until(partial(_is_told, sick, "runtime.network-ready"), "containerd has taken note")
    one = sick.report("--no-logs")
    assert "NetworkPluginNotReady" in messages(one, "runtime.network-ready")["NetworkReady"]
    assert set(messages(one, "runtime.cni")) == {"/etc/cni/net.d"}
    assert one.report.verdict is Verdict.UNHEALTHY
    sick.run("systemctl", "kill", "--kill-who=main", "--signal=STOP", "containerd")
    hung = sick.report("--no-logs")
    assert "no answer within" in messages(hung, "runtime.socket")[SOCKET]
    assert hung.check("runtime.ready").outcome is Outcome.UNKNOWN
    sick.run("systemctl", "kill", "--signal=KILL", "containerd", check=False)
    sick.run("systemctl", "stop", "containerd")
    assert set(messages(sick.report("--no-logs"), "runtime.socket")) == {SOCKET}


def _is_told(node: Node, check: str) -> bool:
    return node.report("--no-logs", "--only", check).check(check).outcome is Outcome.FAILED


def test_deprecated_keys_and_broken_lines_of_the_configuration_are_told(sick: Node) -> None:
    text = sick.path(CONFIG).read_text()
    sick.path(CONFIG).write_text(text + MIRROR)
    one = sick.report("--no-logs")
    told = messages(one, "runtime.config-deprecated")["cri.registry.mirrors"]
    assert "DeprecatedMirrorsFieldInContainerdConfiguration" in told
    assert one.check("runtime.config").outcome is Outcome.PASSED
    sick.path(CONFIG).write_text(text + "root = /var\n")
    broken = sick.report("--no-logs")
    assert set(messages(broken, "runtime.config")) == {CONFIG}
    sick.run("systemctl", "restart", "containerd", check=False)
    assert sick.run("systemctl", "is-active", "containerd", check=False).stdout.strip() != "active"


def test_a_shim_whose_bundle_was_removed_is_told_with_its_pid(sick: Node) -> None:
    sick.run("mkdir", "-p", "/var/lib/google/rootfs/bin")
    sick.run("cp", "/home/kubernetes/bin/kubelet", "/var/lib/google/rootfs/bin/sleeper")
    sick.run("ctr", "-n", "k8s.io", "run", "--detach", "--rootfs", "/var/lib/google/rootfs", "lost", "/bin/sleeper")
    well = sick.report("--no-logs")
    assert well.check("runtime.shims").outcome is Outcome.PASSED
    sick.run("rm", "-rf", "/run/containerd/io.containerd.runtime.v2.task/k8s.io/lost", check=False)
    one = sick.report("--no-logs")
    (problem,) = one.check("runtime.shims").problems
    assert problem.severity is Severity.INFO
    assert "k8s.io/lost (its bundle was removed)" in problem.message
    pids = problem.values["pids"]
    assert isinstance(pids, tuple)
    assert sick.run("cat", f"/proc/{pids[0]}/comm").stdout.strip() == "containerd-shim"
