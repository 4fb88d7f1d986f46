"""Every way of reading the journal gives the same entries."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from nodediag.journal.journal import MOST_MESSAGE_BYTES, Entry, Journal, Query

Fields = dict[str, str | bytes | list[str]]
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


def test_a_long_message_is_cut_at_the_same_length(write: Write, read: Reader) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "x" * 300_000}])
    assert messages(read(root), "a.service") == [b"x" * MOST_MESSAGE_BYTES]


def test_of_a_repeated_field_the_first_is_the_message_and_each_is_a_unit(write: Write, read: Reader) -> None:
    root = write([{"_SYSTEMD_UNIT": ["a.service", "b.service"], "MESSAGE": ["one", "two"], "PRIORITY": ["3", "4"]}])
    for unit in ("a.service", "b.service"):
        (entry,) = entries(read(root), unit)
        assert (entry.message, entry.priority) == (b"one", 3)


def test_an_entry_without_a_boot_id_stays(write: Write, read: Reader) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "x", "_BOOT_ID": []}])
    assert messages(read(root), "a.service") == [b"x"]


def test_of_more_entries_than_the_cap_the_newest_are_kept_and_the_others_counted(write: Write, read: Reader) -> None:
    journal = read(write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": str(number)} for number in range(300)]))
    found = entries(journal, "a.service", msgspec.structs.replace(query(), cap=5))
    assert [entry.message for entry in found] == [b"295", b"296", b"297", b"298", b"299"]
    assert journal.cut("a.service") == 295
    assert [spot.what for spot in journal.blind_spots()] == ["a.service"]
    assert "295 oldest entries" in journal.blind_spots()[0].reason.detail


def test_the_cap_counts_what_lies_in_the_window(write: Write, read: Reader) -> None:
    journal = read(write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": str(number)} for number in range(300)]))
    late = datetime.fromtimestamp(START / 1e6 + 295, UTC)
    found = entries(journal, "a.service", msgspec.structs.replace(query(late), cap=5))
    assert [entry.message for entry in found] == [b"295", b"296", b"297", b"298", b"299"]
    assert (journal.cut("a.service"), journal.blind_spots()) == (0, ())


def test_one_boot_can_be_asked_for_and_boots_stand_in_their_order(write: Write, read: Reader) -> None:
    first, second = "d" * 32, "c" * 32
    journal = read(
        write(
            [
                {"_SYSTEMD_UNIT": "a.service", "MESSAGE": "before", "_BOOT_ID": first},
                {"_SYSTEMD_UNIT": "a.service", "MESSAGE": "after", "_BOOT_ID": second, "__MONOTONIC_TIMESTAMP": "1"},
                {"_SYSTEMD_UNIT": "init.scope", "_PID": "1", "UNIT": "a.service", "MESSAGE": "x", "_BOOT_ID": second},
                {"_TRANSPORT": "kernel", "MESSAGE": "k", "_BOOT_ID": second},
            ]
        )
    )
    assert journal.boots() == (first, second)
    asked = msgspec.structs.replace(query(), boot=first)
    assert [entry.message for entry in entries(journal, "a.service", asked)] == [b"before"]
    assert entries(journal, "kernel", asked) == []
    asked = msgspec.structs.replace(query(), boot=second)
    assert [entry.message for entry in entries(journal, "a.service", asked)] == [b"after", b"x"]


def test_units_are_named(write: Write, read: Reader) -> None:
    journal = read(write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "x"}, {"_TRANSPORT": "kernel", "MESSAGE": "k"}]))
    assert set(journal.units()) == {"a.service", "kernel"}


def test_files_that_were_rotated_away_stand_with_the_others(write: Write, read: Reader) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "old"}])
    (file,) = root.rglob("*.journal")
    file.rename(file.with_name("system@0001.journal"))
    write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "new", "__REALTIME_TIMESTAMP": str(START + 9_000_000)}])
    assert messages(read(root), "a.service") == [b"old", b"new"]


def test_the_last_entries_of_a_boot_are_given_whoever_logged_them(write: Write, read: Reader) -> None:
    first, second = "d" * 32, "c" * 32
    journal = read(
        write(
            [
                {"_SYSTEMD_UNIT": "a.service", "MESSAGE": "one", "_BOOT_ID": first},
                {"_TRANSPORT": "kernel", "MESSAGE": "two", "PRIORITY": "3", "_BOOT_ID": first},
                {"SYSLOG_IDENTIFIER": "sshd", "MESSAGE": "three", "_BOOT_ID": first},
                {"MESSAGE": "four", "_BOOT_ID": first},
                {"_SYSTEMD_UNIT": "a.service", "MESSAGE": "five", "_BOOT_ID": second, "__MONOTONIC_TIMESTAMP": "1"},
            ]
        )
    )
    ending = journal.ending(first, 3)
    assert [(unit, entry.message) for unit, entry in ending] == [
        ("kernel", b"two"),
        ("sshd", b"three"),
        ("unknown", b"four"),
    ]
    assert (ending[0][1].priority, ending[0][1].time_us) == (3, START + 1_000_000)
    assert len({entry.cursor for _, entry in ending} - {""}) == 3
    assert [entry.message for _, entry in journal.ending(second, 3)] == [b"five"]
    assert journal.ending("e" * 32, 3) == []
