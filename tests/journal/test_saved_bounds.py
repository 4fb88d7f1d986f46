"""Saved lines beyond any bound: what memory they may take, what of them is kept, what is said of the rest."""

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from nodediag.journal.journal import MOST_MESSAGE_BYTES, Query
from nodediag.journal.saved import SavedJournal

WINDOW = Query(units=(), since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC))
START_US = 1_763_700_000_000_000
MEASURED = """
import hashlib, json, sys, zlib
from datetime import UTC, datetime
from nodediag.journal.journal import Query
from nodediag.journal.saved import SavedJournal

def peak():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["VmHWM"].split()[0]) / 1024

def lines():
    for number in range(500_000):
        noise = hashlib.sha256(b"%d" % number).hexdigest()
        yield (b'{"_SYSTEMD_UNIT": "%s.service", "__REALTIME_TIMESTAMP": "%d", "MESSAGE": "number %d %s", '
               b'"__CURSOR": "s=1;i=%x"}\\n' % (b"ab"[number % 2:][:1], 1763700000000000 + number, number,
                                               noise.encode() * 4, number))

def units():
    for number in range(200_000):
        yield b'{"SYSLOG_IDENTIFIER": "%d", "MESSAGE": "x"}\\n' % number

def boots():
    for number in range(200_000):
        yield b'{"_BOOT_ID": "%032x", "MESSAGE": "x"}\\n' % number

def message():
    yield b'{"MESSAGE": "'
    for _ in range(10):
        yield b"x" * (1 << 20)
    yield b'"}\\n{"MESSAGE": "after", "_SYSTEMD_UNIT": "a.service"}\\n'

def bomb(data, times):
    packer = zlib.compressobj(9, wbits=31)
    whole = b"".join(packer.compress(data) for _ in range(times)) + packer.flush()
    yield whole

given = {"many": lines, "units": units, "boots": boots, "message": message,
         "bomb": lambda: bomb(b"x" * (1 << 20), 300), "lines": lambda: bomb(b"x\\n" * (1 << 15), 30),
         "bytes": lambda: bomb(b'{"MESSAGE": [' + b"1," * (1 << 19) + b"1]}\\n", 40)}[sys.argv[1]]()
before = peak()
journal = SavedJournal(given, "x")
window = Query(units=(), since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC))
read = {unit: sum(len(batch) for batch in journal.batches(unit, window)) for unit in journal.units()}
print(json.dumps({"mib": peak() - before, "read": sum(read.values()), "cut": sum(map(journal.cut, read)),
                  "spots": [spot.reason.detail for spot in journal.blind_spots()]}))
"""


def lines(count: int, message: str = "x") -> Iterator[bytes]:
    for number in range(count):
        fields = {"_SYSTEMD_UNIT": "a.service", "__REALTIME_TIMESTAMP": str(START_US + number), "MESSAGE": message}
        yield json.dumps(fields).encode() + b"\n"


def messages(journal: SavedJournal, unit: str = "a.service") -> list[bytes]:
    return [entry.message for batch in journal.batches(unit, WINDOW) for entry in batch]


@pytest.mark.parametrize("kind", ["many", "units", "boots", "message", "bomb", "lines", "bytes"])
def test_memory_is_bounded_whatever_the_lines_hold(kind: str) -> None:
    command = [sys.executable, "-I", "-c", MEASURED, kind]
    result = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert result["mib"] < 48, result
    assert result["spots"] or kind == "bytes"
    if kind == "many":
        assert result["read"] + result["cut"] == 500_000
        assert result["cut"] > 0


def test_what_there_is_no_room_for_is_the_oldest_and_is_said() -> None:
    def noise() -> Iterator[bytes]:
        for number in range(60_000):
            text = zlib.compress(str(number).encode() * 9).hex() * 6
            fields = {"_SYSTEMD_UNIT": "a.service", "MESSAGE": f"{number} {hash((number, text))} {text}"}
            yield json.dumps(fields).encode() + b"\n"
            if number == 3:
                yield b'{"_SYSTEMD_UNIT": "quiet.service", "MESSAGE": "once"}\n'

    journal = SavedJournal(noise(), "x")
    kept = [int(message.split()[0]) for message in messages(journal)]
    assert kept == list(range(60_000 - len(kept), 60_000))
    assert messages(journal, "quiet.service") == [b"once"]
    if journal.cut("a.service"):
        assert journal.cut("a.service") == 60_000 - len(kept)
        assert f"its {60_000 - len(kept)} oldest entries" in journal.blind_spots()[0].reason.detail


def test_packed_entries_come_back_as_they_were() -> None:
    journal = SavedJournal(lines(1000, "naïve \x00\ufffd"), "x")
    assert messages(journal) == ["naïve \x00\ufffd".encode()] * 1000
    assert journal.blind_spots() == ()


def test_a_long_message_is_cut_and_a_line_of_ten_megabytes_is_left_out_and_said() -> None:
    journal = SavedJournal(iter([*lines(1, "x" * 1_000_000), *lines(1, "x" * 10_000_000), *lines(1, "y")]), "x")
    assert messages(journal) == [b"x" * MOST_MESSAGE_BYTES, b"y"]
    assert (
        "1 lines are no journal entries as `journalctl -o json` prints them: longer than"
        in journal.blind_spots()[0].reason.detail
    )


def test_what_comes_after_the_bound_is_left_out_and_said() -> None:
    journal = SavedJournal(lines(100), "x", most_bytes=2000)
    assert 0 < len(messages(journal)) < 100
    assert "after the first 2000 bytes was left out" in journal.blind_spots()[0].reason.detail


def test_gzip_files_one_behind_the_other_are_all_read() -> None:
    packed = b"".join(gzip.compress(line) for line in lines(3)) + b"\0" * 512
    for size in (1, 7, len(packed)):
        pieces = (packed[start : start + size] for start in range(0, len(packed), size))
        journal = SavedJournal(pieces, "x")
        assert (len(messages(journal)), journal.blind_spots()) == (3, ())


def test_gzip_that_ends_too_early_is_said_and_what_came_is_read() -> None:
    packed = gzip.compress(b"".join(lines(2000)), 0)
    journal = SavedJournal(iter([packed[: len(packed) // 2]]), "x")
    assert 0 < len(messages(journal)) < 2000
    assert any("too early" in spot.reason.detail for spot in journal.blind_spots())
