import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from hypothesis import given, settings, strategies as st

from nodediag.journal.journal import Query
from nodediag.journal.saved import SavedJournal

WINDOW = Query(units=(), since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC))
TIME = "1763700000000000"
COREDUMP = "fc2e22bc6ee647b6b90729ab34a250b1"


def journal(*records: Mapping[str, object], pack: bool = False) -> SavedJournal:
    data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    data = gzip.compress(data) if pack else data
    pieces = [data[start : start + 7] for start in range(0, len(data), 7)] if not pack else [data]
    return SavedJournal(iter(pieces), "saved.json")


def messages(saved: SavedJournal, unit: str) -> list[bytes]:
    return [entry.message for batch in saved.batches(unit, WINDOW) for entry in batch]


def test_a_message_of_bytes_comes_back_as_bytes() -> None:
    saved = journal({"_SYSTEMD_UNIT": "a.service", "MESSAGE": [255, 0, 104, 105], "__REALTIME_TIMESTAMP": TIME})
    assert messages(saved, "a.service") == [b"\xff\x00hi"]


def test_the_first_of_a_repeated_message_counts_and_every_unit() -> None:
    saved = journal({"_SYSTEMD_UNIT": ["a.service", "b.service"], "MESSAGE": ["one", "two"]})
    assert messages(saved, "b.service") == [b"one"]


def test_a_field_that_was_left_out_is_empty_and_the_entry_stays() -> None:
    assert messages(journal({"_SYSTEMD_UNIT": "a.service", "MESSAGE": None}), "a.service") == [b""]


def test_a_unit_has_its_own_entries_and_what_pid_1_says_of_it_and_its_coredumps() -> None:
    saved = journal(
        {"_SYSTEMD_UNIT": "kubelet.service", "MESSAGE": "own"},
        {"_SYSTEMD_UNIT": "init.scope", "_PID": "1", "UNIT": "kubelet.service", "MESSAGE": "started"},
        {"_SYSTEMD_UNIT": "evil.service", "_PID": "77", "UNIT": "kubelet.service", "MESSAGE": "forged"},
        {"_UID": "0", "COREDUMP_UNIT": "kubelet.service", "MESSAGE_ID": COREDUMP, "MESSAGE": "d"},
        {"_UID": "1000", "OBJECT_SYSTEMD_UNIT": "kubelet.service", "MESSAGE": "forged too"},
    )  # fmt: skip
    assert messages(saved, "kubelet.service") == [b"own", b"started", b"d"]


def test_the_kernel_is_known_by_its_transport() -> None:
    assert messages(journal({"_TRANSPORT": "kernel", "MESSAGE": "oops"}), "kernel") == [b"oops"]


def test_gzip_is_undone() -> None:
    saved = journal({"_SYSTEMD_UNIT": "a.service", "MESSAGE": "packed"}, pack=True)
    assert messages(saved, "a.service") == [b"packed"]


def test_a_line_that_is_no_entry_is_a_blind_spot_and_the_rest_is_read() -> None:
    saved = SavedJournal(iter([b'{"MESSAGE": "a", "_SYSTEMD_UNIT": "a.service"}\nnonsense\n[1]\n']), "x")
    assert messages(saved, "a.service") == [b"a"]
    assert "no journal entries" in saved.blind_spots()[0].reason.detail


def test_a_line_that_is_not_utf_8_is_a_blind_spot_too() -> None:
    saved = SavedJournal(iter([b'{"MESSAGE": "\xff"}\n{"MESSAGE": "a", "_SYSTEMD_UNIT": "a.service"}\n']), "x")
    assert messages(saved, "a.service") == [b"a"]
    assert "no journal entries" in saved.blind_spots()[0].reason.detail


def test_the_window_leaves_out_what_lies_before_it() -> None:
    old = {"_SYSTEMD_UNIT": "a.service", "MESSAGE": "old", "__REALTIME_TIMESTAMP": "1000000"}
    assert messages(journal(old), "a.service") == []


def test_the_newest_entry_tells_the_time_of_a_capture() -> None:
    newest = journal({"MESSAGE": "x", "__REALTIME_TIMESTAMP": TIME}).newest()
    assert newest == datetime.fromtimestamp(1763700000, UTC)


@settings(max_examples=80)
@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_bytes_are_entries_or_blind_spots(chunks: list[bytes]) -> None:
    saved = SavedJournal(iter(chunks), "x")
    for unit in saved.units():
        assert messages(saved, unit) is not None
