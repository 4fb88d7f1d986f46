"""A journal as text, as a sosreport keeps it: what it tells is taken, what it lacks is said, whatever it holds."""

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, strategies as st

from nodediag.host.host import Taken
from nodediag.journal.journal import KERNEL, Entry, Query
from nodediag.journal.printed import PrintedJournal, either, printed
from nodediag.model.reason import Code

AT: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TAKEN: Final = Taken(AT, 0)
BOOT: Final = "0123456789abcdef" * 2
TEXT: Final = """\
-- Journal begins at Wed 2025-12-31 22:34:39 UTC, ends at Fri 2026-01-02 03:04:05 UTC. --
Dec 31 22:34:39 node-1 kernel: Linux version 6.12.55
Dec 31 22:34:40 node-1 systemd[1]: Starting kubelet.service - Kubernetes Kubelet...
-- Boot 0123456789abcdef0123456789abcdef --
Jan 01 10:00:00 node-1 systemd[1]: kubelet.service: Main process exited, code=exited, status=1/FAILURE
░░ Subject: Unit process exited
░░ Defined-By: systemd
Jan 01 10:00:01 node-1 kubelet[123]: E0101 10:00:01.5 123 a.go:1] "no" err="a: b"
                                     second line
                                       indented
Jan 01 10:00:02 node-1 dockerd[9]: level=error msg="x"
Jan 01 10:00:03 node-1 my app[9]: hello
Jan 01 10:00:04 node-1 systemd[900]: user.service: done
Jan  2 03:04:05 node-1 kernel[7]: not the kernel
what is this
Feb 30 10:00:00 node-1 kubelet[123]: no such day
"""


ALL: Final = "journalctl_--no-pager"
LAST: Final = "journalctl_--no-pager_--catalog_--boot"
LINE: Final = "Jan 01 10:00:00 n kubelet: {}\n"
JSON: Final = (
    '{"__REALTIME_TIMESTAMP":"1767261600000000","MESSAGE":"json","_SYSTEMD_UNIT":"kubelet.service","PRIORITY":"3"}\n'
)


def journal(text: str = TEXT, taken: Taken = TAKEN) -> PrintedJournal:
    return PrintedJournal(iter([text.encode()]), "/sos_commands/logs/journalctl_--no-pager", taken, AT)


def entries(made: PrintedJournal, unit: str, boot: str = "") -> list[Entry]:
    query = Query(units=(unit,), since=AT - timedelta(days=400), until=AT, boot=boot)
    return list(chain.from_iterable(made.batches(unit, query)))


def times(made: PrintedJournal, unit: str) -> list[str]:
    return [datetime.fromtimestamp(one.time_us / 1e6, UTC).isoformat() for one in entries(made, unit)]


def test_units_are_told_by_the_names_programs_log_under_and_by_pid_1() -> None:
    made = journal()
    assert made.units() == (
        "docker.service", "init.scope", KERNEL, "kernel.service", "kubelet.service", "my app.service", "systemd",
    )  # fmt: skip
    assert [one.message for one in entries(made, "kubelet.service")] == [
        b"kubelet.service: Main process exited, code=exited, status=1/FAILURE",
        b'E0101 10:00:01.5 123 a.go:1] "no" err="a: b"\nsecond line\nindented',
    ]
    assert len(entries(made, "init.scope")) == 2
    assert all(one.priority is None and not one.cursor for one in entries(made, KERNEL))


def test_the_year_is_the_last_one_in_which_it_had_happened() -> None:
    assert times(journal(), KERNEL) == ["2025-12-31T22:34:39+00:00"]
    assert times(journal(), "docker.service") == ["2026-01-01T10:00:02+00:00"]


@pytest.mark.parametrize(("zone_s", "time"), [(7200, "2026-01-01T08:00:02"), (-12600, "2026-01-01T13:30:02")])
def test_local_time_is_made_universal(zone_s: int, time: str) -> None:
    assert times(journal(taken=Taken(AT, zone_s)), "docker.service") == [f"{time}+00:00"]


def test_local_time_ahead_of_the_new_year_is_of_the_year_that_begins() -> None:
    made = journal("Jan 01 01:30:00 n kernel: x\n", Taken(datetime(2025, 12, 31, 23, 31, tzinfo=UTC), 7200))
    assert times(made, KERNEL) == ["2025-12-31T23:30:00+00:00"]


def test_boots_are_told_where_the_text_names_them() -> None:
    made = journal()
    assert made.boots() == (BOOT,)
    assert len(entries(made, "init.scope", BOOT)) == 1
    assert [unit for unit, _ in made.ending(BOOT, 9)] == [
        "init.scope", "kubelet.service", "docker.service", "my app.service", "systemd", "kernel.service",
    ]  # fmt: skip


def test_what_it_lacks_is_told() -> None:
    spots = journal().blind_spots()
    assert {spot.reason.code for spot in spots} == {Code.NOT_CAPTURED}
    said = " ".join(spot.reason.detail for spot in spots)
    assert "priorities of entries are not in it" in said
    assert "2 lines are no journal entries" in said
    assert "time zone" not in said
    text = "-- Reboot --\nJan 01 10:00:00 node-1 kernel: x\n"
    other = " ".join(spot.reason.detail for spot in journal(text, Taken()).blind_spots())
    assert "time zone is not known" in other
    assert "another boot begins is told, but not which" in other
    assert "no journal entries" not in other


FORMS: Final = {  # as systemd 252 prints one entry, 255 the last
    "short": "Jan 01 10:00:00 node-1 kubelet[123]: a: b",
    "short-precise": "Jan 01 10:00:00.250000 node-1 kubelet[123]: a: b",
    "short-iso": "2026-01-01T12:00:00+0200 node-1 kubelet[123]: a: b",
    "short-iso-precise": "2026-01-01T07:30:00.250000-0230 node-1 kubelet[123]: a: b",
    "short-full": "Thu 2026-01-01 10:00:00 UTC node-1 kubelet[123]: a: b",
    "with-unit": "Thu 2026-01-01 10:00:00 UTC node-1 kubelet.service[123]: a: b",
    "no-hostname": "Jan 01 10:00:00 kubelet[123]: a: b",
    "short-iso of 255": "2026-01-01T10:00:00+00:00 node-1 kubelet[123]: a: b",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_line_is_read(form: str) -> None:
    made = journal(FORMS[form], Taken())
    assert made.units() == ("kubelet.service",)
    (one,) = entries(made, "kubelet.service")
    assert one.message == b"a: b"
    assert one.time_us == 1767261600_000000 + ("precise" in form) * 250_000
    said = " ".join(spot.reason.detail for spot in made.blind_spots())
    assert ("year" in said, "time zone" in said, "which unit" in said) == (
        "2026" not in FORMS[form], "2026" not in FORMS[form], form != "with-unit",
    )  # fmt: skip


def test_where_units_are_named_pid_1_speaks_of_them_and_a_user_s_are_its_manager_s() -> None:
    made = journal(
        "Thu 2026-01-01 10:00:00 UTC n init.scope[1]: kubelet.service: Main process exited\n"
        "Thu 2026-01-01 10:00:00 UTC n user@0.service/app.service[9]: x\n"
        "Thu 2026-01-01 10:00:00 UTC n kernel: x\n"
    )
    assert made.units() == ("init.scope", KERNEL, "kubelet.service", "user@0.service")


def test_a_day_that_is_none_and_a_time_beyond_all_years_are_no_entries() -> None:
    made = journal("2026-02-30T10:00:00+0000 n a: x\n0001-01-01T00:00:00+0100 n a: x\n")
    assert made.units() == ()
    assert "2 lines are no journal entries" in " ".join(spot.reason.detail for spot in made.blind_spots())


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "packed"])
@pytest.mark.parametrize("text", [*FORMS.values(), TEXT])
def test_what_an_option_names_is_known_by_how_it_begins(text: str, pack: Callable[[bytes], bytes], size: int) -> None:
    made = either(pieces(pack(f"{text}\n".encode()), size), "x", AT)
    assert (made.name, "kubelet.service" in made.units()) == ("printed", True)
    assert either(pieces(pack(JSON.encode()), size), "x", AT).name == "saved"
    assert either(pieces(pack(b"of neither\n"), size), "x", AT).name == "saved"


@given(st.binary(max_size=300), st.sampled_from([b"", b"Jan 01 10:00:00 n a: ", b"Jan 99 99:99:99 n a[x]: "]))
def test_any_bytes_may_stand_in_it(data: bytes, before: bytes) -> None:
    made = PrintedJournal(iter([before + data[:100], data[100:]]), "x", Taken(AT, 0), AT)
    for unit in made.units():
        assert all(isinstance(one.message, bytes) for one in entries(made, unit))
    assert made.blind_spots()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({ALL: LINE.format("whole"), LAST: LINE.format("boot")}, b"whole"),
        ({LAST: LINE.format("boot"), "journalctl_--list-boots": "x"}, b"boot"),
        ({ALL: LINE.format("whole"), "journalctl_--no-pager_--output_json": JSON}, b"json"),
        ({ALL: "", "../../sos_strings/logs/journalctl_--no-pager.tailed": LINE.format("tail")}, b"tail"),
        ({"journalctl_--disk-usage": LINE.format("no"), "journalctl_--no-pager_--unit_x": LINE.format("no")}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_most_telling_of_what_was_printed_is_taken(
    files: dict[str, str], message: bytes | None, tmp_path: Path
) -> None:
    folder = tmp_path / "sos_commands/logs"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).parent.resolve().mkdir(parents=True, exist_ok=True)
        (folder / name).resolve().write_text(text)
    made = printed(str(tmp_path), Taken(AT, 0), AT)
    if message is None:
        assert made is None
        return
    assert made is not None
    query = Query(units=("kubelet.service",), since=AT - timedelta(days=9), until=AT)
    assert [one.message for batch in made.batches("kubelet.service", query) for one in batch] == [message]


def test_what_a_link_of_a_sosreport_leads_to_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "node/sos_commands/logs").mkdir(parents=True)
    (tmp_path / "outside").write_text(LINE.format("outside"))
    (tmp_path / "node/sos_commands/logs/journalctl_--no-pager").symlink_to(tmp_path / "outside")
    assert printed(str(tmp_path / "node"), Taken(AT, 0), AT) is None
