"""What `--data DIR` adds without any Python: an image that no release knew, a known issue. The map: test_inputs.py."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from nodediag.facts.snapshot import Facts
from nodediag.model.image import ImageType
from nodediag.model.report import Report

NODES = Path(__file__).parent.parent / "nodes"
FLATCAR = """\
name = "flatcar"
version = "1"
date = "2026-11-01"
document = "Flatcar's documentation"
source = "the system's own partitions"
extends = "linux"
[match]
os_id = "flatcar"
[paths."/usr"]
writable = false
why = "it is verified block by block"
source = "Flatcar's disk layout"
remedy = "boot the other slot"
"""
ISSUE = """\
date = "2026-11-01"
[[issue]]
id = "issue.of-tomorrow"
title = "Pods of this version lose their way"
severity = "warning"
image_types = ["cos_containerd"]
gke = [{ since = "1.34.0-gke.1", before = "MEND" }]
effect = "they do not find home"
workaround = "upgrade the node pool"
source = "release notes of tomorrow"
"""


def report(*arguments: str) -> Report[Facts]:
    command = [sys.executable, "-I", "-m", "nodediag", "report", "--no-logs", "--fail-on", "never", "--format", "json"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return msgspec.json.decode(done.stdout, type=Report[Facts])


def problems(found: Report[Facts], *checks: str) -> list[str]:
    return [problem.subject.name for check in found.checks if check.id in checks for problem in check.problems]


@pytest.mark.parametrize(("options", "wanted"), [("rw", ["/usr"]), ("ro", [])])
def test_an_image_is_added_as_data_without_any_python(options: str, wanted: list[str], tmp_path: Path) -> None:
    node = tmp_path / "node"
    (node / "proc/1").mkdir(parents=True)
    (node / "etc").mkdir()
    (node / "etc/os-release").write_text("ID=flatcar\nVERSION_ID=4230.2.1\nNAME=Flatcar\n")
    (node / "proc/1/mountinfo").write_text(
        "21 1 8:9 / / rw,relatime - ext4 /dev/sda9 rw\n"
        f"22 21 254:0 / /usr {options},relatime - ext4 /dev/mapper/usr {options}\n"
    )
    before = report("--root", str(node))
    assert before.profile is msgspec.UNSET
    (tmp_path / "data/profiles").mkdir(parents=True)
    (tmp_path / "data/profiles/flatcar.toml").write_text(FLATCAR)
    found = report("--root", str(node), "--data", str(tmp_path / "data"))
    assert found.profile is not msgspec.UNSET
    assert (found.profile.name, found.node.image_type, found.node.os.id) == ("flatcar", ImageType.NONE, "flatcar")
    assert problems(found, "mounts.root-read-only", "mounts.writable") == wanted


@pytest.mark.parametrize(("mended", "wanted"), [("1.35", ["issue.of-tomorrow"]), ("1.34.0-gke.1662000", [])])
def test_a_known_issue_is_added_as_data_without_any_python(mended: str, wanted: list[str], tmp_path: Path) -> None:
    node = ("--root", str(NODES / "gke-cos-containerd-1.34/root"))
    (tmp_path / "issues").mkdir()
    (tmp_path / "issues/tomorrow.toml").write_text(ISSUE.replace("MEND", mended))
    assert problems(report(*node), "issues.known") == []
    assert problems(report(*node, "--data", str(tmp_path)), "issues.known") == wanted
