"""Every way of reading the journal gives the same entries."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nodediag.journal.journal import Entry, Journal, Query

Fields = dict[str, str | bytes]
Write = Callable[[list[Fields]], Path]
Reader = Callable[[Path], Journal]
COREDUMP = "fc2e22bc6ee647b6b90729ab34a250b1"
START = 1_763_700_000_000_000


def query(since: datetime | None = None) -> Query:
    return Query(
        units=(), since=since or datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC)
    )  # fmt: skip


def entries(journal: Journal, unit: str, asked: Query | None = None) -> list[Entry]:
    return [entry for batch in journal.batches(unit, asked or query()) for entry in batch]


def messages(journal: Journal, unit: str) -> list[bytes]:
    return [entry.message for entry in entries(journal, unit)]


@pytest.mark.parametrize(
    "message",
    [
        b"plain words",
        b"two\nlines",
        b"x" * 5000,
        b"\xff\xfe not UTF-8",
        b"\x1b[31mcoloured\x1b[0m",
        "naïve, 北京".encode(),
        b"a\tb",
    ],
    ids=["plain", "multi-line", "over 4 KiB", "not UTF-8", "escapes", "UTF-8", "tab"],
)
def test_a_message_comes_back_as_it_was_logged(write: Write, read: Reader, message: bytes) -> None:
    root = write([{"_SYSTEMD_UNIT": "kubelet.service", "PRIORITY": "6", "MESSAGE": message}])
    assert messages(read(root), "kubelet.service") == [message]


def test_time_and_priority_are_those_of_the_entry(write: Write, read: Reader) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "PRIORITY": "3", "MESSAGE": "x"}])
    (entry,) = entries(read(root), "a.service")
    assert (entry.time_us, entry.priority) == (START, 3)


def test_an_entry_without_a_message_or_priority_stays(write: Write, read: Reader) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "CODE_LINE": "1"}])
    (entry,) = entries(read(root), "a.service")
    assert (entry.message, entry.priority) == (b"", None)


def test_a_unit_means_what_journalctl_means_by_it(write: Write, read: Reader) -> None:
    root = write(
        [
            {"_SYSTEMD_UNIT": "kubelet.service", "MESSAGE": "own"},
            {"_SYSTEMD_UNIT": "init.scope", "_PID": "1", "UNIT": "kubelet.service", "MESSAGE": "Started kubelet"},
            {"_SYSTEMD_UNIT": "evil.service", "_PID": "9", "UNIT": "kubelet.service", "MESSAGE": "forged"},
            {"_UID": "0", "MESSAGE_ID": COREDUMP, "COREDUMP_UNIT": "kubelet.service", "MESSAGE": "dumped core"},
            {"_SYSTEMD_UNIT": "containerd.service", "MESSAGE": "another's"},
        ]
    )
    assert messages(read(root), "kubelet.service") == [b"own", b"Started kubelet", b"dumped core"]


def test_the_kernel_is_known_by_its_transport(write: Write, read: Reader) -> None:
    root = write(
        [{"_TRANSPORT": "kernel", "PRIORITY": "4", "MESSAGE": "oops"}, {"_TRANSPORT": "stdout", "MESSAGE": "x"}]
    )
    assert messages(read(root), "kernel") == [b"oops"]


def test_the_window_is_kept_and_entries_have_the_journals_order(write: Write, read: Reader) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": str(number)} for number in range(400)])
    late = datetime.fromtimestamp(START / 1e6 + 390, UTC)
    found = [entry.message for entry in entries(read(root), "a.service", query(late))]
    assert found == [str(number).encode() for number in range(390, 400)]


def test_a_clock_that_steps_backwards_loses_no_entry(write: Write, read: Reader) -> None:
    times = (5, 6, 2, 3)
    root = write(
        [
            {"_SYSTEMD_UNIT": "a.service", "MESSAGE": str(at), "__REALTIME_TIMESTAMP": str(START + at * 1_000_000)}
            for at in times
        ]
    )
    assert sorted(messages(read(root), "a.service")) == [b"2", b"3", b"5", b"6"]


def test_entries_of_several_boots_are_all_read(write: Write, read: Reader) -> None:
    root = write(
        [
            {"_SYSTEMD_UNIT": "a.service", "MESSAGE": "before", "_BOOT_ID": "c" * 32},
            {"_SYSTEMD_UNIT": "a.service", "MESSAGE": "after", "_BOOT_ID": "d" * 32, "__MONOTONIC_TIMESTAMP": "1"},
        ]
    )
    assert sorted(messages(read(root), "a.service")) == [b"after", b"before"]


def test_every_entry_can_be_pointed_at(write: Write, read: Reader) -> None:
    journal = read(write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": str(number)} for number in range(3)]))
    cursors = {journal.cursor("a.service", entry) for entry in entries(journal, "a.service")}
    assert len(cursors) == 3
    assert "" not in cursors
