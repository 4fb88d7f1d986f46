"""The journal as part of a report: real files, the whole program, and the same from a recording."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import pytest

from nodediag.model.evidence import JournalEvidence
from nodediag.model.logs import LogResult
from nodediag.model.outcome import CheckResult, Outcome, Subject
from nodediag.model.reason import Code
from nodediag.model.report import Scope, Tool, View

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Fields = dict[str, str | bytes | list[str]]
Write = Callable[[list[Fields]], Path]
PLEG: Final = (
    'E1121 11:30:00.000000    1234 kubelet.go:2040] "Skipping pod synchronization" err="PLEG is not healthy: '
    'pleg was last seen active 3m5s ago; threshold is 3m0s"'
)
ENTRIES: Final[list[Fields]] = [
    {"_SYSTEMD_UNIT": "kubelet.service", "PRIORITY": "6", "MESSAGE": "I1121 11:00:00.0 1 kubelet.go:1] working"},
    {"_SYSTEMD_UNIT": "kubelet.service", "PRIORITY": "6", "MESSAGE": PLEG},
]
NEWEST: Final = "2025-11-21T04:40:01Z"
MINE: Final = """
[[signature]]
id = "kubelet.pleg-unhealthy"
condition = "pleg-unhealthy"
title = "Ours"
severity = "warning"
patterns = ["PLEG is not healthy"]
cause = "c"
remedy = "r"
source = "s"
samples = ["PLEG is not healthy: a", "PLEG is not healthy: b"]
near_misses = ["PLEG is healthy"]
"""


@pytest.fixture
def node(write: Write) -> Path:
    """A folder with a node's os-release and a journal of 2025."""
    root = write(ENTRIES)
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text("ID=cos\nVERSION_ID=121\n")
    return root


class Told(msgspec.Struct):
    """What a report says, as far as it is looked at here."""

    observed_at: str
    tool: Tool
    verdict: str
    verdict_because: list[str]
    scope: Scope
    view: View
    checks: list[CheckResult]
    logs: LogResult
    facts: dict[str, msgspec.Raw]

    def outcomes(self) -> dict[str, Outcome]:
        return {check.id: check.outcome for check in self.checks if check.id.startswith("logs.")}


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", "-m", "nodediag", "report", "--format", "json", "--fail-on", "never", *arguments]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)


def printed(*arguments: str) -> bytes:
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def report(*arguments: str) -> Told:
    return msgspec.json.decode(printed(*arguments), type=Told)


def complaint(*arguments: str) -> str:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    return done.stderr.decode()


def test_a_failure_in_the_journal_is_a_problem_with_a_cursor(node: Path) -> None:
    told = report("--root", str(node))
    assert (told.verdict, told.verdict_because) == ("unhealthy", ["logs.critical"])
    (problem,) = next(check.problems for check in told.checks if check.id == "logs.critical")
    assert problem.subject == Subject("signature", "kubelet.pleg-unhealthy")
    (evidence,) = problem.evidence
    assert isinstance(evidence, JournalEvidence)
    assert (evidence.unit, evidence.text, evidence.cursor[:2]) == ("kubelet.service", PLEG, "s=")
    assert told.logs.units["kubelet.service"].entries == 2
    assert "logs" not in told.facts


def test_a_folder_is_judged_as_of_its_newest_entry(node: Path) -> None:
    told = report("--root", str(node))
    assert (told.observed_at, told.logs.until.isoformat().replace("+00:00", "Z")) == (NEWEST, NEWEST)


def test_a_run_without_logs_says_that_it_did_not_ask(node: Path) -> None:
    told = report("--root", str(node), "--no-logs")
    assert set(told.outcomes().values()) == {Outcome.NOT_SELECTED}
    assert told.scope is Scope.PARTIAL
    assert [loss.reason.code for loss in told.logs.losses] == [Code.NOT_ASKED]
    assert "logs" not in [spot.what for spot in told.view.blind_spots]


def test_the_window_is_that_of_the_options(node: Path) -> None:
    told = report("--root", str(node), "--until", "2025-11-21T04:40:00.5Z")
    assert (told.logs.entries, told.outcomes()["logs.critical"]) == (1, Outcome.PASSED)
    assert "--since 'when it broke'" in complaint("--root", str(node), "--since", "when it broke")


def test_a_recording_tells_the_same_of_the_journal(node: Path, tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    first: dict[str, Json] = json.loads(printed("--root", str(node), "--record", kept))
    for path in node.rglob("*.journal"):
        path.unlink()
    second: dict[str, Json] = json.loads(printed("--root", kept))
    for key in first.keys() - {"view", "generated_at", "duration_ms"}:
        assert second[key] == first[key], key
    assert Path(f"{kept}/logs.json").stat().st_mode & 0o777 == 0o600


def test_a_recording_cannot_be_asked_for_another_window(node: Path, tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    report("--root", str(node), "--record", kept)
    assert "--boot" in complaint("--root", kept, "--boot", "0")
    Path(f"{kept}/logs.json").write_text("[]")
    assert "logs.json" in complaint("--root", kept)


def test_a_recording_made_without_the_journal_says_so(node: Path, tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    report("--root", str(node), "--no-logs", "--record", kept)
    told = report("--root", kept)
    assert set(told.outcomes().values()) == {Outcome.UNKNOWN}
    assert told.logs.losses[0].reason.code is Code.NOT_CAPTURED


@pytest.mark.parametrize("options", [(), ("--since", "3h", "--until", "2025-11-21T04:40:00Z")])
def test_a_replay_of_a_run_without_logs_is_the_same(node: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    kept = str(tmp_path / "kept")
    first: dict[str, Json] = json.loads(printed("--root", str(node), "--no-logs", *options, "--record", kept))
    second: dict[str, Json] = json.loads(printed("--root", kept, "--no-logs"))
    for key in first.keys() - {"view", "generated_at", "duration_ms"}:
        assert second[key] == first[key], key


@pytest.mark.parametrize(("recorded", "replayed"), [((), ("--no-logs",)), (("--no-logs",), ())])
def test_logs_that_are_not_told_are_of_the_time_that_was_recorded(
    node: Path, tmp_path: Path, recorded: tuple[str, ...], replayed: tuple[str, ...]
) -> None:
    kept = str(tmp_path / "kept")
    live = report("--root", str(node), *recorded, "--since", "3h", "--record", kept).logs
    told = report("--root", kept, *replayed).logs
    assert (told.since, told.until, told.reader) == (live.since, live.until, "")


def test_a_recording_of_an_older_release_without_the_journal_is_of_when_it_was_made(node: Path, tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    report("--root", str(node), "--no-logs", "--record", kept)
    Path(f"{kept}/logs.json").unlink()
    told = report("--root", kept)
    assert told.logs.until.isoformat().replace("+00:00", "Z") == told.observed_at
    assert told.logs.losses[0].reason.code is Code.NOT_CAPTURED


def test_newer_data_takes_the_place_of_the_release_s(node: Path, tmp_path: Path) -> None:
    data = tmp_path / "data/signatures"
    data.mkdir(parents=True)
    (data / "mine.toml").write_text(MINE)
    told = report("--root", str(node), "--data", str(tmp_path / "data"))
    outcomes = told.outcomes()
    assert (outcomes["logs.critical"], outcomes["logs.warning"]) == (Outcome.PASSED, Outcome.FAILED)
    assert told.tool.data_digest != report("--root", str(node)).tool.data_digest
    (data / "mine.toml").write_text(MINE.replace('"PLEG is not healthy"', '"("', 1))
    assert "mine.toml" in complaint("--root", str(node), "--data", str(tmp_path / "data"))


def test_a_damaged_journal_is_told_and_what_is_left_of_it_is_judged(write: Write) -> None:
    many: list[Fields] = [
        {"_SYSTEMD_UNIT": "kubelet.service", "MESSAGE": f"line {n} " + "x" * 200} for n in range(4000)
    ]
    root = write([*ENTRIES, *many])
    (file,) = root.rglob("*.journal")
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle:] = bytes(len(data) - middle)
    file.write_bytes(data)
    told = report("--root", str(root), "--since", "2025-01-01")
    assert told.outcomes()["logs.complete"] is Outcome.FAILED
    assert told.outcomes()["logs.critical"] is Outcome.FAILED


def test_the_journal_of_a_container_is_not_taken_for_the_node_s(node: Path) -> None:
    (node / "proc/1").mkdir(parents=True)
    (node / "proc/1/mountinfo").write_text("20 1 0:9 / / rw - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c\n")
    told = report("--root", str(node))
    assert told.outcomes()["logs.critical"] is Outcome.UNKNOWN
    assert told.logs.losses[0].reason.code is Code.OTHER_NAMESPACE
