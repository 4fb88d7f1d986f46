"""Journal files under one root: whose they are, how far back they go, what of them can be reached."""

import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from nodediag.errors import UsageError
from nodediag.host import journal_files
from nodediag.journal.form import missing, parse
from nodediag.journal.journal import Journal, Query, Source
from nodediag.journal.native import NativeJournal
from nodediag.journal.reach import boot, of_boot, short
from nodediag.journal.saved import SavedJournal
from nodediag.model.reason import BlindSpot

Fields = dict[str, str | bytes | list[str]]
WINDOW = Query(units=(), since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC))
MACHINE, OTHER = "b" * 32, "e" * 32
START = datetime.fromtimestamp(1_763_700_000, UTC)
START_US = 1_763_700_000_000_000
HOUR_US = 3_600_000_000


class Write(Protocol):
    def __call__(self, entries: list[Fields], *options: str, compact: bool = ...) -> Path: ...


def opened(root: Path) -> NativeJournal:
    return NativeJournal(journal_files.find(str(root)))


def messages(journal: Journal) -> list[bytes]:
    return [entry.message for batch in journal.batches("a.service", WINDOW) for entry in batch]


def details(journal: Journal) -> list[str]:
    return [spot.reason.detail for spot in journal.blind_spots()]


def many(count: int) -> list[Fields]:
    return [{"_SYSTEMD_UNIT": "a.service", "MESSAGE": f"entry {number}"} for number in range(count)]


def only(root: Path) -> Path:
    (file,) = root.rglob("*.journal")
    return file


def say_whose(root: Path) -> None:
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/machine-id").write_text(MACHINE + "\n")


def test_namespaces_volatile_files_and_other_machines_are_read_as_one(write: Write) -> None:
    root = write(many(1))
    first = only(root).read_bytes()
    for number, place in enumerate(
        (f"var/log/journal/{MACHINE}.ns", f"run/log/journal/{MACHINE}", "var/log/journal/x")
    ):
        (root / place).mkdir(parents=True)
        (root / place / "system.journal").write_bytes(first.replace(b"entry 0", b"entry %d" % (number + 1)))
    assert len(opened(root).sources()) == 4


def test_files_of_another_machine_are_named(write: Write) -> None:
    root = write([{"_SYSTEMD_UNIT": "a.service", "MESSAGE": "x"}])
    say_whose(root)
    assert details(opened(root)) == []
    (root / "var/log/journal" / OTHER).mkdir()
    (root / "var/log/journal" / OTHER / "system@old.journal").write_bytes(only(root).read_bytes())
    (detail,) = details(opened(root))
    assert "another machine" in detail
    assert "system@old.journal" in detail
    assert MACHINE + "/system.journal" not in detail


def test_a_file_with_two_names_is_read_once(write: Write) -> None:
    root = write(many(3))
    (only(root).parent / "system@copy.journal").hardlink_to(only(root))
    assert len(messages(opened(root))) == 3


def test_a_file_that_is_renamed_and_deleted_while_it_is_read_is_read_to_its_end(write: Write) -> None:
    root = write(many(1000))
    journal = opened(root)
    batches = journal.batches("a.service", WINDOW)
    count = len(next(batches))
    file = only(root)
    file.rename(file.with_name("system@0001.journal"))
    write(many(10))
    (file.with_name("system@0001.journal")).unlink()
    assert count + sum(map(len, batches)) == 1000
    assert journal.blind_spots() == ()


def test_a_file_that_is_rotated_while_files_are_looked_for_is_not_missed(write: Write) -> None:
    file = only(write(many(3)))
    root, data, inode = file.parents[4], file.read_bytes(), file.stat().st_ino
    over = threading.Event()

    def rotate() -> None:
        here = file
        for number in range(10_000):
            if over.is_set():
                return
            here = here.rename(here.with_name(f"system@{number:05}.journal"))
            if not file.exists():
                file.write_bytes(data)
            time.sleep(0.001)

    rotating = threading.Thread(target=rotate)
    rotating.start()
    try:
        for _ in range(50):
            found = journal_files.find(str(root))
            assert inode in {Path(one.path).stat().st_ino for one in found.files}
            for one in found.files:
                Path(one.path).open("rb").close()
    finally:
        over.set()
        rotating.join()


def damage(file: Path, *, array: bool = False) -> None:
    """Flip the type of an entry in the middle, or of the second array of entries."""
    data = bytearray(file.read_bytes())
    (array_at,) = struct.unpack_from("<Q", data, 176)
    (following,) = struct.unpack_from("<Q", data, array_at + 16)
    (entry_at,) = struct.unpack_from("<I" if data[12] & 16 else "<Q", data, following + 24)
    data[following if array else entry_at] ^= 0xFF
    file.write_bytes(data)


@pytest.mark.parametrize("compact", [True, False], ids=["compact", "regular"])
def test_damage_in_the_middle_is_told_with_numbers(write: Write, *, compact: bool) -> None:
    root = write(many(3000), compact=compact)
    assert details(opened(root)) == []
    damage(only(root))
    (detail,) = details(opened(root))
    assert "damaged: of 3000 entries 2999 can be reached" in detail


def test_a_broken_chain_loses_all_that_hangs_on_it_and_that_is_told(write: Write) -> None:
    root = write(many(3000))
    damage(only(root), array=True)
    (detail,) = details(opened(root))
    assert "of 3000 entries 4 can be reached" in detail


def flip(file: Path, *places: int) -> None:
    data = bytearray(file.read_bytes())
    for at in places:
        data[at] ^= 0x80
    file.write_bytes(data)


def entries_at(file: Path) -> list[int]:
    """Give where the entries lie that the last array of a file leads to that is not compact."""
    data = file.read_bytes()
    (array_at,) = struct.unpack_from("<Q", data, 176)
    while (following := struct.unpack_from("<Q", data, array_at + 16)[0]) > 0:
        array_at = following
    (size,) = struct.unpack_from("<Q", data, array_at + 8)
    return [at for at in struct.unpack_from(f"<{(size - 24) // 8}Q", data, array_at + 24) if at]


@pytest.mark.parametrize("number", range(20))
def test_an_entry_that_is_none_any_more_is_told_whichever_it_is(write: Write, number: int) -> None:
    root = write(many(3000), compact=False)
    flip(only(root), entries_at(only(root))[number])
    (detail,) = details(opened(root))
    assert "damaged: of 3000 entries 2999 can be reached" in detail


@pytest.mark.parametrize("at", [12, 22, 31, 39], ids=["size", "number", "time", "uptime"])
def test_an_entry_s_numbers_are_looked_at_too(write: Write, at: int) -> None:
    root = write(many(3000), compact=False)
    flip(only(root), entries_at(only(root))[0] + at)
    (detail,) = details(opened(root))
    assert "damaged: of 3000 entries 2999 can be reached" in detail


@pytest.mark.parametrize("at", [24, 104, 112], ids=["key", "table", "size of the table"])
def test_values_that_lead_to_no_entry_any_more_are_told(write: Write, at: int) -> None:
    root = write(many(3000))
    flip(only(root), at)
    assert "damaged: " in " ".join(details(opened(root)))


def test_an_array_of_one_unit_s_entries_that_is_broken_is_told(write: Write) -> None:
    root = write(many(3000), compact=False)
    data = only(root).read_bytes()
    value_at = data.index(b"_SYSTEMD_UNIT=a.service") - 64
    array_at, held = struct.unpack_from("<QQ", data, value_at + 48)
    assert held == 3000
    (following,) = struct.unpack_from("<Q", data, array_at + 16)
    flip(only(root), following)
    (detail,) = details(opened(root))
    assert "damaged: of 3000 entries of _SYSTEMD_UNIT=a.service " in detail


def test_a_file_that_is_damaged_after_it_was_looked_at_is_told_by_what_libsystemd_left_out(write: Write) -> None:
    root = write(many(3000), compact=False)
    journal = opened(root)
    assert details(journal) == []
    data = only(root).read_bytes()
    array_at, _ = struct.unpack_from("<QQ", data, data.index(b"_SYSTEMD_UNIT=a.service") - 64 + 48)
    with only(root).open("r+b") as file:
        file.seek(array_at)
        file.write(b"\xff")
    assert sum(len(batch) for batch in journal.batches("a.service", WINDOW)) < 3000
    (detail,) = details(journal)
    assert "a.service: a journal file is damaged" in detail


def test_a_file_that_is_being_written_is_not_called_damaged_but_one_put_aside_is(write: Write) -> None:
    root = write(many(3000))
    file = only(root)
    damage(file)
    data = bytearray(file.read_bytes())
    data[16] = 1
    file.write_bytes(data)
    assert details(opened(root)) == []
    file.rename(file.with_name("system@0001.journal~"))
    assert "2999 can be reached" in details(opened(root))[0]


def test_files_that_ended_before_the_window_are_not_walked(write: Write) -> None:
    root = write(many(3000))
    damage(only(root))
    found = journal_files.find(str(root))
    assert NativeJournal(found, since_us=START_US + 3001 * 1_000_000).blind_spots() == ()


@pytest.mark.parametrize("at", [8, 16, 17, 24, 100])
def test_any_numbers_in_a_chain_of_arrays_end(write: Write, at: int) -> None:
    root = write(many(300))
    data = bytearray(only(root).read_bytes())
    (array_at,) = struct.unpack_from("<Q", data, 176)
    for value in (0, 1, 24, 25, 28, 32, array_at, 1 << 31, (1 << 64) - 1):
        struct.pack_into("<Q", data, array_at + at, value)
        only(root).write_bytes(data)
        (file,) = journal_files.find(str(root)).files
        header = parse(file.head)
        assert header is not None
        for compact in (False, True):
            asked = msgspec.structs.replace(header, is_compact=compact, array_at=array_at, entries=1 << 60)
            assert "can be reached" in missing(bytes(data), asked, 0)


def since(moment: datetime) -> Query:
    return msgspec.structs.replace(WINDOW, since=moment)


def source(number: int, uptime_us: int, first_us: int = START_US) -> Source:
    return Source(
        path="x", entries=5, first_us=first_us, last_us=first_us + HOUR_US, state="offline", first_number=number,
        first_uptime_us=uptime_us,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (source(4711, HOUR_US), "number 4711: those before it were rotated away or deleted"),
        (source(1, 3 * HOUR_US), "up since 2025-11-21T01:40:00Z, before the window"),
        (source(1, HOUR_US), "up since 2025-11-21T03:40:00Z, within the window"),
        (source(1, 1_000_000), "cannot be told"),
        (source(-1, -1), "whether the machine was up before cannot be told"),
    ],
)
def test_a_journal_that_does_not_reach_back_says_what_is_known_of_before(held: Source, said: str) -> None:
    (spot,) = short((held,), since(START - timedelta(hours=2)))
    assert said in spot.reason.detail
    assert "asked from 2025-11-21T02:40:00Z, the oldest entry is of 2025-11-21T04:40:00Z" in spot.reason.detail


def test_a_journal_that_reaches_back_says_nothing() -> None:
    assert short((source(4711, HOUR_US),), since(START + timedelta(seconds=1))) == ()
    assert short((source(9, 9), source(1, 9, START_US - 9 * HOUR_US)), since(START - timedelta(hours=2))) == ()
    assert short((), since(START)) == ()


def test_the_first_entry_of_a_real_file_tells_its_number_and_the_uptime(write: Write) -> None:
    (held,) = opened(write([{**fields, "__MONOTONIC_TIMESTAMP": "7200000000"} for fields in many(2)])).sources()
    assert (held.first_number, held.first_uptime_us, held.machine) == (1, 7_200_000_000, MACHINE)


def test_a_boot_is_named_as_journalctl_names_it() -> None:
    identity = "01234567-89ab-cdef-0123-456789abcdef"
    assert [boot("--boot", text) for text in ("0", "-1", "+2", identity)] == [
        "0",
        "-1",
        "+2",
        identity.replace("-", ""),
    ]
    for wrong in ("", "x", "1.5", "--1", "z" * 32):
        with pytest.raises(UsageError, match="--boot"):
            boot("--boot", wrong)


def test_offsets_count_boots_from_either_end() -> None:
    ids = ("a" * 32, "b" * 32, "c" * 32)
    lines = b"".join(b'{"MESSAGE": "x", "_BOOT_ID": "%s"}\n' % one.encode() for one in ids)
    journal = SavedJournal(iter([lines]), "x")

    def meant(text: str) -> str:
        found = of_boot(journal, msgspec.structs.replace(WINDOW, boot=text))
        return found.what if isinstance(found, BlindSpot) else found.boot

    assert [meant(text) for text in ("0", "-1", "-2", "1", "3", ids[1])] == [*ids[::-1], ids[0], ids[2], ids[1]]
    assert [meant(text) for text in ("-3", "4", "f" * 32)] == ["boot -3", "boot 4", "boot " + "f" * 32]
