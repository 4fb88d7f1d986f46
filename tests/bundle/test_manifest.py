"""What a bundle says of each of its files: when and how long it was read, which kinds of secrets were masked in it."""

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.bundle.gather import read
from nodediag.bundle.pack import MANIFEST, Manifest
from nodediag.host.answer import Content, CriAnswer, ProcessList, Reply
from nodediag.host.answer_parts import RuntimeCondition
from nodediag.host.ask import Ask, Cri, Read
from nodediag.host.origin import open_host
from nodediag.host.recording import Head, Recorder, files
from nodediag.host.redacting import RedactingSource
from nodediag.model.report import Origin
from nodediag.redact import rules
from tests import unpacked
from tests.watch.conftest import Node

NODEDIAG: Final = (sys.executable, "-I", "-m", "nodediag")
TOKEN: Final = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
HEAD: Final = Head(version="1", observed_at=datetime(2026, 1, 1, tzinfo=UTC), origin=Origin.TREE, root="/")
KUBECONFIG: Final = "clusters: [{name: a, cluster: {server: 'https://u:hunter4hunter4@10.0.0.2'}}]\n"
KEY: Final = ("-----BEGIN RSA PRIVATE KEY-----", *("MIIEpAIBAAKCAQEA7" * 3,) * 4, "-----END RSA PRIVATE KEY-----")


class Runtime:
    """A source that answers as a container runtime does."""

    def __init__(self, said: Reply) -> None:
        self._said = said

    def answer(self, ask: Ask) -> Reply:
        del ask
        return self._said


def run(*arguments: str) -> None:
    done = subprocess.run([*NODEDIAG, *arguments], capture_output=True, check=False)
    assert done.returncode in {0, 1, 3}, done.stderr


def opened(file: Path) -> tuple[Manifest, dict[str, bytes]]:
    held = unpacked.opened(file)
    return msgspec.json.decode(held.pop(MANIFEST), type=Manifest), held


def kinds(manifest: Manifest) -> dict[tuple[str, str], Counter[str]]:
    found: dict[tuple[str, str], Counter[str]] = {}
    for one in manifest.redactions:
        found.setdefault((one.path, one.of), Counter())[one.kind] += one.count
    return found


def timings(manifest: Manifest) -> dict[str, object]:
    """Give when and how long what was read was read."""
    read = (one for one in manifest.files if one.source in {"the node", "the journal"})
    return {one.path: (one.at, one.took_us) for one in read}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node with secrets: in a file, in a command line, in its journal and in its node object."""
    made = Node(tmp_path / "node")
    with (made.root / "etc/os-release").open("a") as file:
        file.write(f"A_PASSWORD=hunter2hunter2\nB_PASSWORD=hunter3hunter3\nC={TOKEN}\n")
    (made.root / "proc/700").mkdir()
    (made.root / "proc/700/cmdline").write_text(
        "/usr/bin/kubelet\0--token\0abcdef0123456789\0--kubeconfig=/var/lib/kubelet/kubeconfig\0"
    )
    (made.root / "var/lib/kubelet").mkdir(parents=True)
    (made.root / "var/lib/kubelet/kubeconfig").write_text(KUBECONFIG)
    made.log(f"I1121 10:00:00.0 1 a.go:1] {TOKEN}", "I1121 10:00:00.0 1 a.go:1] well", *KEY)
    return made


@pytest.fixture
def bundle(node: Node, tmp_path: Path) -> Path:
    file = tmp_path / "object.json"
    file.write_text(json.dumps({"kind": "Node", "metadata": {"name": "a", "labels": {"x-api-key": TOKEN}}}))
    run("bundle", "--root", str(node.root), "-o", str(tmp_path / "node.tar.gz"), "--node-object", str(file))
    return tmp_path / "node.tar.gz"


def test_what_was_masked_is_listed_by_file_and_kind_and_never_shown(bundle: Path) -> None:
    manifest, held = opened(bundle)
    assert kinds(manifest) == {
        ("root/etc/os-release", "/etc/os-release"): Counter({"environment": 2, "github-key": 1}),
        ("answers.jsonl", "the process list"): Counter({"argument-next": 1}),
        ("answers.jsonl", "/var/lib/kubelet/kubeconfig"): Counter({"url-password": 1}),
        ("inputs.json", ""): Counter({"github-key": 1}),
        ("journal.jsonl", ""): Counter({"github-key": 1, "private-key-cut": 1}),
    }
    assert {one.kind for one in manifest.redactions} <= {rule.id for rule in rules().rule}
    assert {one.path for one in manifest.redactions} <= held.keys()
    for secret in ("hunter2", "hunter3", "hunter4", TOKEN, "abcdef0123456789", KEY[1]):
        assert secret.encode() not in msgspec.json.encode(manifest) + b"".join(held.values())


def test_what_a_runtime_said_that_was_masked_is_listed(tmp_path: Path) -> None:
    bad = RuntimeCondition("NetworkReady", status=False, reason="x", message="password=hunter2hunter2")
    source = RedactingSource(Runtime(CriAnswer(api="v1", name="containerd", version="2.0", conditions=(bad,))))
    recorder = Recorder(source)
    recorder.answer(Cri("/run/containerd/containerd.sock"))
    recorder.save(str(tmp_path / "kept"), HEAD, {})
    told = [json.loads(line) for line in (tmp_path / "kept/answers.jsonl").read_text().splitlines()]
    assert told[1]["reply"]["masked"] == {"assignment": 1}
    assert "hunter2" not in json.dumps(told)
    (answers,) = (read(file) for file in files(recorder.told, HEAD, 1000))
    assert [msgspec.structs.astuple(one) for one in answers.redactions] == [
        ("answers.jsonl", "/run/containerd/containerd.sock", "assignment", 1)
    ]


def test_marks_are_counted_in_every_file(bundle: Path) -> None:
    manifest, held = opened(bundle)
    marked = {one.path: one.masked for one in manifest.files}
    assert marked == {path: data.count(b"[redacted]") for path, data in held.items()}
    assert marked["root/etc/os-release"] == 3
    assert marked["report.json"] > 0


def test_a_node_without_secrets_has_none_listed(tmp_path: Path) -> None:
    clean = Node(tmp_path / "clean")
    clean.log("I1121 10:00:00.0 1 a.go:1] token bucket of 10, password is [redacted]")
    run("bundle", "--root", str(clean.root), "-o", str(tmp_path / "clean.tar.gz"))
    assert opened(tmp_path / "clean.tar.gz")[0].redactions == ()


@pytest.mark.parametrize("options", [(), ("--anonymise",)], ids=["", "anonymised"])
def test_what_is_packed_again_keeps_what_was_said_of_it(bundle: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    first, _ = opened(bundle)
    key = tuple(str(tmp_path / "key") for _ in options)
    run("bundle", "--root", str(bundle), "-o", str(tmp_path / "again.tar.gz"), *options, *key)
    again, _ = opened(tmp_path / "again.tar.gz")
    assert kinds(again) == kinds(first)
    assert timings(again) == timings(first)
    assert len(timings(again)) > 3


def test_what_there_was_no_room_for_stays_said_when_it_is_packed_again(node: Node, tmp_path: Path) -> None:
    node.log(*(f"I1121 09:00:00.0 1 a.go:1] {number} {number * 7919:x}" for number in range(900)))
    run("bundle", "--root", str(node.root), "-o", str(tmp_path / "whole.tar.gz"))
    most = (tmp_path / "whole.tar.gz").stat().st_size - 1000
    run("bundle", "--root", str(node.root), "-o", str(tmp_path / "cut.tar.gz"), "--max-size", str(most))
    run("bundle", "--root", str(tmp_path / "cut.tar.gz"), "-o", str(tmp_path / "again.tar.gz"))
    cut, again = opened(tmp_path / "cut.tar.gz")[0], opened(tmp_path / "again.tar.gz")[0]
    assert again.cut == cut.cut == ("journal.jsonl",)
    assert [one.left_out for one in again.files] == [one.left_out for one in cut.files]


def test_every_file_of_the_node_and_its_journal_say_when_and_how_long_they_were_read(
    node: Node, tmp_path: Path
) -> None:
    began = datetime.now(UTC)
    run("bundle", "--root", str(node.root), "-o", str(tmp_path / "node.tar.gz"))
    manifest, _ = opened(tmp_path / "node.tar.gz")
    ended = datetime.now(UTC)
    assert all(isinstance(one.at, datetime) and began <= one.at <= ended for one in manifest.files)
    asked = {one.path: one.at for one in manifest.files if one.path.startswith("root/")}
    assert len(set(asked.values())) > 1
    read = [one for one in manifest.files if one.path.startswith("root/")]
    assert len(read) > 1
    for one in (*read, *(one for one in manifest.files if one.path in {"answers.jsonl", "journal.jsonl"})):
        assert isinstance(one.took_us, int), one.path
        assert 0 < one.took_us < 60_000_000


def test_a_recording_tells_again_what_was_masked_and_how_long_it_took(node: Node, tmp_path: Path) -> None:
    said = [open_host(str(node.root), budget_s=20)]
    try:
        recorder = said[0].record()
        said[0].host.read("/etc/os-release")
        said[0].host.processes()
        recorder.save(str(tmp_path / "kept"), HEAD, {})
        said.append(open_host(str(tmp_path / "kept"), budget_s=20))
        again = said[1].record()
        said[1].host.read("/etc/os-release")
        said[1].host.processes()
        assert [one.timing for one in again.told] == [one.timing for one in recorder.told]
        assert [one.reply for one in again.told] == [one.reply for one in recorder.told]
        file, processes = (one.reply for one in again.told)
        assert isinstance(file, Content)
        assert isinstance(processes, ProcessList)
        assert sum(file.masked.values()) == 3
        assert sum(processes.masked.values()) == 1
        assert isinstance(again.told[0].ask, Read)
        assert again.told[0].timing is not None
    finally:
        for one in said:
            one.close()
