"""The whole of it: real processes, a small node, short intervals. Bounds are generous; nothing is exact."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

import jsonschema
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from nodediag.cli.schema import text as schema_text

Event = dict[str, object]
PLEG = 'E1121 10:00:00.000000 1 kubelet.go:1] "Skipping pod synchronization" err="PLEG is not healthy: '
PLEG += 'pleg was last seen active 5m10.1s ago; threshold is 3m0s"'
FINE = 'I1121 10:00:00.000000 1 kubelet.go:1] "SyncLoop ADD" source="api"'
OFTEN = ("--interval", "1s", "--jitter", "0")
RARELY = ("--interval", "1h")
BEARS_PLEG = """
name = "ours"
version = "1"
date = "2026-11-21"
document = "ours"
source = "us"
extends = "cos_containerd"
[[waivers]]
check = "logs.critical"
subject = "kubelet.pleg-unhealthy"
owner = "us"
reason = "known"
expires = 2099-12-31
"""
ROOT = "mounts.root-read-only"


class Node(Protocol):
    @property
    def root(self) -> Path: ...
    def root_is(self, options: str) -> None: ...
    def log(self, *messages: str, unit: str = ..., ahead_s: float = ...) -> None: ...
    def rotate(self) -> None: ...


class Watched(Protocol):
    @property
    def process(self) -> subprocess.Popen[bytes]: ...
    def events(self, *, after_s: float = ...) -> list[Event]: ...
    def wait_for(self, name: str, number: int = ..., within_s: float = ...) -> Event: ...
    def get(self, path: str) -> tuple[int, str]: ...
    def children(self) -> list[int]: ...
    def end(self, number: int = ...) -> float: ...


class Watch(Protocol):
    def __call__(self, *options: str, stdout: int = ...) -> Watched: ...


def named(events: list[Event], name: str) -> list[Event]:
    return [event for event in events if event["event"] == name]


def checks(events: list[Event]) -> list[object]:
    return [problem["check"] for event in events if isinstance(problem := event.get("problem"), dict)]


def test_a_problem_begins_once_and_ends_once_with_both_times(node: Node, watch: Watch) -> None:
    watched = watch(*OFTEN)
    watched.wait_for("diagnosed", 2)
    node.root_is("rw")
    began = watched.wait_for("problem_began")
    watched.wait_for("diagnosed", len(named(watched.events(), "diagnosed")) + 2)
    node.root_is("ro")
    ended = watched.wait_for("problem_ended")
    watched.end()
    assert checks([began, ended]) == [ROOT, ROOT]
    assert began["began_at"] == ended["began_at"]
    assert str(ended["ended_at"]) > str(ended["began_at"])
    assert len(named(watched.events(), "problem_began")) == len(named(watched.events(), "problem_ended")) == 1


def test_a_lost_sight_neither_begins_nor_ends_a_problem(node: Node, watch: Watch) -> None:
    node.root_is("rw")
    watched = watch(*OFTEN)
    watched.wait_for("problem_began")
    mounts = node.root / "proc/1/mountinfo"
    mounts.rename(mounts.with_name("gone"))
    seen = len(named(watched.events(), "diagnosed"))
    lost = watched.wait_for("diagnosed", seen + 3)
    assert lost["verdict"] == "unknown"
    mounts.with_name("gone").rename(mounts)
    watched.wait_for("diagnosed", len(named(watched.events(), "diagnosed")) + 2)
    assert len(named(watched.events(), "problem_began")) == 1
    assert named(watched.events(), "problem_ended") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_repeats_nothing_and_loses_nothing(
    node: Node, watch: Watch, tmp_path: Path, number: signal.Signals
) -> None:
    state = ("--state", str(tmp_path / "state"))
    node.root_is("rw")
    first = watch(*OFTEN, *state)
    began = first.wait_for("problem_began")
    first.wait_for("diagnosed", 2)
    first.end(number)
    second = watch(*OFTEN, *state)
    second.wait_for("diagnosed", 2)
    second.end(number)
    assert named(second.events(), "problem_began") == []
    node.root_is("ro")
    third = watch(*OFTEN, *state)
    ended = third.wait_for("problem_ended")
    assert ended["began_at"] == began["began_at"]
    assert len(list((tmp_path / "state").glob("report-*.json"))) >= 3


def test_a_critical_line_in_the_journal_is_told_within_ten_seconds(node: Node, watch: Watch) -> None:
    node.log(FINE)
    watched = watch(*RARELY)
    watched.wait_for("diagnosed")
    assert wait_until_followed(watched)
    node.log(FINE, PLEG)
    start = time.monotonic()
    began = watched.wait_for("problem_began", within_s=20)
    took = time.monotonic() - start
    assert took < 10
    assert began["seen_by"] == "journal"
    assert isinstance(began["problem"], dict)
    assert began["problem"]["subject"] == {"kind": "signature", "name": "kubelet.pleg-unhealthy"}
    node.log(PLEG)
    assert len(named(watched.events(after_s=6), "problem_began")) == 1


def test_a_waiver_and_the_profiles_severity_are_told_with_what_the_journal_shows(
    node: Node, watch: Watch, tmp_path: Path
) -> None:
    profile = tmp_path / "ours.toml"
    profile.write_text(f'{BEARS_PLEG}[severity]\n"logs.critical" = "warning"\n')
    watched = watch(*RARELY, "--profile", str(profile))
    watched.wait_for("diagnosed")
    node.log(PLEG)
    began = watched.wait_for("problem_began", within_s=10)
    watched.end()
    problem = began["problem"]
    assert isinstance(problem, dict)
    assert began["seen_by"] == "journal"
    assert problem["waiver"] == {"owner": "us", "reason": "known", "expires": "2099-12-31"}
    assert problem["severity"] == "warning"


def test_what_was_logged_while_nobody_watched_is_told_and_nothing_else_again(
    node: Node, watch: Watch, tmp_path: Path
) -> None:
    node.log(FINE)
    options = (*RARELY, "--state", str(tmp_path / "state"))
    first = watch(*options)
    assert wait_until_followed(first)
    node.log(PLEG)
    first.wait_for("problem_began")
    assert first.end() < 2
    node.log("E1121 10:00:00.000000 1 x.go:1] write /var/lib/x: no space left on device", PLEG)
    node.rotate()
    node.log(FINE)
    second = watch(*options)
    began = second.wait_for("problem_began")
    assert isinstance(began["problem"], dict)
    assert began["problem"]["subject"]["name"] == "node.no-space-left"
    assert len(named(second.events(after_s=3), "problem_began")) == 1


def test_what_the_journal_showed_does_not_begin_again_with_the_next_diagnoses(node: Node, watch: Watch) -> None:
    node.log(FINE)
    watched = watch(*OFTEN)
    assert wait_until_followed(watched)
    node.log(PLEG)
    began = watched.wait_for("problem_began")
    watched.wait_for("diagnosed", len(named(watched.events(after_s=6), "diagnosed")) + 3)
    assert named(watched.events(), "problem_began") == [began]
    assert named(watched.events(), "problem_ended") == []
    last = named(watched.events(), "diagnosed")[-1]
    assert isinstance(began["problem"], dict)
    assert isinstance(last["problems"], list)
    assert [problem["fingerprint"] for problem in last["problems"]] == [began["problem"]["fingerprint"]]


def test_a_follower_that_dies_is_started_again_from_where_it_was(node: Node, watch: Watch) -> None:
    node.log(FINE)
    watched = watch(*RARELY)
    watched.wait_for("diagnosed")
    assert wait_until_followed(watched)
    for child in watched.children():
        os.kill(child, signal.SIGBUS)
    node.log(PLEG)
    ended = watched.wait_for("the follower of the journal ended")
    assert ended["status"] == -signal.SIGBUS
    watched.wait_for("problem_began")


def wait_until_followed(watched: Watched, within_s: float = 30) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if "\nnodediag_watch_journal_files 1\n" in watched.get("/metrics")[1]:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_answered_within_a_second_and_leaves_nobody_behind(
    node: Node, watch: Watch, number: signal.Signals
) -> None:
    node.log(FINE)
    watched = watch(*OFTEN)
    watched.wait_for("diagnosed", 2)
    children = watched.children()
    assert watched.end(number) < 1.5  # the second, and what a busy machine adds
    assert watched.process.returncode == -number
    time.sleep(0.5)
    assert [child for child in children if Path(f"/proc/{child}").exists() and is_ours(child)] == []


def is_ours(pid: int) -> bool:
    try:
        return b"watching" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_nobody_reading_its_output_keeps_it_from_nothing(node: Node, watch: Watch) -> None:
    node.root_is("rw")
    with ExitStack() as stack:
        ours, theirs = os.pipe()
        stack.callback(os.close, ours)
        stack.callback(os.close, theirs)
        os.set_blocking(theirs, False)
        try:
            while True:
                os.write(theirs, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(theirs, True)
        watched = watch(*OFTEN, stdout=theirs)
        until = time.monotonic() + 30
        while watched.get("/readyz")[0] != 200 and time.monotonic() < until:
            time.sleep(0.1)
        assert watched.get("/healthz")[0] == 200
        metrics = watched.get("/metrics")[1]
        assert "\nnodediag_watch_lines_waiting 0\n" not in metrics
        assert watched.end() < 1.5


def test_lines_that_were_not_taken_are_said_by_the_next_run(node: Node, watch: Watch, tmp_path: Path) -> None:
    node.root_is("rw")
    options = (*OFTEN, "--state", str(tmp_path / "state"))
    with Path("/dev/full").open("wb") as full:
        first = watch(*options, stdout=full.fileno())
        first.wait_for("standard output takes nothing")
        first.end()
    second = watch(*options)
    assert checks([second.wait_for("problem_began")]) == [ROOT]


def test_its_metrics_are_openmetrics_with_those_of_the_last_report(node: Node, watch: Watch) -> None:
    node.root_is("rw")
    watched = watch(*RARELY)
    assert watched.get("/readyz")[0] in {200, 503}
    watched.wait_for("problem_began")
    assert watched.get("/readyz") == (200, "ok\n")
    status, text = watched.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert status == 200
    verdict = [sample.labels for sample in families["nodediag_verdict"].samples if sample.value]
    assert verdict == [{"nodediag_verdict": "unhealthy"}]
    assert families["nodediag_watch_diagnoses"].samples[0].value == 1
    assert families["nodediag_watch_open_problems"].samples[0].value == 1


def test_slow_and_silent_clients_keep_nobody_from_an_answer(watch: Watch) -> None:
    watched = watch(*RARELY)
    host, _, port = str(watched.wait_for("listening")["address"]).rpartition(":")
    with ExitStack() as stack:
        for number in range(40):
            silent = stack.enter_context(socket.create_connection((host, int(port))))
            if number % 2:
                silent.send(b"GET /healthz HT")
        assert watched.get("/healthz")[0] == 200
    with socket.create_connection((host, int(port))) as endless:
        try:
            for _ in range(100):
                endless.sendall(b"x" * 1024)
                time.sleep(0.002)
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            raise AssertionError("a question without an end was listened to")
    assert watched.get("/healthz")[0] == 200


def test_check_asks_the_one_that_listens(watch: Watch) -> None:
    watched = watch(*RARELY)
    address = str(watched.wait_for("listening")["address"])
    command = [sys.executable, "-I", "-m", "nodediag", "watch", "--check", "--listen", address]
    well = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (well.returncode, well.stdout) == (0, "ok\n")
    watched.end()
    gone = subprocess.run(command, capture_output=True, text=True, check=False)
    assert gone.returncode == 1
    assert "no answer" in gone.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--listen", "nowhere"), "--listen 'nowhere'"),
        (("--interval", "never"), "no span of time"),
        (("--only", "no.such-check", "--listen", "none"), "no check is named 'no.such-check'"),
        (("--root", "/no/such/folder", "--listen", "none"), "there is no such folder"),
        (("--record", "x"), "--record is for one report"),
        (("--state", "/dev/null/x", "--listen", "none"), "--state /dev/null/x"),
        (("--check", "--listen", "none"), "--check"),
    ],
)
def test_bad_usage_ends_with_two_and_says_so(options: tuple[str, ...], said: str) -> None:
    command = [sys.executable, "-I", "-m", "nodediag", "watch", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said(watch: Watch) -> None:
    address = str(watch(*RARELY).wait_for("listening")["address"])
    command = [sys.executable, "-I", "-m", "nodediag", "watch", "--listen", address]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "in use" in done.stderr


def test_once_diagnoses_once(node: Node) -> None:
    command = [sys.executable, "-I", "-m", "nodediag", "watch", "--once", "--listen", "none", "--root", str(node.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()].count("diagnosed") == 1


def test_once_whose_line_is_lost_ends_with_four_unless_its_report_was_kept(node: Node, tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-m", "nodediag", "watch", "--once", "--listen", "none", "--root", str(node.root)]
    for state, status in (((), 4), (("--state", str(tmp_path / "s")), 0)):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run([*command, *state], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
        assert done.returncode == status
        assert (b"nodediag: standard output: No space left on device" in done.stderr) is (status == 4)


def test_where_python_cannot_be_started_anew_it_goes_on_as_it_is(node: Node) -> None:
    start = "import sys; sys.executable = '/nowhere/python'; from nodediag.cli.main import main; main()"
    command = [sys.executable, "-I", "-c", start, "watch", "--once", "--listen", "none", "--root", str(node.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"event":"diagnosed"' in done.stdout


def test_without_standard_streams_it_runs(node: Node, tmp_path: Path) -> None:
    line = f"{sys.executable} -I -m nodediag watch --once --listen none --root {node.root} --state {tmp_path}/s"
    done = subprocess.run(f"{line} <&- >&- 2>&-", shell=True, check=False, timeout=60)
    assert done.returncode == 0
    assert len(list((tmp_path / "s").glob("report-*"))) == 1


def test_without_logs_the_journal_is_not_followed(node: Node, watch: Watch) -> None:
    node.log(FINE)
    watched = watch(*RARELY, "--no-logs")
    watched.wait_for("diagnosed")
    node.log(PLEG)
    assert named(watched.events(after_s=6), "problem_began") == []
    assert watched.children() == []


def test_every_line_keeps_to_its_schema(node: Node, watch: Watch) -> None:
    node.root_is("rw")
    watched = watch(*OFTEN)
    watched.wait_for("problem_began")
    node.root_is("ro")
    watched.wait_for("problem_ended")
    (node.root / "etc/os-release").unlink()
    said = [event for event in watched.events(after_s=2) if "schema" in event]
    assert {event["event"] for event in said} >= {"diagnosed", "problem_began", "problem_ended"}
    for event in said:
        jsonschema.validate(event, json.loads(schema_text("watch")))


class Hung(Protocol):
    def abort(self) -> None: ...


@pytest.mark.root
def test_a_diagnosis_that_hangs_is_told_and_no_second_one_is_started(
    watch: Watch, tmp_path: Path, hang: Callable[[Path], Hung]
) -> None:
    (tmp_path / "data").mkdir()
    watched = watch(*OFTEN, "--timeout", "1s", "--data", str(tmp_path / "data"))
    watched.wait_for("diagnosed")
    mount = hang(tmp_path / "data")
    assert eventually(lambda: "though it was killed" in watched.get("/healthz")[1])
    assert watched.get("/healthz")[0] == 503
    assert watched.get("/readyz")[0] == 200
    assert eventually(lambda: [state(child) for child in watched.children()].count("D") == 1)
    seen = len(watched.events(after_s=3))
    assert [state(child) for child in watched.children()].count("D") == 1
    assert len(watched.events()) == seen
    mount.abort()
    failed = watched.wait_for("diagnosis_failed")
    assert "did not end within" in str(failed["why"])
    assert eventually(lambda: watched.get("/healthz") == (200, "ok\n"))
    assert watched.end() < 1.5


@pytest.mark.root
def test_a_signal_is_answered_while_a_diagnosis_hangs(
    watch: Watch, tmp_path: Path, hang: Callable[[Path], Hung]
) -> None:
    (tmp_path / "data").mkdir()
    hang(tmp_path / "data")
    watched = watch(*OFTEN, "--data", str(tmp_path / "data"))
    watched.wait_for("listening")
    assert named(watched.events(after_s=4), "diagnosed") == []
    assert watched.get("/readyz")[0] == 503
    assert watched.end() < 1.5


def test_a_diagnosis_past_its_deadline_is_killed_and_the_next_one_is_well(watch: Watch) -> None:
    watched = watch(*OFTEN, "--timeout", "1s")
    watched.wait_for("diagnosed")
    before = set(watched.children())
    stopped: set[int] = set()

    def stop() -> bool:
        stopped.update(child for child in watched.children() if child not in before and not stopped)
        for child in stopped:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGSTOP)
        return watched.get("/healthz")[0] == 503

    assert eventually(stop)
    assert "did not end" in str(watched.wait_for("diagnosis_failed")["why"])
    assert eventually(lambda: watched.get("/healthz")[0] == 200)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def eventually(true: Callable[[], bool], within_s: float = 40) -> bool:
    until = time.monotonic() + within_s
    while not true():
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.root
def test_a_full_disk_is_said_and_loses_no_change(node: Node, watch: Watch, small: Path) -> None:
    filler = small / "filler"
    watched = watch(*OFTEN, "--state", str(small))
    watched.wait_for("diagnosed", 2)
    while list(small.glob("report-*")):  # one that is written meanwhile would later give way, and leave room
        for report in small.glob("report-*"):
            report.unlink(missing_ok=True)
        with filler.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
    node.root_is("rw")
    watched.wait_for("problem_began")
    watched.wait_for("the state could not be saved")
    assert "\nnodediag_watch_state_saved 0\n" in watched.get("/metrics")[1]
    assert watched.get("/healthz")[0] == 200
    filler.unlink()
    saved = small / "state.json"
    until = time.monotonic() + 60
    while ROOT not in saved.read_text() and time.monotonic() < until:
        time.sleep(0.2)
    assert ROOT in saved.read_text()
    assert len(named(watched.events(), "problem_began")) == 1


def test_a_diagnosis_takes_rates_since_the_last_report_that_was_kept(node: Node, watch: Watch, tmp_path: Path) -> None:
    for name, text in {"sys/kernel/random/boot_id": "3f2504e0\n", "stat": "processes 1000\n"}.items():
        (node.root / "proc" / name).parent.mkdir(parents=True, exist_ok=True)
        (node.root / "proc" / name).write_text(text)
    (node.root / "proc/uptime").write_text("1000.00 1.00\n")
    watched = watch(*OFTEN, "--only", "rates", "--state", str(tmp_path / "state"))
    watched.wait_for("diagnosed")
    (node.root / "proc/stat").write_text("processes 91000\n")
    (node.root / "proc/uptime").write_text("1010.00 1.00\n")
    watched.wait_for("problem_began")
    assert "rates.forks" in checks(watched.events())


def test_a_last_report_that_is_none_does_not_stop_the_loop(node: Node, watch: Watch, tmp_path: Path) -> None:
    assert node.root.is_dir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state/report-00000001-20261121T120000Z.json").write_text("half of a rep")
    watched = watch(*OFTEN, "--state", str(tmp_path / "state"))
    watched.wait_for("diagnosed", 2)
