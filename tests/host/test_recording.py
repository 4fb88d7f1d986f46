# Descriptors, procfs and odd names are looked at as the room under test looks at them.
# ruff: noqa: PTH116, PTH208
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nodediag.errors import OutputError, ReadError, UsageError
from nodediag.host.answer import (
    Content,
    Failure,
    Locked,
    MetadataAnswer,
    Names,
    NamespaceAnswer,
    PacketFilterAnswer,
    PathStat,
    PathType,
    Process,
    ProcessList,
    Reply,
    Sharing,
    SystemdAnswer,
    Target,
    UnameAnswer,
    VfsStat,
)
from nodediag.host.answer_parts import BaseChain, Hook, Job, Policy, UnitState
from nodediag.host.ask import (
    Ask,
    List,
    Lock,
    Metadata,
    Namespace,
    Namespaces,
    PacketFilter,
    Processes,
    Read,
    Readlink,
    Stat,
    Statvfs,
    Uname,
    Units,
)
from nodediag.host.origin import open_host
from nodediag.host.recording import Head, Recorder, fits
from nodediag.host.redacting import RedactingSource
from nodediag.host.replay import ReplaySource
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

if TYPE_CHECKING:
    from tests.host.conftest import Asked, Run

HEAD = Head(version="1", observed_at=datetime(2026, 11, 21, tzinfo=UTC), origin=Origin.LIVE, root="/")
LONG = "n" * 300
TOLD: dict[Ask, Reply] = {
    Read("/etc/os-release", 10): Content(b"ID=cos\n\xff\x00"),
    Read("/etc/kubernetes/../odd", 10): Content(b"odd"),
    Read("/etc//double", 10): Content(b"double"),
    Read(f"/{LONG}", 10): Content(b"long"),
    Read("/deep/" + "d/" * 1500 + "file", 10): Content(b"deep"),
    Read("/etc", 10): Content(b"no folder"),
    Read("/empty", 10): Content(b""),
    Read("relative", 10): Content(b"relative"),
    Read("/gr\u00fcn\n\x1b", 10): Content(b"strange"),
    List("/etc"): Names(("a", "\\xff")),
    Stat("/etc"): PathStat(PathType.DIRECTORY, "0755", 4096, "8:1"),
    Statvfs("/etc"): VfsStat("8:1", 1 << 40, 7, 1 << 20, 9, read_only=False),
    Readlink("/etc/mtab"): Target("../proc/mounts"),
    Processes(): ProcessList((Process(7, 1, "kubelet", ("/usr/bin/kubelet", "--v=2")),), complete=True),
    Uname(): UnameAnswer("Linux", "node", "6.1", "#1", "x86_64"),
    Metadata(("instance/image",)): MetadataAnswer(
        "169.254.169.254",
        "Metadata Server for VM",
        {"instance/id": "42"},
        {"instance/image": Reason(code=Code.ABSENT, detail="the metadata server answered 404")},
    ),
    Namespaces(): NamespaceAnswer({Namespace.NET: Sharing.OTHER}),
    PacketFilter(): PacketFilterAnswer(
        (BaseChain(program="nf_tables", family="inet", table="t", chain="c", hook=Hook.INPUT, policy=Policy.DROP),)
    ),
    Units(): SystemdAnswer(
        socket="/run/systemd/private",
        asked_us=1_790_000_000_000_000,
        uptime_us=3,
        version="252",
        state="degraded",
        initrd_us=0,
        userspace_us=1,
        finished_us=2,
        jobs=(Job(unit="a.service", type="start", state="waiting"),),
        units=(
            UnitState(name="a.service", load="loaded", active="failed", sub="failed", restarts=5, result="watchdog"),
            UnitState(name="b.target", load="loaded", active="active", sub="active"),
        ),
    ),
}
FAILED: dict[Ask, Reply] = {
    Read(f"/failed/{code}", 10): Failure(Reason(code=code, detail=f"because: {code}", needs="much")) for code in Code
}
TOLD |= FAILED


class Table:
    """A source of prepared answers."""

    def __init__(self, told: dict[Ask, Reply]) -> None:
        self._told = told

    def answer(self, ask: Ask) -> Reply:
        return Locked(held=True) if isinstance(ask, Lock) else self._told[ask]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    recorder = Recorder(Table(TOLD))
    for ask in (*TOLD, Lock("/etc/os-release")):
        recorder.answer(ask)
    folder = tmp_path / "recording"
    folder.mkdir()
    recorder.save(str(folder), HEAD, {})
    return folder


def replay(asked: "Asked", folder: Path) -> ReplaySource:
    return ReplaySource(asked(folder), str(folder))


def test_every_answer_and_every_failure_is_told_again(recorded: Path, asked: "Asked") -> None:
    source = replay(asked, recorded)
    assert {ask: source.answer(ask) for ask in TOLD} == TOLD
    assert source.observed_at == HEAD.observed_at


def test_files_stand_at_their_paths_readable_to_their_owner_only(recorded: Path) -> None:
    assert (recorded / "root/etc/os-release").read_bytes() == b"ID=cos\n\xff\x00"
    for path, _, files in os.walk(recorded):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700 or Path(path) == recorded
        for file in files:
            assert stat.S_IMODE(os.stat(f"{path}/{file}").st_mode) == 0o600


def test_the_lock_is_no_part_of_a_recording(recorded: Path) -> None:
    assert "Lock" not in (recorded / "answers.jsonl").read_text()


@pytest.mark.parametrize(
    "ask", [Read("/never/asked", 10), List("/usr"), Stat("/etc/os-release"), Lock("/etc/os-release")]
)
def test_what_was_never_asked_was_not_captured(recorded: Path, asked: "Asked", ask: Ask) -> None:
    reply = replay(asked, recorded).answer(ask)
    assert isinstance(reply, Failure)
    assert reply.reason.code is Code.NOT_CAPTURED


def test_secrets_are_masked_before_they_are_kept(tmp_path: Path) -> None:
    secret = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    told: dict[Ask, Reply] = {
        Read("/token", 1000): Content(f"token: {secret}\n".encode()),
        Processes(): ProcessList((Process(7, 1, "x", ("x", f"--token={secret}", "--v=2")),), complete=True),
        Metadata(("instance/image",)): MetadataAnswer("", "", {"instance/image": f"--token={secret}"}, {}),
    }
    recorder = Recorder(RedactingSource(Table(told)))
    for ask in told:
        recorder.answer(ask)
    recorder.save(str(tmp_path), HEAD, {})
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert b"--v=2" in kept


def test_what_cannot_be_written_is_an_output_error(recorded: Path) -> None:
    recorder = Recorder(Table(TOLD))
    recorder.answer(Uname())
    with pytest.raises(OutputError, match="File exists"):
        recorder.save(str(recorded), HEAD, {})


@pytest.mark.parametrize(
    ("path", "fit"),
    [
        ("/a/b", True), ("/gr\u00fcn", True), ("/" + "n" * 255, True), ("/" + "n" * 256, False), ("/a/../b", False),
        ("/..", False), ("/./a", False), ("/a//b", False), ("/a/", False), ("a", False), ("", False), ("/a\0b", False),
        ("/" + "\u00fc" * 128, False), ("/a" * 70, False), ("/...", True), ("/a/..b", True),
    ],
)  # fmt: skip
def test_only_paths_that_stay_themselves_below_a_folder_are_kept_as_files(path: str, fit: bool) -> None:  # noqa: FBT001
    assert fits(path) is fit


def lines(recorded: Path, *told: str) -> None:
    head = (recorded / "answers.jsonl").read_text().split("\n")[0]
    (recorded / "answers.jsonl").write_text("\n".join((head, *told)))


HOSTILE = {
    "empty": b"",
    "newline": b"\n",
    "binary": bytes(range(256)),
    "not json": b"{",
    "another json": b"[]",
    "no head": b'{"ask":{"type":"Uname"},"reply":{"type":"Content","data":""}}\n',
    "later version": b'{"recording":2,"version":"1","observed_at":"2026-01-01T00:00:00Z","origin":"live","root":"/"}\n',
    "no time zone": b'{"version":"1","observed_at":"2026-01-01T00:00:00","origin":"live","root":"/"}\n',
    "no such time": b'{"version":"1","observed_at":"2026-02-30T00:00:00Z","origin":"live","root":"/"}\n',
    "no such origin": b'{"version":"1","observed_at":"2026-01-01T00:00:00Z","origin":"moon","root":"/"}\n',
}
GOOD = b'{"recording":1,"version":"1","observed_at":"2026-01-01T00:00:00Z","origin":"live","root":"/"}\n'
HOSTILE |= {
    "no UTF-8": GOOD + b'{"ask":{"type":"Stat","path":"/\xff"},"reply":{"type":"Names","names":[]}}\n',
    "blank line": GOOD + b"\n\n" + b'{"ask":{"type":"Uname"},"reply":{"type":"Names","names":[]}}\n',
    "unknown question": GOOD + b'{"ask":{"type":"Shell","path":"rm"},"reply":{"type":"Names","names":[]}}\n',
    "unknown code": GOOD + b'{"ask":{"type":"Uname"},"reply":{"type":"Failure","reason":{"code":"x","detail":""}}}\n',
    "nested": GOOD + b'{"x":' + b"[" * 1_000_000 + b"\n",
    "surrogate": GOOD + b'{"ask":{"type":"Stat","path":"\\ud800"},"reply":{"type":"Names","names":[]}}\n',
    "no base64": GOOD + b'{"ask":{"type":"Uname"},"reply":{"type":"Content","data":"!"}}\n',
    "huge line": GOOD + b'{"ask":"' + b"x" * 10_000_000,
    "huge pid": GOOD
    + b'{"ask":{"type":"Processes"},"reply":{"type":"ProcessList","complete":true,"processes":[{"pid":'
    + b"9" * 30
    + b',"ppid":1,"name":"x","argv":[]}]}}\n',
    "huge size": GOOD + b'{"ask":{"type":"Stat","path":"/"},"reply":{"type":"PathStat","kind":"file","mode":"0644",'
    b'"size_bytes":' + b"9" * 400 + b',"device":"8:1"}}\n',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_recording_is_bad_usage_in_one_line(tmp_path: Path, asked: "Asked", name: str) -> None:
    (tmp_path / "answers.jsonl").write_bytes(HOSTILE[name])
    with pytest.raises(UsageError) as caught:
        replay(asked, tmp_path)
    assert "answers.jsonl" in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", ["later version", "nested", "binary"])
def test_the_command_says_so_and_ends_with_two(tmp_path: Path, nodediag: "Run", name: str) -> None:
    (tmp_path / "answers.jsonl").write_bytes(HOSTILE[name])
    done = nodediag("report", "--root", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("nodediag: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", ["folder", "fifo", "huge"])
def test_answers_that_are_no_small_file_are_bad_usage_too(tmp_path: Path, nodediag: "Run", kind: str) -> None:
    answers = tmp_path / "answers.jsonl"
    if kind == "folder":
        answers.mkdir()
    elif kind == "fifo":
        os.mkfifo(answers)
    else:
        answers.touch()
        os.truncate(answers, 1 << 40)
    done = nodediag("report", "--root", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "answers.jsonl" in done.stderr


def test_a_link_in_a_recording_leads_nowhere_but_into_it(tmp_path: Path, asked: "Asked") -> None:
    folder = tmp_path / "recording"
    (folder / "root/etc").mkdir(parents=True)
    (tmp_path / "outside").write_text("outside")
    (folder / "answers.jsonl").write_bytes(GOOD)
    (folder / "root/etc/passwd").symlink_to("/etc/passwd")
    (folder / "root/etc/outside").symlink_to("../../../outside")
    os.mkfifo(folder / "root/etc/fifo")
    source = replay(asked, folder)
    codes = {}
    for path in ("/etc/passwd", "/etc/outside", "/etc/fifo", "/../answers.jsonl", "/etc/../etc/passwd"):
        reply = source.answer(Read(path, 1000))
        assert isinstance(reply, Failure)
        codes[path] = reply.reason.code
    assert codes.pop("/etc/fifo") is Code.WRONG_KIND
    assert set(codes.values()) == {Code.NOT_CAPTURED}


def test_an_answer_of_another_kind_is_no_answer(tmp_path: Path) -> None:
    line = b'{"ask":{"type":"Uname"},"reply":{"type":"Names","names":["x"]}}\n'
    (tmp_path / "answers.jsonl").write_bytes(GOOD + line)
    opened = open_host(str(tmp_path), budget_s=10)
    with pytest.raises(ReadError, match="of another kind") as caught:
        opened.host.uname()
    assert caught.value.reason.code is Code.UNPARSABLE
    opened.close()


def compared(report: str) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(report)
    for key in ("generated_at", "duration_ms", "view"):
        del loaded[key]
    return loaded


def told_again(nodediag: "Run", folder: Path, *arguments: str, user: int | None = None) -> None:
    """Record a diagnosis, replay it, and compare the two reports key by key."""
    options = ("report", "--format", "json", "--fail-on", "never")
    first = nodediag(*options, "--record", str(folder / "recording"), *arguments, user=user)
    second = nodediag(*options, "--root", str(folder / "recording"), user=user)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    one, two = compared(first.stdout), compared(second.stdout)
    assert list(one) == list(two)
    for key, value in one.items():
        assert two[key] == value, key
    assert json.loads(second.stdout)["view"]["origin"] == "recording"


def test_a_replay_of_this_machine_gives_the_same_report(tmp_path: Path, nodediag: "Run") -> None:
    told_again(nodediag, tmp_path)


@pytest.mark.root
def test_a_replay_of_this_machine_as_an_ordinary_user_saw_it_gives_the_same_report(
    reachable: Path, nodediag: "Run"
) -> None:
    os.chown(reachable, 65534, 65534)
    told_again(nodediag, reachable, user=65534)


def hostile_tree(root: Path) -> None:
    for folder in ("etc/kubernetes", "proc/1", "proc/42", "usr/lib"):
        (root / folder).mkdir(parents=True)
    (root / "etc/os-release").symlink_to("os-release")
    (root / "usr/lib/os-release").write_bytes(b"ID=cos\nNAME=\xff\x1b[31m\n\0")
    os.mkfifo(root / "etc/lsb-release")
    (root / "etc/hostname").mkdir()
    (root / "proc/1/mountinfo").write_bytes(b"20 1 8:1 / / rw - ext4 /dev/sda1 rw\n\xff\xfe 1 2\n")
    (root / "proc/cmdline").symlink_to("/../../../../etc/passwd")
    (root / "proc/version").touch()
    os.truncate(root / "proc/version", 1 << 40)
    config = f"/etc/kubernetes/../{LONG}"
    (root / "proc/42/cmdline").write_bytes(f"/usr/bin/kubelet\0--config={config}\0".encode())


def test_a_replay_of_a_hostile_folder_gives_the_same_report(tmp_path: Path, nodediag: "Run") -> None:
    hostile_tree(tmp_path / "node")
    told_again(nodediag, tmp_path, "--root", str(tmp_path / "node"))


@pytest.mark.parametrize("config", ["/etc/../etc/config", "/etc//config", "/" + "n" * 300, "/etc/\x1b[31m", "etc/x"])
def test_a_replay_with_an_odd_path_in_the_kubelet_s_flags_gives_the_same_report(
    tmp_path: Path, nodediag: "Run", config: str
) -> None:
    (tmp_path / "node/proc/42").mkdir(parents=True)
    (tmp_path / "node/etc").mkdir()
    (tmp_path / "node/etc/config").write_text("containerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n")
    (tmp_path / "node/proc/42/cmdline").write_text(f"/usr/bin/kubelet\0--config={config}\0")
    told_again(nodediag, tmp_path, "--root", str(tmp_path / "node"))


@pytest.mark.root
def test_a_recording_one_may_not_read_is_not_taken_for_a_folder_of_files(reachable: Path, nodediag: "Run") -> None:
    (reachable / "answers.jsonl").touch(mode=0o600)
    done = nodediag("report", "--root", str(reachable), user=65534)
    assert (done.returncode, done.stdout) == (2, "")
    assert "answers.jsonl: Permission denied" in done.stderr


def test_a_recording_goes_only_into_an_empty_folder(tmp_path: Path, nodediag: "Run") -> None:
    (tmp_path / "something").touch()
    done = nodediag("report", "--record", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "not empty" in done.stderr
    assert os.listdir(tmp_path) == ["something"]


def test_what_is_asked_twice_is_answered_once_as_a_replay_will(tmp_path: Path) -> None:
    """A file of the kernel's says something else a moment later; two facts that read it must agree in both runs."""
    ask = Read("/proc/pressure/cpu", 10)
    told: dict[Ask, Reply] = {ask: Content(b"first")}
    recorder = Recorder(Table(told))
    assert recorder.answer(ask) == Content(b"first")
    told[ask] = Content(b"second")
    assert recorder.answer(ask) == Content(b"first")
    (tmp_path / "kept").mkdir()
    recorder.save(str(tmp_path / "kept"), HEAD, {})
    assert (tmp_path / "kept/root/proc/pressure/cpu").read_bytes() == b"first"
