"""Journal files as they lie on sick nodes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest

from nodediag.errors import ReadError
from nodediag.host import journal_files
from nodediag.host.work import Work
from nodediag.journal.journal import MOST_MESSAGE_BYTES, Query
from nodediag.journal.native import NativeJournal
from nodediag.model.reason import Code

Fields = dict[str, str | bytes | list[str]]
WINDOW = Query(units=(), since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC))
PLEG = 'E1121 10:00:00.000000 1 kubelet.go:1] "Skipping pod synchronization" err="PLEG is not healthy: '
PLEG += 'pleg was last seen active 5m10.1s ago; threshold is 3m0s"'


class Write(Protocol):
    def __call__(self, entries: list[Fields], *options: str) -> Path: ...


def many(count: int) -> list[Fields]:
    return [{"_SYSTEMD_UNIT": "a.service", "MESSAGE": f"entry {number} " + "x" * 300} for number in range(count)]


def read(root: Path) -> tuple[int, list[str]]:
    journal = NativeJournal(journal_files.find(str(root)))
    count = sum(len(batch) for batch in journal.batches("a.service", WINDOW)) if journal.sources() else 0
    return count, [spot.reason.detail for spot in journal.blind_spots()]


def journals(root: Path) -> list[Path]:
    return sorted(root.rglob("*.journal"))


def test_a_whole_journal_has_no_blind_spot(write: Write) -> None:
    assert read(write(many(300))) == (300, [])


def test_compressed_entries_are_read(write: Write) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "y" * 20_000}] * 3, "--compress=yes")
    assert read(root) == (3, [])


def test_a_journal_that_was_cut_short_says_so_and_the_rest_is_read(write: Write) -> None:
    root = write(many(2000))
    (file,) = journals(root)
    with file.open("r+b") as cut:
        cut.truncate(file.stat().st_size // 3)
    count, spots = read(root)
    assert count < 2000
    assert len(spots) == 1
    assert "system.journal" in spots[0]


def test_what_is_no_journal_is_named_and_the_others_are_read(write: Write) -> None:
    root = write(many(5))
    folder = journals(root)[0].parent
    (folder / "garbage.journal").write_bytes(b"garbage" * 100)
    (folder / "empty.journal").write_bytes(b"")
    os.mkfifo(folder / "fifo.journal")
    (folder / "link.journal").symlink_to("/etc/passwd")
    count, spots = read(root)
    assert count == 5
    assert len(spots) == 4


def result(work: Callable[[], bytes]) -> bytes:
    begun = Work("the journal", work, budget_s=20)
    try:
        return begun.result()
    finally:
        begun.close()


@pytest.mark.parametrize("offset", [40, 160, 5000, 20_000])
def test_flipped_bits_crash_nothing(write: Write, offset: int) -> None:
    root = write(many(200))
    (file,) = journals(root)
    data = bytearray(file.read_bytes())
    for place in range(offset, offset + 64):
        data[place] ^= 0xFF
    file.write_bytes(data)
    packed = result(lambda: json.dumps(read(root)).encode())
    assert json.loads(packed)[0] <= 200


def test_a_reader_that_is_killed_as_by_a_file_cut_under_it_is_a_reason() -> None:
    def cut() -> bytes:
        os.kill(os.getpid(), signal.SIGBUS)
        return b""

    with pytest.raises(ReadError) as caught:
        result(cut)
    assert caught.value.reason.code is Code.CRASHED


def test_the_verb_reads_a_nodes_journal_and_points_at_its_entries(write: Write) -> None:
    root = write([{"_SYSTEMD_UNIT": "kubelet.service", "PRIORITY": "6", "MESSAGE": PLEG}])
    command = [sys.executable, "-I", "-m", "nodediag", "logs", "--root", str(root), "--since", "3650d"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    (finding,) = result["signatures"]
    assert (result["reader"], finding["condition"]) == ("libsystemd", "pleg-unhealthy")
    assert finding["samples"][0]["cursor"].startswith("s=")


def test_a_node_without_a_journal_ends_with_three_and_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-m", "nodediag", "logs", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 3
    assert "no journal file" in json.loads(done.stdout)["losses"][0]["reason"]["detail"]


def test_what_was_read_until_the_time_was_over_stays_and_that_is_said(write: Write) -> None:
    journal = NativeJournal(journal_files.find(str(write(many(1000)))), budget_s=0)
    assert 0 < sum(len(batch) for batch in journal.batches("a.service", WINDOW)) < 1000
    (spot,) = journal.blind_spots()
    assert spot.reason.code is Code.TIMED_OUT


def test_a_message_of_ten_megabytes_is_cut_and_batches_of_long_ones_are_small(write: Write) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": f"{number}" + "x" * (10 << 20)} for number in range(2)])
    journal = NativeJournal(journal_files.find(str(root)))
    ((first, second),) = journal.batches("a.service", WINDOW)
    assert (len(first.message), len(second.message)) == (MOST_MESSAGE_BYTES, MOST_MESSAGE_BYTES)
    assert journal.cursor("a.service", second).startswith("s=")


def test_the_verb_reads_one_boot(write: Write) -> None:
    root = write(
        [
            {"_SYSTEMD_UNIT": "kubelet.service", "MESSAGE": "x", "_BOOT_ID": letter * 32, "__MONOTONIC_TIMESTAMP": "1"}
            for letter in "cd"
        ]
    )
    for asked, entries in (("0", 1), ("-1", 1), ("c" * 32, 1), ("-2", 0)):
        command = [sys.executable, "-I", "-m", "nodediag", "logs", "--root", str(root), "--boot", asked]
        done = subprocess.run(command, capture_output=True, check=False)
        result = json.loads(done.stdout)
        assert (done.returncode, result["entries"]) == (0 if entries else 3, entries)
