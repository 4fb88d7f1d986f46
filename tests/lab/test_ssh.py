"""Over SSH: the report on standard output and nothing else, the status, and a connection that ends when it is there."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from nodediag.facts.fact import Unknown
from nodediag.model.outcome import Verdict
from nodediag.model.reason import Code
from tests.hung import HungMount
from tests.lab.machine import call
from tests.lab.node import Node
from tests.lab.seen import seen

PATIENCE_S = 60


class Ssh(Protocol):
    """Runs a command on a node over SSH, on a terminal if wished."""

    def __call__(self, node: Node, *command: str, terminal: bool = ...) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def ssh(tmp_path: Path) -> Ssh:
    """Let us in with a key of our own; the client runs in the node's network, which has no way out."""
    key = tmp_path / "key"
    call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    options = [
        "-F", "none", "-i", str(key), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
        "-o", f"UserKnownHostsFile={tmp_path}/known",
    ]  # fmt: skip

    def run(node: Node, *command: str, terminal: bool = False) -> subprocess.CompletedProcess[str]:
        node.run("tee", "-a", "/etc/ssh/lab_keys", text=key.with_suffix(".pub").read_text())
        way = ["nsenter", f"--target={node.pid}", "--net", "ssh", *options, *(["-tt"] if terminal else [])]
        return subprocess.run(
            [*way, "root@127.0.0.1", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    return run


@pytest.fixture
def hung(sick: Node) -> Iterator[Node]:
    """Give a node on which a file system that never answers lies where the runtime's configuration is."""
    mount = HungMount(Path("/etc/containerd"), sick.pid)
    yield sick
    mount.abort()


def test_the_report_is_all_that_comes_back(ssh: Ssh, healthy: Node) -> None:
    done = ssh(healthy, f"{healthy.program}/nodediag", "report", "--profile", healthy.profile)
    assert done.stderr == ""
    assert seen(done).report.verdict is Verdict.HEALTHY
    assert done.returncode == 0


def test_the_status_comes_back(ssh: Ssh, cos: Node) -> None:
    assert ssh(cos, f"{cos.program}/nodediag", "report").returncode == 1
    assert ssh(cos, f"{cos.program}/nodediag", "report", "--only", "nothing.such").returncode == 2


def test_a_terminal_gets_text_for_a_person(ssh: Ssh, cos: Node) -> None:
    done = ssh(cos, f"TERM=xterm {cos.program}/nodediag", "report", "--profile", cos.profile, terminal=True)
    assert "HEALTHY" in done.stdout.splitlines()[0]
    assert "\x1b[" in done.stdout
    assert done.returncode == 0


def test_a_hung_file_system_does_not_keep_the_connection_open(ssh: Ssh, hung: Node) -> None:
    start = time.monotonic()
    done = ssh(hung, f"{hung.program}/nodediag", "report", "--profile", hung.profile, "--timeout", "20s")
    assert time.monotonic() - start < 20
    one = seen(done)
    config = one.report.facts.containerd_config
    assert isinstance(config, Unknown)
    assert config.reason.code is Code.TIMED_OUT
    assert "containerd_config" in {spot.what for spot in one.report.view.blind_spots}
    assert (one.counted, one.status, one.stderr) == ({}, 0, "")
