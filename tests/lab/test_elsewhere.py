"""What a broken node was found to have is found again elsewhere, by somebody without rights: in a bundle of it."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Final

from nodediag.model.outcome import Verdict
from nodediag.model.report import Origin
from tests.lab.node import Node
from tests.lab.same import Json
from tests.lab.seen import Seen, seen
from tests.lab.test_log_faults import drop_in, wait_until

NOBODY: Final = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
SICK: Final = """\
[Service]
SyslogIdentifier=kubelet
ExecStartPost=/bin/sh -c 'for at in 1 2 3; do echo "E1121 21:00:00.000000 1 kubelet.go:1] \\\\"Skipping pod \
synchronization\\\\" err=\\\\"PLEG is not healthy: pleg was last seen active 5m$${at}s ago; threshold is \
3m0s\\\\""; done'
"""
SECRET: Final = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
OF_THE_LOOK: Final = ("view", "generated_at", "duration_ms", "captured")
# what is of this machine, not of the node alone, and may be another a moment later
OF_THE_MACHINE: Final = ("memory.", "pressure.", "processes.", "limits.", "rates.", "kernel.", "disks.")


def broken(node: Node) -> None:
    """Break a node in what it logs and in what it mounts, and let it hold a secret."""
    drop_in(node, "kubelet", SICK)
    node.run("systemctl", "restart", "kubelet")
    node.run("mount", "-t", "tmpfs", "-o", "noexec", "over", "/var/lib/kubelet")
    node.run("tee", "-a", "/etc/containerd/config.toml", text=f"\n# password = '{SECRET}'\n")
    logged = ("journalctl", "--unit=kubelet", "--output=cat", "--grep=PLEG is not healthy", "--quiet")
    wait_until(lambda: node.run(*logged, check=False).stdout.count("PLEG") >= 3, "the kubelet logs that it is sick")


def opened(file: Path) -> dict[str, bytes]:
    held: dict[str, bytes] = {}
    with tarfile.open(file) as tar:
        for entry in tar:
            data = tar.extractfile(entry)
            assert data is not None
            held[entry.name.partition("/")[2]] = data.read()
    return held


def carried(node: Node, inside: str, there: Node) -> None:
    """Carry a file from a node to another, where anybody may read it."""
    shutil.copy(node.path(inside), there.path(inside))
    there.path(inside).chmod(0o644)


def of_the_node(text: str | bytes) -> dict[str, Json]:
    told: dict[str, Json] = json.loads(text)
    return {key: value for key, value in told.items() if key not in OF_THE_LOOK}


def by_nobody(there: Node, file: str) -> Seen:
    return seen(there.run(*NOBODY, f"{there.program}/nodediag", "report", "--root", file, check=False))


def test_a_bundle_of_a_broken_node_says_the_same_elsewhere_to_a_user_without_rights(sick: Node, ubuntu: Node) -> None:
    broken(sick)
    file = "/tmp/node.tar.gz"
    done = sick.nodediag("bundle", "--profile", sick.profile, "-o", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sick.run("stat", "--format=%a %u", file).stdout == "600 0\n"
    held = opened(sick.path(file))
    carried(sick, file, ubuntu)
    one = by_nobody(ubuntu, file)
    assert (one.report.view.origin, one.report.view.uid, one.stderr) == (Origin.RECORDING, 65534, "")
    assert of_the_node(one.text) == of_the_node(held["report.json"])
    assert (one.report.verdict, one.status) == (Verdict.UNHEALTHY, 1)
    assert {"mounts.executable /var/lib/kubelet", "logs.critical kubelet.pleg-unhealthy"} <= one.counted.keys()
    assert SECRET.encode() not in b"".join(held.values())
    manifest = json.loads(held["manifest.json"])
    assert manifest["cut"] == []
    assert "root/etc/containerd/config.toml" in {found["path"] for found in manifest["redactions"]}
    assert held["journal.jsonl"].count(b"PLEG is not healthy") >= 3
    assert ubuntu.run("sh", "-c", "ls -d /tmp/nodediag-* || true").stdout == ""


def test_a_bundle_with_pseudonyms_gives_the_same_outcomes_and_does_not_name_the_node(sick: Node, ubuntu: Node) -> None:
    broken(sick)
    file, name = "/tmp/hidden.tar.gz", sick.run("hostname").stdout.strip()
    live = sick.report()
    done = sick.nodediag("bundle", "--profile", sick.profile, "-o", file, "--anonymise", "/tmp/key")
    assert (done.returncode, done.stderr) == (0, "")
    held = opened(sick.path(file))
    carried(sick, file, ubuntu)
    one = by_nobody(ubuntu, file)
    packed: dict[str, Json] = of_the_node(held["report.json"])
    assert of_the_node(one.text)["verdict"] == packed["verdict"] == live.report.verdict.value
    steady = [check for check in live.report.checks if not check.id.startswith(OF_THE_MACHINE)]
    assert [one.check(check.id).outcome for check in steady] == [check.outcome for check in steady]
    assert name.encode() not in b"".join(data for path, data in held.items() if not path.startswith("data/"))
