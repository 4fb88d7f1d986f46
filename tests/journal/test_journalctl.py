"""journalctl as the second way, and how a command is run."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from nodediag.errors import ReadError
from nodediag.host import journal_files
from nodediag.host.commands import Command, Run
from nodediag.journal.journal import Query
from nodediag.journal.journalctl import JournalctlJournal
from nodediag.journal.pick import pick
from nodediag.model.reason import Code

Fields = dict[str, str | bytes | list[str]]
WINDOW = Query(units=(), since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC))
PLEG = 'E1121 10:00:00.000000 1 kubelet.go:1] "Skipping pod synchronization" err="PLEG is not healthy: '
PLEG += 'pleg was last seen active 5m10.1s ago; threshold is 3m0s"'
WITHOUT_SYSTEMD = """
import sys
sys.modules["systemd"] = None
from nodediag.cli.main import main
main()
"""


class Write(Protocol):
    def __call__(self, entries: list[Fields], *options: str) -> Path: ...


@pytest.fixture(autouse=True)
def _installed() -> None:
    if not Path("/usr/bin/journalctl").exists():
        pytest.skip("journalctl is not installed")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_what_a_command_prints_comes_in_pieces_and_nothing_stays_open() -> None:
    before = descriptors()
    run = Run(Command.JOURNALCTL, ("--version",), until=time.monotonic() + 10)
    assert b"".join(run.chunks()).startswith(b"systemd ")
    assert descriptors() == before


def test_a_command_that_fails_says_why_in_its_own_words() -> None:
    run = Run(Command.JOURNALCTL, ("--nonsense",), until=time.monotonic() + 10)
    with pytest.raises(ReadError) as caught:
        list(run.chunks())
    assert caught.value.reason.code is Code.CRASHED
    assert "unrecognized option" in caught.value.reason.detail


def test_a_complaint_is_kept_to_two_kib() -> None:
    run = Run(Command.JOURNALCTL, ("--" + "x" * 9000,), until=time.monotonic() + 10)
    with pytest.raises(ReadError):
        list(run.chunks())
    assert 1000 < len(run.complaint) <= 2048


def test_a_command_that_does_not_end_is_killed_at_the_deadline(write: Write) -> None:
    root = write([{"MESSAGE": "x"}])
    (file,) = journal_files.find(str(root)).files
    asked = ("--follow", f"--file={file.path}")
    before = children()
    started = time.monotonic()
    run = Run(Command.JOURNALCTL, asked, until=started + 0.5, files=(file.fd,))
    with pytest.raises(ReadError) as caught:
        list(run.chunks())
    assert caught.value.reason.code is Code.TIMED_OUT
    assert time.monotonic() - started < 3
    assert not children() - before


def test_a_command_that_nobody_reads_on_is_killed(write: Write) -> None:
    root = write([{"MESSAGE": "x"}])
    (file,) = journal_files.find(str(root)).files
    before = children()
    run = Run(Command.JOURNALCTL, ("--follow", f"--file={file.path}"), until=time.monotonic() + 30, files=(file.fd,))
    pieces = run.chunks()
    assert next(pieces)
    assert children() - before
    del pieces
    assert not children() - before


def children() -> set[str]:
    """The children of the whole run: another test may have left one behind in D state."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_a_file_that_cannot_be_opened_is_named_and_the_others_are_read(write: Write) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "x" * 300 + str(number)} for number in range(2000)])
    (file,) = root.rglob("*.journal")
    with file.open("r+b") as cut:
        cut.truncate(file.stat().st_size // 3)
    file.rename(file.with_name("system@0001.journal"))
    write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "sound"}])
    journal = JournalctlJournal(journal_files.find(str(root)))
    assert [entry.message for batch in journal.batches("a.service", WINDOW) for entry in batch] == [b"sound"]
    (spot,) = journal.blind_spots()
    assert "system@0001.journal: it cannot be opened" in spot.reason.detail


def test_an_entry_that_is_too_long_is_left_out_and_said(write: Write) -> None:
    root = write(
        [{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "x" * (10 << 20)}, {"_SYSTEMD_UNIT": "a.service", "MESSAGE": "y"}]
    )
    journal = JournalctlJournal(journal_files.find(str(root)))
    assert [entry.message for batch in journal.batches("a.service", WINDOW) for entry in batch] == [b"y"]
    (spot,) = journal.blind_spots()
    assert spot.reason.code is Code.TOO_LARGE


def test_what_was_read_until_the_time_was_over_stays(write: Write) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "x"}])
    journal = JournalctlJournal(journal_files.find(str(root)), budget_s=0)
    assert list(journal.batches("a.service", WINDOW)) == []
    (spot,) = journal.blind_spots()
    assert spot.reason.code is Code.TIMED_OUT


def test_libsystemd_is_picked_where_it_is_there(write: Write) -> None:
    found = journal_files.find(str(write([{"MESSAGE": "x"}])))
    assert pick(found, since_us=0, budget_s=10).name == "libsystemd"


def test_the_verb_reads_through_journalctl_where_systemd_python_is_missing(write: Write) -> None:
    root = write([{"_SYSTEMD_UNIT": "kubelet.service", "PRIORITY": "6", "MESSAGE": PLEG}])
    command = [sys.executable, "-I", "-c", WITHOUT_SYSTEMD, "logs", "--root", str(root), "--since", "3650d"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    (finding,) = result["signatures"]
    assert (result["reader"], finding["condition"]) == ("journalctl", "pleg-unhealthy")
    assert finding["samples"][0]["cursor"].startswith("s=")
