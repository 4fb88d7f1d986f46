"""A sosreport is known for one, with the time at which it was made, and told as what it is."""

import json
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from nodediag.host.answer import Content, Failure, PathStat, PathType, Reply
from nodediag.host.ask import Ask, Read, Stat
from nodediag.host.host import Taken
from nodediag.host.sosreport import is_sosreport, taken
from nodediag.model.reason import Code, Reason
from tests.unpacked import opened

NODEDIAG: Final = (sys.executable, "-I", "-m", "nodediag")
SICK: Final = (
    'Nov 22 04:00:00 n kubelet[9]: E1122 04:00:00.0 9 kubelet.go:2040] "Skipping pod synchronization" err="PLEG is not'
    ' healthy: pleg was last seen active 5m10s ago; threshold is 3m0s"\n'
)
BEFORE: Final = "Nov 20 04:00:00 n kernel: Linux version 6.12.55\n"
ENTRY: Final = {"__REALTIME_TIMESTAMP": "1795320000000000", "_SYSTEMD_UNIT": "kubelet.service", "PRIORITY": "6"}


class Texts:
    """Files of a sosreport."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def answer(self, ask: Ask) -> Reply:
        if isinstance(ask, Read) and ask.path in self._files:
            return Content(self._files[ask.path].encode())
        if isinstance(ask, Stat):
            inside = any(path.startswith(f"{ask.path}/") for path in self._files)
            if inside or ask.path in self._files:
                return PathStat(PathType.DIRECTORY if inside else PathType.FILE, "0755", 1, "0:1")
        return Failure(Reason(code=Code.ABSENT, detail="not there"))


@pytest.mark.parametrize("mark", ["/version.txt", "/sos_logs/ui.log", "/sos_reports/manifest.json"])
def test_a_sosreport_is_told_from_a_folder_with_some_of_its_files(mark: str) -> None:
    commands = {"/sos_commands/kernel/uname_-a": "Linux"}
    assert is_sosreport(Texts({**commands, mark: "x"}))
    assert not is_sosreport(Texts(commands))
    assert not is_sosreport(Texts({mark: "x"}))
    assert not is_sosreport(Texts({"/sos_commands": "a file", mark: "x"}))


@pytest.mark.parametrize(
    ("utc", "local", "seconds"),
    [
        ("Sun Nov 22 04:29:56 UTC 2026", "Sun Nov 22 04:29:56 UTC 2026", 0),
        ("Sun Nov 22 04:29:56 UTC 2026\n", "Sun Nov 22 05:29:57 CET 2026\n", 3600),
        ("Sun Nov 22 04:29:56 UTC 2026", "Sat Nov 21 20:29:56 PST 2026", -8 * 3600),
        ("Sun Nov 22 04:29:56 UTC 2026", "Sun Nov 22 09:59:56 IST 2026", 5 * 3600 + 1800),
        ("Sun Nov 22 04:29:56 UTC 2026", "dim. 22 nov. 2026", None),
        ("", "Sun Nov 22 04:29:56 UTC 2026", 0),
        ("", "Sun Nov 22 10:29:56 +06 2026", 6 * 3600),
        ("", "Sun Nov 22 00:59:56 -0330 2026", -(3 * 3600 + 1800)),
    ],
)
def test_it_was_made_when_its_date_says(utc: str, local: str, seconds: int | None) -> None:
    files = {"/sos_commands/date/date_--utc": utc, "/sos_commands/date/date": local}
    assert taken(Texts(files)) == Taken(datetime(2026, 11, 22, 4, 29, 56, tzinfo=UTC), seconds)


@pytest.mark.parametrize(
    "local", ["", "Sun Nov 22 05:29:56 CET 2026", "Sun Nov 32 05:29:56 UTC 2026", "Sun Nov 22", "\0", "x" * 5000]
)
def test_what_says_no_time_is_no_time(local: str) -> None:
    assert taken(Texts({"/sos_commands/date/date": local})) == Taken()


@pytest.fixture
def sosreport(tmp_path: Path) -> Path:
    """A sosreport as sos lays it out, of a sick COS node."""
    folder = tmp_path / "sosreport-n-2026-11-22-abcdefg"
    files = {
        "version.txt": "sosreport: 4.0\n",
        "sos_reports/manifest.json": "{}",
        "sos_commands/date/date_--utc": "Sun Nov 22 04:29:56 UTC 2026\n",
        "sos_commands/date/date": "Sun Nov 22 04:29:56 UTC 2026\n",
        "sos_commands/logs/journalctl_--no-pager": BEFORE
        + "".join(SICK.replace(":00 n", f":0{second} n", 1) for second in range(3)),
        "etc/os-release": "ID=cos\nVERSION_ID=121\n",
        "proc/1/mountinfo": "20 1 253:0 / / ro - ext2 /dev/mapper/vroot ro\n21 20 0:5 / /proc rw - proc proc rw\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "date").symlink_to("sos_commands/date/date")
    return folder


def report(root: Path, *more: str) -> dict[str, dict[str, object]]:
    command = [*NODEDIAG, "report", "--root", str(root), "--format", "json", "--fail-on", "never", *more]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    made: dict[str, dict[str, object]] = json.loads(done.stdout)
    return made


def told(made: dict[str, dict[str, object]]) -> object:
    times = {"view", "generated_at", "duration_ms", "captured"}
    return {key: value for key, value in made.items() if key not in times}


def test_its_journal_as_text_is_judged_as_of_its_date(sosreport: Path) -> None:
    made = report(sosreport)
    assert made["view"]["origin"] == "sosreport"
    assert str(made["observed_at"]) == "2026-11-22T04:29:56Z"
    assert [(one["id"], one["count"]) for one in listed(made["logs"]["signatures"])] == [("kubelet.pleg-unhealthy", 3)]
    assert (made["logs"]["reader"], made["logs"]["entries"]) == ("printed", 3)
    losses = " ".join(str(one["reason"]) for one in listed(made["logs"]["losses"]))
    assert "priorities of entries are not in it" in losses
    assert "logs.critical" in str(made["verdict_because"])


def listed(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def test_its_journal_in_json_lacks_nothing(sosreport: Path) -> None:
    message = SICK.strip().partition(": ")[2]
    lines = [{**ENTRY, "MESSAGE": message}, {**ENTRY, "__REALTIME_TIMESTAMP": "1790000000000000", "MESSAGE": "x"}]
    file = sosreport / "sos_commands/logs/journalctl_--no-pager_--output_json"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    made = report(sosreport)
    assert [one["count"] for one in listed(made["logs"]["signatures"])] == [1]
    assert "priorities of entries" not in str(made["logs"]["losses"])


def test_packed_it_says_the_same_and_so_does_a_bundle_of_it(sosreport: Path, tmp_path: Path) -> None:
    packed, bundle = tmp_path / "sosreport.tar.xz", tmp_path / "bundle.tar.gz"
    with tarfile.open(packed, "w:xz") as tar:
        tar.add(sosreport, sosreport.name)
    made = report(sosreport)
    assert told(report(packed)) == told(made)
    assert report(packed)["view"]["origin"] == "sosreport"
    subprocess.run([*NODEDIAG, "bundle", "--root", str(packed), "-o", str(bundle)], check=True)
    assert told(report(bundle)) == told(made)
    assert opened(bundle)["journal.jsonl"].count(b"PLEG is not healthy") == 3


def test_without_a_date_it_is_as_of_its_newest_entry(sosreport: Path) -> None:
    for name in ("date_--utc", "date"):
        (sosreport / "sos_commands/date" / name).unlink()
    made = report(sosreport)
    assert made["view"]["origin"] == "sosreport"
    assert str(made["observed_at"]).endswith("-11-22T04:00:02Z")
    assert made["logs"]["entries"] == 3
