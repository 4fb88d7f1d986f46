"""A bundle says elsewhere what the node said, takes no more room than it may, and gives no secret away."""

import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.bundle.pack import MANIFEST, Manifest, Member, Packing, fitting, survivors
from nodediag.bundle.rescan import Rule, rules
from nodediag.facts.snapshot import Facts
from nodediag.model.report import Origin, Report
from tests.bundle.test_archive import RELEASE, archived
from tests.cli.test_cli import on_a_terminal
from tests.planted import LINES
from tests.unpacked import opened
from tests.watch.conftest import Node

NODEDIAG: Final = (sys.executable, "-I", "-m", "nodediag")
NODES: Final = Path(__file__).parent.parent / "nodes"
COS: Final = NODES / "gke-cos-containerd-1.34/root"
SICK: Final = (
    'E1121 10:00:00.000000 1222 kubelet.go:2040] "Skipping pod synchronization" err="PLEG is not healthy: pleg was last'
    ' seen active 5m10.{}s ago; threshold is 3m0s"'
)
FULL: Final = Path("/dev/full")


def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run([*NODEDIAG, *arguments], capture_output=True, check=False)
    assert done.returncode == status, done.stderr
    assert b"Traceback" not in done.stderr
    return done


def report(root: Path, *arguments: str) -> Report[Facts]:
    done = run("report", "--root", str(root), "--format", "json", "--fail-on", "never", *arguments)
    return msgspec.json.decode(done.stdout, type=Report[Facts])


def bundle(root: Path, output: Path, *arguments: str) -> dict[str, bytes]:
    """Make a bundle, and give what is in it."""
    run("bundle", "--root", str(root), "-o", str(output), *arguments)
    return opened(output)


def inside(file: Path) -> Report[Facts]:
    """Give the report that a bundle holds: of the look at the node itself."""
    return msgspec.json.decode(opened(file)["report.json"], type=Report[Facts])


def same(one: Report[Facts], other: Report[Facts]) -> bool:
    times = {"generated_at": one.generated_at, "duration_ms": {}, "view": one.view, "captured": msgspec.UNSET}
    return msgspec.structs.replace(one, **times) == msgspec.structs.replace(other, **times)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with a journal: a fault, and much that is none."""
    made = Node(tmp_path / "node")
    made.log(*(f"I1121 09:00:00.000000 1222 sync.go:1] quiet {number} {os.urandom(8).hex()}" for number in range(900)))
    made.log(*(SICK.format(number) for number in range(3)))
    return made


@pytest.mark.parametrize("name", sorted(path.name for path in NODES.iterdir() if (path / "root").is_dir()))
@pytest.mark.parametrize("form", ["packed", "unpacked"])
def test_a_bundle_says_what_the_node_said(name: str, form: str, tmp_path: Path) -> None:
    file = tmp_path / "node.tar.gz"
    bundle(NODES / name / "root", file)
    live = inside(file)
    if form == "unpacked":
        run_tar = subprocess.run(["tar", "-xzf", file, "-C", tmp_path], check=False)
        assert run_tar.returncode == 0
        (file,) = tmp_path.glob("nodediag-*")
    again = report(file)
    assert (again.view.origin, again.view.root) == (Origin.RECORDING, str(file))
    assert same(live, again)
    assert isinstance(again.captured, msgspec.Struct)
    assert (again.captured.verdict, again.captured.version) == (live.verdict, live.tool.version)


def test_a_node_with_a_journal_takes_what_tells_most_along(node: Node, tmp_path: Path) -> None:
    file = tmp_path / "node.tar.gz"
    held = bundle(node.root, file)
    assert same(inside(file), report(file))
    lines = [json.loads(line) for line in held["journal.jsonl"].splitlines()]
    assert [line["MESSAGE"] for line in lines[:3]] == [SICK.format(number) for number in range(3)]
    assert all(line["__CURSOR"] for line in lines[:3])
    (tmp_path / "lines").write_bytes(held["journal.jsonl"])
    logs = json.loads(run("logs", "--input", str(tmp_path / "lines"), "--format", "json", status=1).stdout)
    assert [found["condition"] for found in logs["signatures"]] == ["pleg-unhealthy"]


def test_the_manifest_lists_every_file(node: Node, tmp_path: Path) -> None:
    held = bundle(node.root, tmp_path / "node.tar.gz")
    manifest = msgspec.json.decode(held.pop(MANIFEST), type=Manifest)
    listed = {one.path: (one.size_bytes, one.sha256) for one in manifest.files}
    assert listed == {path: (len(data), sha256(data).hexdigest()) for path, data in held.items()}
    assert manifest.cut == ()
    sources = {one.path.removeprefix("root/"): one.source for one in manifest.files}
    assert sources.items() >= {
        "report.json": "the diagnosis", "report.txt": "the diagnosis", "logs.json": "the diagnosis",
        "answers.jsonl": "the node", "etc/os-release": "the node", "proc/1/mountinfo": "the node",
        "journal.jsonl": "the journal", "nodediag.jsonl": "nodediag's own log",
        "data/profile.toml": "the profile that judged",
        "data/signatures/kubelet.toml": "the signatures that were looked for",
    }.items()  # fmt: skip


def test_a_bundle_is_private_and_what_stood_there_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "node.tar.gz"
    file.write_bytes(b"old")
    bundle(COS, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["node.tar.gz"]


def test_one_recording_packed_twice_gives_equal_bytes(node: Node, tmp_path: Path) -> None:
    bundle(node.root, tmp_path / "first.tar.gz")
    bundle(tmp_path / "first.tar.gz", tmp_path / "second.tar.gz")
    bundle(tmp_path / "first.tar.gz", tmp_path / "third.tar.gz")
    assert (tmp_path / "second.tar.gz").read_bytes() == (tmp_path / "third.tar.gz").read_bytes()
    assert same(report(tmp_path / "second.tar.gz"), inside(tmp_path / "first.tar.gz"))
    assert opened(tmp_path / "second.tar.gz")["journal.jsonl"] == opened(tmp_path / "first.tar.gz")["journal.jsonl"]


def test_a_profile_that_somebody_named_judges_wherever_the_bundle_is_opened(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'name = "mine"\nversion = "1"\ndate = "2026-01-01"\ndocument = "none"\nsource = "a test"\nextends = "linux"\n'
        '[paths."/dev"]\nexecutable = false\nwhy = "w"\nsource = "s"\n'
    )
    file = tmp_path / "node.tar.gz"
    bundle(COS, file, "--profile", str(mine))
    mine.unlink()
    again = report(file)
    assert same(inside(file), again)
    assert isinstance(again.profile, msgspec.Struct)
    assert again.profile.name == "mine"


def test_no_more_of_the_journal_is_taken_than_fits_and_that_is_said(node: Node, tmp_path: Path) -> None:
    whole = tmp_path / "whole.tar.gz"
    bundle(node.root, whole)
    most = whole.stat().st_size - 2000
    held = bundle(node.root, tmp_path / "cut.tar.gz", "--max-size", str(most))
    assert (tmp_path / "cut.tar.gz").stat().st_size <= most
    manifest = msgspec.json.decode(held[MANIFEST], type=Manifest)
    (cut,) = (one for one in manifest.files if one.left_out)
    assert (manifest.cut, cut.path) == (("journal.jsonl",), "journal.jsonl")
    assert cut.left_out + held["journal.jsonl"].count(b"\n") == opened(whole)["journal.jsonl"].count(b"\n")
    assert held["journal.jsonl"].count(b"PLEG is not healthy") == 3
    assert same(report(tmp_path / "cut.tar.gz"), inside(tmp_path / "cut.tar.gz"))


def test_what_the_verdict_rests_on_is_never_cut(tmp_path: Path) -> None:
    done = run("bundle", "--root", str(COS), "-o", str(tmp_path / "a"), "--max-size", "1kB", status=4)
    assert b"what the verdict rests on takes" in done.stderr
    assert not (tmp_path / "a").exists()


def test_a_bundle_goes_to_standard_output_too(node: Node, tmp_path: Path) -> None:
    bundle(node.root, tmp_path / "file.tar.gz")
    (tmp_path / "piped.tar.gz").write_bytes(run("bundle", "--root", str(node.root), "-o", "-").stdout)
    assert opened(tmp_path / "piped.tar.gz").keys() == opened(tmp_path / "file.tar.gz").keys()


@pytest.mark.parametrize("files", [0, 1, 300])
def test_no_bundle_is_larger_than_it_was_said_to_be_at_most(files: int) -> None:
    made = io.BytesIO()
    with Packing(made, "top", "1", datetime(2026, 1, 1, tzinfo=UTC)) as packing:
        packing.add(Member(path=f"a/{name}", data=os.urandom(500), source="x", left_out=1) for name in range(files))
        most = packing.size_bytes()
    assert most - 1500 < len(made.getvalue()) <= most


def test_an_estimate_writes_nothing(tmp_path: Path) -> None:
    done = run("bundle", "--root", str(COS), "-o", str(tmp_path / "a"), "--estimate")
    assert b"  packed\n" in done.stdout
    assert b"root/proc/1/mountinfo" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_estimate_is_what_a_bundle_comes_to(node: Node, tmp_path: Path) -> None:
    held = bundle(node.root, tmp_path / "a")
    size = (tmp_path / "a").stat().st_size
    *rows, packed = run("bundle", "--root", str(node.root), "--estimate").stdout.decode().splitlines()
    assert {row.split()[1] for row in rows} == held.keys() - {MANIFEST}
    assert abs(int(packed.split()[0]) - size) < size / 20
    cut = run("bundle", "--root", str(node.root), "--estimate", "--max-size", str(size - 3000)).stdout
    assert re.search(rb"journal.jsonl  \(\d+ lines left out\)", cut)


def test_a_terminal_is_told_what_takes_its_time_and_then_no_more(tmp_path: Path) -> None:
    given = ("bundle", "--root", str(COS), "-o", str(tmp_path / "a"))
    clear = b"\r\x1b[K"
    shown = on_a_terminal(*given)
    steps = (b"looking at the node", b"packing", b"looking for secrets that are left")
    assert shown == b"".join(clear + step + b" ..." for step in steps) + clear
    failed = on_a_terminal(*given, "--max-size", "1kB")
    assert clear + b"nodediag: --max-size 1000: what the verdict rests on takes " in failed
    assert run(*given).stderr == b""


def test_a_bundle_that_does_not_fit_on_the_disk_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "node.tar.gz"
    file.write_bytes(b"old")
    limited = ("sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *NODEDIAG, "bundle", "--root", str(COS), "-o", str(file))
    done = subprocess.run(limited, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (4, f"nodediag: -o {file}: File too large\n".encode())
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("node.tar.gz", b"old")]


def test_a_bundle_that_is_stopped_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "node.tar.gz"
    file.write_bytes(b"old")
    with subprocess.Popen([*NODEDIAG, "bundle", "--root", str(COS), "-o", str(file)]) as process:
        while not list(tmp_path.glob(".nodediag-*")) and process.poll() is None:
            time.sleep(0.001)
        process.terminate()
    assert process.returncode == -signal.SIGTERM
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("node.tar.gz", b"old")]


def test_a_bundle_changes_nothing_of_the_node(node: Node, tmp_path: Path) -> None:
    def now() -> dict[Path, tuple[int, ...]]:
        found = ((path, path.lstat()) for path in (node.root, *node.root.rglob("*")))
        return {path: (one.st_ino, one.st_mode, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for path, one in found}

    before = now()
    bundle(node.root, tmp_path / "a")
    assert now() == before


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("output", ["/dev/full", "/nowhere/node.tar.gz"])
def test_a_bundle_that_cannot_be_written_is_told(output: str) -> None:
    done = run("bundle", "--root", str(COS), "-o", output, status=4)
    assert done.stderr.startswith(f"nodediag: -o {output}: ".encode())


def test_no_secret_of_the_journal_is_given_away(node: Node, tmp_path: Path) -> None:
    node.log(*(f"E1121 10:00:00.0 1 a.go:1] {one.name or 'x'}={one.value}" for one in LINES if "\n" not in one.value))
    text = b"\n".join(bundle(node.root, tmp_path / "node.tar.gz").values()).decode()
    assert [(one.kind, one.name) for one in LINES if one.left(text)] == []


def test_a_secret_that_survives_is_named_by_kind_and_place_alone() -> None:
    token = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
    member = Member(path="root/etc/a", data=f"one\nx {token}\n".encode(), source="the node")
    made = io.BytesIO()
    with Packing(made, "top", "1", datetime(2026, 1, 1, tzinfo=UTC)) as packing:
        packing.add([member])
    assert [(one.path, one.line) for one in survivors(made)] == [("top/root/etc/a", 2)]
    assert token not in repr(survivors(made))


@pytest.mark.parametrize("rule", rules().rule, ids=lambda rule: rule.id)
def test_a_secret_of_each_kind_is_found_in_what_was_packed(rule: Rule) -> None:
    made = io.BytesIO()
    with Packing(made, "top", "1", datetime(2026, 1, 1, tzinfo=UTC)) as packing:
        packing.add(
            Member(path=f"root/etc/{number}", data=f"# a\n{sample}\n".encode(), source="the node")
            for number, sample in enumerate(rule.samples)
        )
    assert {one.path for one in survivors(made)} == {f"top/root/etc/{number}" for number in range(len(rule.samples))}


@pytest.mark.parametrize("kind", ["openshift-token", "code-hosts", "private-key", "vault-token"])
def test_a_secret_in_a_recording_stops_the_bundle_which_names_it_and_not_its_value(kind: str, tmp_path: Path) -> None:
    (sample,) = next(rule.samples for rule in rules().rule if rule.id == kind)
    run("report", "--root", str(COS), "--record", str(tmp_path / "recording"), status=3)
    file = tmp_path / "recording/root/etc/os-release"
    file.write_text(f"{file.read_text()}# {sample}\n")
    done = run("bundle", "--root", str(tmp_path / "recording"), "-o", str(tmp_path / "a.tar.gz"), status=4)
    assert b"root/etc/os-release line " in done.stderr
    assert kind.encode() in done.stderr
    secret = max(sample.split(), key=len)
    assert secret.encode() not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["recording"]


@pytest.mark.parametrize("room", [0, 1, 100, 5000, 10**9])
def test_as_many_lines_are_kept_as_fit(room: int) -> None:
    lines = b"".join(os.urandom(30).hex().encode() + b"\n" for _ in range(300))
    kept, left_out = fitting(lines, room)
    assert lines.startswith(kept)
    assert kept.count(b"\n") + left_out == 300
    assert left_out == 0 or room < 10**9
    assert (kept == b"") == (room < 10)


def test_both_verdicts_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "node.tar.gz"
    bundle(COS, file)
    shown = " ".join(run("report", "--root", str(file), "--format", "text", status=3).stdout.decode().split())
    assert "When it was bundled, by nodediag 0.1.0, the verdict was unknown." in shown


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_a_newer_version_shows_the_verdict_of_the_older_one_beside_its_own(form: str, tmp_path: Path) -> None:
    bundle(COS, tmp_path / "node.tar.gz")
    assert subprocess.run(["tar", "-xzf", tmp_path / "node.tar.gz", "-C", tmp_path], check=False).returncode == 0
    (folder,) = tmp_path.glob("nodediag-*")
    told = json.loads((folder / "report.json").read_text())
    told["verdict"], told["tool"]["version"], told["more"] = "healthy", "0.0.9", "which this version does not know"
    (folder / "report.json").write_text(json.dumps(told))
    shown = run("report", "--root", str(folder), "--format", form, status=3).stdout.decode()
    if form == "json":
        assert json.loads(shown)["captured"] == {"verdict": "healthy", "version": "0.0.9"}
        assert json.loads(shown)["verdict"] == "unknown"
    else:
        plain = " ".join(re.sub("<[^>]*>|[`*\\\\]", "", shown).split())
        assert "When it was bundled, by nodediag 0.0.9, the verdict was healthy." in plain
        assert "unknown" in plain.lower()


def test_an_archive_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "node.tar.gz"
    bundle(COS, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert b"wanted a bundle" in run("report", "--root", str(file), status=2).stderr


def test_bundles_are_compared_as_reports_are(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.tar.gz", tmp_path / "bad.tar.gz"
    bundle(COS, good)
    bundle(NODES / "gke-cos-containerd-2020-noexec-volumes/root", bad)
    (tmp_path / "bad.json").write_bytes(opened(bad)["report.json"])
    assert run("diff", str(good), str(good)).stderr == b""
    shown = run("diff", str(good), str(bad), status=1).stdout
    assert b"mounts.executable" in shown
    assert json.loads(shown)["after"] != json.loads(shown)["before"]
    none = archived(tmp_path / "none.tar.gz", RELEASE)
    assert b"neither a report nor a bundle" in run("diff", str(none), str(good), status=2).stderr
