"""The disk that holds the kubelet, the images and the logs, full or gone read-only."""

from itertools import takewhile
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.model.evidence import FileEvidence, StatvfsEvidence
from nodediag.model.outcome import Severity, Subject, Verdict
from tests.lab.node import Node

FULL: Final = {
    "bytes": ("fallocate -l $(df --output=avail -B1 /var | tail -1) /var/full", "disks.space"),
    "inodes": ("mkdir /var/many; cd /var/many; seq 1 70000 | xargs -n 5000 touch || true", "disks.inodes"),
}


@pytest.mark.parametrize(("does", "check"), FULL.values(), ids=FULL)
def test_a_full_disk_is_found(does: str, check: str, sick: Node) -> None:
    sick.run("sh", "-c", does)
    one = sick.report()
    problem = one.counted[f"{check} /var"]
    assert problem.severity is Severity.CRITICAL
    kinds = {type(evidence) for evidence in problem.evidence}
    assert kinds == {StatvfsEvidence, FileEvidence}
    assert "evictionHard in /home/kubernetes/kubelet-config.yaml" in problem.message
    assert (one.report.verdict, one.status) == (Verdict.UNHEALTHY, 1)


def test_a_disk_that_the_kernel_turned_read_only_is_found(sick: Node) -> None:
    device = sick.run("findmnt", "--noheadings", "--output", "SOURCE", "/mnt/stateful_partition").stdout.strip()
    Path(f"/sys/fs/ext4/{Path(device).name}/trigger_fs_error").write_text("1")
    assert sick.run("touch", "/var/x", check=False).returncode != 0
    one = sick.report()
    turned = one.counted["disks.writable /var"]
    assert turned.severity is Severity.CRITICAL
    assert {"ro", "emergency_ro"} & set(turned.observed.split(","))  # kernels before Linux 6.15, and from it on
    assert {"mounts.writable /var", "mounts.writable /var/lib/kubelet"} <= one.counted.keys()
    assert (one.report.verdict, one.status) == (Verdict.UNHEALTHY, 1)
    by_it = {name for name, problem in one.counted.items() if problem.cause == Subject("device", device)}
    assert {name for name in one.counted if name.startswith(("disks.", "mounts."))} <= by_it
    apart = [problem for name, problem in one.counted.items() if name not in by_it]  # a service that cannot write ends
    assert {problem.cause for problem in apart} <= {msgspec.UNSET}
    lines = sick.nodediag("report", "--profile", sick.profile, "--format", "text").stdout.splitlines()
    verdict = " ".join(takewhile(lambda line: not line.startswith(" "), lines))  # it is wrapped where it is long
    assert f"{device} has failed" in verdict
    headlines = [line for line in lines if line.startswith("CRITICAL")]
    assert [line for line in headlines if device in line or "disks." in line or "mounts." in line] == headlines[:1]
