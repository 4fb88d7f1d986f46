import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NODEDIAG = (sys.executable, "-I", "-m", "nodediag")
PLEG = 'E1121 10:00:00.000000 1222 kubelet.go:2040] "Skipping pod synchronization" err="PLEG is not healthy: '
PLEG += 'pleg was last seen active 5m10.1s ago; threshold is 3m0s"'
SIGNATURE = """\
[[signature]]
id = "mine.frobnicator"
condition = "frobnicator-broken"
title = "The frobnicator is broken"
severity = "critical"
patterns = ['frobnicator broke']
cause = "age"
remedy = "replace it"
source = "ours"
samples = ["the frobnicator broke", "frobnicator broke again"]
near_misses = ["the frobnicator works"]
"""


def run(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*NODEDIAG, "logs", *arguments], input=data, capture_output=True, check=False)


def entry(message: str, unit: str = "kubelet.service", time_s: int = 1763700000) -> bytes:
    fields = {"MESSAGE": message, "_SYSTEMD_UNIT": unit, "__REALTIME_TIMESTAMP": f"{time_s}000000"}
    return json.dumps(fields).encode() + b"\n"


def test_a_known_failure_is_named_with_what_to_do() -> None:
    done = run("--input", "-", data=entry(PLEG))
    assert done.returncode == 1, done.stderr
    (finding,) = json.loads(done.stdout)["signatures"]
    assert (finding["condition"], finding["severity"], finding["count"]) == ("pleg-unhealthy", "critical", 1)
    assert finding["remedy"]
    assert PLEG in finding["samples"][0]["text"]


def test_harmless_lines_raise_nothing() -> None:
    done = run("--input", "-", data=entry('I1121 10:00:00.000000 1222 kubelet.go:1] "SyncLoop ADD" source="api"'))
    assert done.returncode == 0
    assert json.loads(done.stdout)["signatures"] == []


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "saved.json.gz").write_bytes(gzip.compress(entry(PLEG) * 3))
    done = run("--input", str(tmp_path / "saved.json.gz"))
    assert json.loads(done.stdout)["signatures"][0]["count"] == 3


def test_what_journalctl_prints_for_people_is_read_and_what_it_lacks_is_said() -> None:
    lines = f"Nov 21 10:00:00 node-1 kubelet[1222]: {PLEG}\nNov 21 10:00:09 node-1 kernel: fine\n".encode()
    for data in (lines, gzip.compress(lines)):
        done = run("--input", "-", data=data)
        told = json.loads(done.stdout)
        assert (done.returncode, done.stderr, told["entries"]) == (1, b"", 2)
        assert [finding["condition"] for finding in told["signatures"]] == ["pleg-unhealthy"]
        said = " ".join(loss["reason"]["detail"] for loss in told["losses"])
        for lack in ("priorities", "which unit", "the year", "time zone"):
            assert lack in said


def test_what_lies_before_the_window_does_not_count() -> None:
    done = run("--input", "-", "--since", "1h", data=entry(PLEG) + entry("fine", time_s=1763800000))
    assert json.loads(done.stdout)["signatures"] == []


def test_signatures_of_ones_own_stand_beside_those_of_the_release(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SIGNATURE)
    done = run("--input", "-", "--signatures", str(tmp_path / "mine.toml"), data=entry("the frobnicator broke"))
    assert json.loads(done.stdout)["signatures"][0]["id"] == "mine.frobnicator"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("'frobnicator broke'", "'a{50}'"), "mine.frobnicator.patterns: 'a{50}' repeats {50}; at most 10"),
        (("'frobnicator broke'", "'a.*b.*c'"), "mine.frobnicator.patterns: 'a.*b.*c' has a second `.*`"),
        (('severity = "critical"', 'severity = "terrible"'), "terrible"),
        (('near_misses = ["the frobnicator works"]', "near_misses = []"), "mine.frobnicator.samples"),
        (("remedy", "remidy"), "remidy"),
        (("[[signature]]", "[[signature"), "not TOML"),
        (("'frobnicator broke'", "'frob('"), "mine.frobnicator.patterns"),
    ],
)
def test_a_bad_signature_names_file_record_key_and_reason(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SIGNATURE.replace(*change))
    done = run("--input", "-", "--signatures", str(file))
    assert done.returncode == 2
    assert str(file) in done.stderr.decode()
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_text_for_a_person_holds_no_control_characters() -> None:
    done = run("--input", "-", "--format", "text", data=entry(PLEG + "\x1b[31m"))
    assert b"kubelet.pleg-unhealthy" in done.stdout
    assert b"\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("data", "told"),
    [(entry("a"), b"1 entry of 1 unit, the"), (entry("a") + entry("b", "b.service"), b"2 entries of 2 units, the")],
)
def test_one_is_not_told_as_many(data: bytes, told: bytes) -> None:
    assert run("--input", "-", "--format", "text", data=data).stdout.startswith(told)


def test_a_text_that_is_no_journal_is_told_what_was_wanted() -> None:
    done = run("--input", "-", data=b"kubelet: hello\n")
    assert done.returncode == 3
    assert "as `journalctl -o json` prints them" in json.loads(done.stdout)["losses"][0]["reason"]["detail"]


def test_other_json_is_no_journal_and_no_health() -> None:
    done = run("--input", "-", data=b'{"schema": "nodediag.report/0", "verdict": "healthy"}\n')
    assert done.returncode == 3
    assert "none of journald's fields is in it" in json.loads(done.stdout)["losses"][0]["reason"]["detail"]


def test_a_pipe_into_which_nobody_writes_is_not_waited_for_beyond_the_timeout(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    done = run("--input", str(tmp_path / "pipe"), "--timeout", "300ms")
    assert (done.returncode, json.loads(done.stdout)["losses"][0]["reason"]["code"]) == (3, "timed_out")


def test_what_came_before_a_pipe_fell_silent_is_judged() -> None:
    with subprocess.Popen(
        [*NODEDIAG, "logs", "--input", "-", "--timeout", "2s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(entry(PLEG))
        process.stdin.flush()
        assert process.stdout is not None
        result = json.loads(process.stdout.read())
        process.stdin.close()
    assert process.returncode == 1
    assert [one["id"] for one in result["signatures"]] == ["kubelet.pleg-unhealthy"]
    assert result["losses"][0]["reason"]["code"] == "timed_out"


def test_a_closed_standard_input_is_bad_usage() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *NODEDIAG, "logs", "--input", "-"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, b"nodediag: --input -: standard input is closed\n")


def test_input_that_is_not_there_is_bad_usage() -> None:
    done = run("--input", "/nowhere/at/all")
    assert done.returncode == 2
    assert b"/nowhere/at/all" in done.stderr


def booted(message: str, boot: str, time_s: int) -> bytes:
    fields = json.loads(entry(message, time_s=time_s))
    return json.dumps({**fields, "_BOOT_ID": boot * 32}).encode() + b"\n"


@pytest.mark.parametrize(("asked", "entries"), [("0", 1), ("-1", 2), ("1", 2), ("a" * 32, 2), ("b" * 32, 1)])
def test_one_boot_can_be_asked_for(asked: str, entries: int) -> None:
    data = booted("x", "a", 1763700000) + booted("y", "a", 1763700001) + booted("z", "b", 1763900000)
    done = run("--input", "-", "--boot", asked, data=data)
    assert json.loads(done.stdout)["entries"] == entries


def test_a_boot_that_is_not_held_is_unknown_not_healthy() -> None:
    done = run("--input", "-", "--boot", "-1", data=booted("x", "a", 1763700000))
    assert done.returncode == 3
    assert "holds 1 boots" in json.loads(done.stdout)["losses"][-1]["reason"]["detail"]


def test_a_boot_that_is_none_is_bad_usage() -> None:
    done = run("--input", "-", "--boot", "last", data=b"")
    assert done.returncode == 2
    assert b"--boot 'last'" in done.stderr


@pytest.mark.parametrize(
    ("window", "told"),
    [
        (("--since", "1h", "--until", "3h"), b"--since '1h' is later than --until '3h'"),
        (("--since", "9000-01-01"), b"--since '9000-01-01' is later than now"),
    ],
)
def test_a_window_that_ends_before_it_begins_is_bad_usage(window: tuple[str, ...], told: bytes) -> None:
    done = run("--input", "-", *window, data=entry("fine"))
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in done.stderr


def test_lines_that_do_not_reach_back_to_the_window_are_a_loss() -> None:
    done = run("--input", "-", "--since", "2025-11-21T00:00:00Z", data=entry("fine"))
    (loss,) = json.loads(done.stdout)["losses"]
    assert "the oldest entry is of 2025-11-21T04:40:00Z" in loss["reason"]["detail"]
    assert json.loads(run("--input", "-", data=entry("fine")).stdout)["losses"] == []


@pytest.mark.parametrize("data", [b"", b"plain text, as journalctl prints it\n", b"\x1f\x8bgarbage", b"\0" * 5000])
def test_where_no_entry_could_be_read_the_verdict_is_unknown(data: bytes) -> None:
    assert run("--input", "-", data=data).returncode == 3
