"""What a broken node was found to have is found again elsewhere: in its bundle, and in a sosreport by sos."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from nodediag.model.outcome import Outcome, Verdict
from nodediag.model.report import Origin
from tests.lab.machine import LabError
from tests.lab.node import Node
from tests.lab.same import Json
from tests.lab.seen import NOT_HERE, Seen, seen
from tests.lab.test_log_faults import drop_in, wait_until
from tests.unpacked import opened

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
PLUGINS: Final = "date,filesys,host,kernel,logs,memory,process,release,systemd"
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


def with_sos(node: Node) -> None:
    """Give a node this machine's sos and Python: both are of one release of Debian."""
    python = Path("/usr/bin/python3").resolve()
    library = Path("/usr/lib") / python.name
    needed = subprocess.run(
        ["ldd", python, *library.glob("lib-dynload/*.so")], capture_output=True, text=True, check=False
    )
    shared = {word for word in needed.stdout.split() if word.startswith("/") and word[-1] != ":"}
    lacking = [file for file in sorted(shared) if not node.path(file).exists()]
    modules = [f"/usr/lib/python3/dist-packages/{name}" for name in ("sos", "pexpect", "ptyprocess")]
    paths = ["/usr/bin/python3", str(python), str(library), "/usr/bin/sos", "/etc/sos", *modules, *lacking]
    pack = ["tar", "-C", "/", "--exclude=__pycache__", "-c", *(path[1:] for path in paths)]
    packed = subprocess.run(pack, capture_output=True, check=True)
    subprocess.run(["tar", "-C", node.path("/"), "--keep-directory-symlink", "-x"], input=packed.stdout, check=True)


def sosreport(node: Node) -> str:
    """Have sos look at the node it runs on, and name what it made."""
    node.run("mkdir", "/tmp/sos")
    done = node.run(
        "sos", "report", "--batch", "--quiet", "--only-plugins", PLUGINS, "--tmp-dir", "/tmp/sos", timeout=300
    )
    made = node.run("sh", "-c", "ls /tmp/sos/sosreport-*.tar.*z", check=False).stdout.strip()
    if not made:
        raise LabError(f"sos made nothing: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return made


@pytest.mark.skipif(shutil.which("sos") is None, reason="needs the Debian package sosreport")
def test_a_sosreport_by_sos_tells_what_is_in_it_and_says_what_is_not(sick_ubuntu: Node, ubuntu: Node) -> None:
    drop_in(sick_ubuntu, "kubelet", SICK)
    sick_ubuntu.run("systemctl", "restart", "kubelet")
    with_sos(sick_ubuntu)
    live = sick_ubuntu.report()
    made, file = sosreport(sick_ubuntu), "/tmp/sosreport.tar.xz"
    sick_ubuntu.run("mv", made, file)
    carried(sick_ubuntu, file, ubuntu)
    program = f"{ubuntu.program}/nodediag"
    done = ubuntu.run(*NOBODY, program, "report", "--root", file, "--profile", ubuntu.profile, check=False)
    one = seen(done)
    assert (one.report.view.origin, one.stderr) == (Origin.SOSREPORT, "")
    late_s = (one.report.observed_at - live.report.observed_at).total_seconds()
    assert 0 <= late_s < 300
    assert one.report.node.image_type is live.report.node.image_type
    assert one.report.node.os == live.report.node.os
    assert one.report.node.hostname == live.report.node.hostname
    assert one.report.logs.reader == "printed"
    assert "logs.critical kubelet.pleg-unhealthy" in one.counted
    assert any("priorities of entries" in spot.reason.detail for spot in one.report.logs.losses)
    looked = {Outcome.PASSED, Outcome.FAILED}
    told = [
        check
        for check in one.report.checks
        if check.outcome in looked and not check.id.startswith(OF_THE_MACHINE) and check.id not in NOT_HERE
    ]
    assert {check.id: check.outcome for check in told} == {check.id: live.check(check.id).outcome for check in told}
    assert {"image.identified", "mounts.writable", "mounts.executable", "kubelet.running", "logs.readable"} <= {
        check.id for check in told
    }
    assert all(check.reason for check in one.report.checks if check.outcome is Outcome.UNKNOWN)
