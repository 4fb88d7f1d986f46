"""What happens to lines when nobody takes them."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from nodediag.host.events import Events
from nodediag.watch.sinks import MOST_BYTES, FailedLine, Line, Lines

NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Pipe:
    def __init__(self) -> None:
        self.ours, self.theirs = os.pipe()
        self.taken: list[Line] = []
        self.events = Events(())
        self.lines = Lines(self.theirs, self.events, self.taken.append)

    def read(self) -> bytes:
        return os.read(self.ours, 1 << 20)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    one = Pipe()
    yield one
    one.events.close()
    for fd in (one.ours, one.theirs):
        try:
            os.close(fd)
        except OSError:
            continue


def line(number: int, size: int = 1000) -> FailedLine:
    return FailedLine(time=NOW, node=str(number), why="x" * size)


def test_a_line_is_taken_at_once_where_there_is_room(pipe: Pipe) -> None:
    assert pipe.lines.add(line(1))
    assert pipe.taken == [line(1)]
    assert pipe.read().endswith(b"\n")


def test_a_pipe_that_nobody_reads_is_not_waited_for_and_nothing_is_lost(pipe: Pipe) -> None:
    for number in range(200):
        assert pipe.lines.add(line(number))
    assert 0 < len(pipe.taken) < 200
    seen = b""
    while len(pipe.taken) < 200:
        seen += pipe.read()
        pipe.events.wait(1)
    seen += pipe.read()
    assert seen.count(b"\n") == 200
    assert pipe.taken == [line(number) for number in range(200)]


def test_what_waits_is_bounded(pipe: Pipe) -> None:
    results = [pipe.lines.add(line(number, 10_000)) for number in range(200)]
    assert not all(results)
    assert pipe.lines.refused == results.count(False)
    assert len(pipe.lines) * 10_000 <= MOST_BYTES


def test_a_reader_that_has_gone_is_told_and_costs_nothing(pipe: Pipe) -> None:
    os.close(pipe.ours)
    assert pipe.lines.add(line(1))
    assert pipe.taken == []
    assert pipe.lines.broken == "Broken pipe"
    assert len(pipe.lines) == 1
    start = len(pipe.taken)
    pipe.events.wait(0)
    assert len(pipe.taken) == start


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110 - a device
def test_a_full_disk_keeps_the_lines() -> None:
    fd = os.open("/dev/full", os.O_WRONLY)
    events = Events(())
    taken: list[Line] = []
    lines = Lines(fd, events, taken.append)
    assert lines.add(line(1))
    assert (taken, len(lines), lines.broken) == ([], 1, "No space left on device")
    os.close(fd)
    events.close()
