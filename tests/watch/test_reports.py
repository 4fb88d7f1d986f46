from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nodediag.watch import keeping, reports
from nodediag.watch.changes import State

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BACK = datetime(2020, 1, 1, tzinfo=UTC)


def test_the_oldest_reports_go_whatever_the_clock_says(tmp_path: Path) -> None:
    for number, time in enumerate((NOW, BACK, NOW, BACK)):
        kept, lost = reports.keep(str(tmp_path), 3, time, b"%d" % number)
        assert lost == ""
        assert Path(kept).read_bytes() == b"%d" % number
    assert [file.read_bytes() for file in sorted(tmp_path.iterdir())] == [b"1", b"2", b"3"]
    reports.keep(str(tmp_path), 1, NOW, b"4")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"4"]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    (tmp_path / "notes").write_text("mine")
    for _ in range(5):
        reports.keep(str(tmp_path), 1, NOW, b"x")
    assert {file.name for file in tmp_path.iterdir()} > {"state.json", "notes"}


def test_reports_are_for_their_owner_only(tmp_path: Path) -> None:
    kept, _ = reports.keep(str(tmp_path), 1, NOW, b"x")
    assert Path(kept).stat().st_mode & 0o777 == 0o600


def test_a_folder_that_has_gone_is_said(tmp_path: Path) -> None:
    kept, lost = reports.keep(str(tmp_path / "gone"), 1, NOW, b"x")
    assert kept == ""
    assert "gone" in lost


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "nodediag.watch/9"}', '{"open": [1]}', "\0"])
def test_a_state_that_cannot_be_used_is_said_and_not_used(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    state, why = keeping.load(str(tmp_path))
    assert state == State()
    assert "state.json" in why


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    told: list[bytes] = []
    state = State(cursor="s=1;i=2")
    keeping.save(told.append, str(tmp_path), state)
    assert told == [b'{"type":"Kept","lost":""}']
    assert keeping.load(str(tmp_path)) == (state, "")
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]


def fill(path: Path) -> None:
    """Take all the room there is."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.root
def test_on_a_full_disk_nothing_half_written_is_left_and_the_old_state_stays(small: Path) -> None:
    told: list[bytes] = []
    keeping.save(told.append, str(small), State(cursor="first"))
    fill(small / "filler")
    keeping.save(told.append, str(small), State(cursor="x" * 10_000))
    assert b"No space left" in told[-1]
    assert keeping.load(str(small))[0].cursor == "first"
    _, lost = reports.keep(str(small), 5, NOW, bytes(8192))
    assert "No space left" in lost
    assert {file.name for file in small.iterdir()} == {"filler", "state.json"}


@pytest.mark.root
def test_the_oldest_report_gives_way_to_the_newest_on_a_full_disk(small: Path) -> None:
    kept = [reports.keep(str(small), 100, NOW, bytes(60_000)) for _ in range(6)]
    assert [lost for _, lost in kept] == [""] * 6
    assert Path(kept[-1][0]).exists()
    assert not Path(kept[0][0]).exists()


def test_the_last_report_is_the_one_with_the_highest_number(tmp_path: Path) -> None:
    assert reports.last(None) is None
    assert reports.last(str(tmp_path / "gone")) is None
    assert reports.last(str(tmp_path)) is None
    reports.keep(str(tmp_path), 3, NOW, b"x")
    kept, _ = reports.keep(str(tmp_path), 3, BACK, b"x")
    assert reports.last(str(tmp_path)) == kept
