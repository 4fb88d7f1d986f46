"""A bundle with pseudonyms: nobody is named anywhere in it, and what was found on the node is found again."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.facts.snapshot import Facts
from nodediag.model.report import Report
from tests.planted import LINES
from tests.unpacked import whole
from tests.watch.conftest import Node

NODEDIAG: Final = (sys.executable, "-I", "-m", "nodediag")
NODES: Final = Path(__file__).parent.parent / "nodes"
COS: Final = NODES / "gke-cos-containerd-1.34/root"
NAME: Final = "gke-shop-pool-1-0a1b2c3d-x1y2"
# what names a person, a machine, a customer; in every place and way in which a node says it
NAMED: Final = (
    NAME, "shop", "acme-prod-1", "payments", "checkout-7d8b49557c-xbcdf", "zoe", "nfs-7.corp.example", "corp.example",
    "api.corp.example", "10.128.0.7", "34.72.1.2", "2600:1900:4000::7", "42:01:0a:80:00:07",
)  # fmt: skip
SICK: Final = (
    'E1121 10:00:00.0 1222 kubelet.go:2040] "Skipping pod synchronization" err="PLEG is not healthy: pleg was last seen'
    ' active 5m10s ago; threshold is 3m0s"'
)
MESSAGES: Final = (
    f'E1121 10:00:00.0 1 pod.go:1] "Error" err="dial tcp 10.128.0.7:443\\n34.72.1.2: no" pod="payments/{NAMED[4]}"',
    f'I1121 10:00:00.0 1 kubelet.go:1] "Node" node="{NAME}" providerID="gce://acme-prod-1/us-central1-a/{NAME}"',
    "E1121 10:00:00.0 1 nfs.go:1] mount nfs-7.corp.example:/x as zoe@corp.example from 2600:1900:4000::7",
    "I1121 10:00:00.0 1 a.go:1] veth 42:01:0a:80:00:07 of cloud.google.com/gke-nodepool=pool-1 in dev/sda1",
    'I1121 10:00:00.0 1 a.go:1] pod="dev/checkout-7d8b49557c-xbcdf" is well on nfs-7',
    "I1121 10:00:00.0 1 a.go:1] server: https://api.corp.example:6443, was api.corp.example",
)
MOUNTS: Final = (
    "30 20 0:50 / /home/zoe/data rw,relatime - nfs4 nfs-7.corp.example:/acme-prod-1 rw,addr=10.128.0.7\n"
    "31 20 8:1 / /var/lib/kubelet/pods/x/volumes/nfs/payments rw,relatime - ext4 /dev/sda1 rw\n"
)
OBJECT: Final = {
    "kind": "Node",
    "metadata": {"name": NAME, "labels": {"kubernetes.io/hostname": NAME, "cloud.google.com/gke-nodepool": "pool-1"}},
    "spec": {"podCIDR": "10.128.0.0/24", "providerID": f"gce://acme-prod-1/us-central1-a/{NAME}"},
    "status": {"addresses": [{"type": "InternalIP", "address": "10.128.0.7"}, {"type": "Hostname", "address": NAME}]},
}


def run(*arguments: str, statuses: tuple[int, ...] = (0,)) -> bytes:
    done = subprocess.run([*NODEDIAG, *arguments], capture_output=True, check=False)
    assert done.returncode in statuses, done.stderr
    return done.stdout


def report(root: Path, *arguments: str) -> Report[Facts]:
    told = run("report", "--root", str(root), "--format", "json", *arguments, statuses=(0, 1, 3))
    return msgspec.json.decode(told, type=Report[Facts])


def outcomes(told: Report[Facts]) -> object:
    found = [(check.id, check.outcome, [problem.severity for problem in check.problems]) for check in told.checks]
    return found, told.verdict, told.verdict_because, told.node.image_type, told.node.os, told.node.runtime


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node that says in its journal, its mounts and its object whose it is."""
    made = Node(tmp_path / "home/zoe/node")
    (made.root / "etc/hostname").write_text(f"{NAME}\n")
    with (made.root / "proc/1/mountinfo").open("a") as file:
        file.write(MOUNTS)
    (made.root / "proc/700").mkdir()
    argv = ("/usr/bin/kubelet", f"--hostname-override={NAME}", "--node-ip=10.128.0.7", "--v=2")
    (made.root / "proc/700/cmdline").write_text("\0".join(argv) + "\0")
    (tmp_path / "object.json").write_text(json.dumps(OBJECT))
    made.log(*MESSAGES, SICK)
    return made


@pytest.fixture
def bundle(node: Node, tmp_path: Path) -> Path:
    """Its bundle with pseudonyms."""
    file, key, given = tmp_path / "node.tar.gz", str(tmp_path / "key"), str(tmp_path / "object.json")
    run("bundle", "--root", str(node.root), "-o", str(file), "--node-object", given, "--anonymise", key)
    return file


@pytest.mark.parametrize("name", sorted(path.name for path in NODES.iterdir() if (path / "root").is_dir()))
def test_ids_and_outcomes_are_those_of_the_node(name: str, tmp_path: Path) -> None:
    file, root = tmp_path / "node.tar.gz", NODES / name / "root"
    run("bundle", "--root", str(root), "-o", str(file), "--anonymise", str(tmp_path / "key"))
    plain, again = report(root), report(file)
    assert outcomes(again) == outcomes(plain)
    if plain.node.hostname not in {"unknown", "localhost"}:
        held = whole(file)
        assert plain.node.hostname.encode() not in "".join(held).encode() + b"".join(held.values())


def test_nobody_is_named_in_any_file_nor_by_a_file_s_name(node: Node, bundle: Path) -> None:
    held = whole(bundle)
    public = {path for path in held if "/data/" in path}  # this release's own signatures, the same for everybody
    text = "\n".join(path + "\n" + data.decode() for path, data in held.items() if path not in public)
    assert [name for name in NAMED if re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", text)] == []
    for told in ("PLEG is not healthy", "/dev/sda1", "dev/sda1", "--v=2", 'pod=\\"namespace-', "nfs4"):
        assert told in text
    assert outcomes(report(bundle)) == outcomes(
        report(node.root, "--node-object", str(node.root.parents[2] / "object.json"))
    )


def test_what_somebody_is_called_is_the_same_as_in_a_report_by_that_key(
    node: Node, bundle: Path, tmp_path: Path
) -> None:
    given = ("--node-object", str(tmp_path / "object.json"), "--anonymise", str(tmp_path / "key"))
    made = report(node.root, *given)
    inside = next(data for path, data in whole(bundle).items() if path.endswith("/report.json"))
    packed = msgspec.json.decode(inside, type=Report[Facts])
    assert packed.node == made.node
    assert packed.node.name.startswith("gke-node-")
    assert packed.facts.mounts == made.facts.mounts
    assert packed.facts.node_object == made.facts.node_object
    assert packed.node.name in next(path for path in whole(bundle) if path.endswith("/report.json"))


def test_packed_twice_with_one_key_it_is_the_same_to_the_byte(bundle: Path, tmp_path: Path) -> None:
    made = [tmp_path / name for name in ("a", "b")]
    for file in made:
        run("bundle", "--root", str(bundle), "-o", str(file), "--anonymise", str(tmp_path / "key"))
    assert made[0].read_bytes() == made[1].read_bytes()


def test_no_secret_is_given_away_either(node: Node, tmp_path: Path) -> None:
    node.log(*(f"E1121 10:00:00.0 1 a.go:1] {one.name or 'x'}={one.value}" for one in LINES if "\n" not in one.value))
    file = tmp_path / "node.tar.gz"
    run("bundle", "--root", str(node.root), "-o", str(file), "--anonymise", str(tmp_path / "key"))
    text = b"\n".join(whole(file).values()).decode()
    assert [(one.kind, one.name) for one in LINES if one.left(text)] == []


def test_a_file_of_one_s_own_is_judged_by_and_names_nobody(node: Node, tmp_path: Path) -> None:
    mine, file = tmp_path / "mine.toml", tmp_path / "node.tar.gz"
    mine.write_text(
        'name = "mine"\nversion = "1"\ndate = "2026-01-01"\ndocument = "none"\nsource = "zoe@corp.example"\n'
        'extends = "linux"\n[paths."/home/zoe/data"]\nexecutable = false\nwhy = "of payments"\nsource = "s"\n'
    )
    given = ("--root", str(node.root), "--profile", str(mine))
    run("bundle", *given, "-o", str(file), "--anonymise", str(tmp_path / "key"))
    assert outcomes(report(file)) == outcomes(report(node.root, "--profile", str(mine)))
    (profile,) = (data.decode() for path, data in whole(file).items() if path.endswith("/profile.toml"))
    assert not re.search("zoe|payments", profile)
