from datetime import UTC, datetime

import msgspec
import pytest

from nodediag.journal.journal import Query
from nodediag.journal.saved import SavedJournal
from nodediag.logs.boots import abrupt_ends

START_US = 1_763_700_000_000_000
QUERY = Query(units=(), since=datetime(2025, 11, 21, tzinfo=UTC), until=datetime(2025, 11, 22, tzinfo=UTC))
Line = tuple[str, str, str]


def journal(*lines: Line) -> SavedJournal:
    """Make a journal of `(boot, unit, message)`, a second apart."""
    records = [
        {
            "__REALTIME_TIMESTAMP": str(START_US + number * 1_000_000),
            "_BOOT_ID": boot * 32,
            "_SYSTEMD_UNIT": unit,
            "MESSAGE": message,
            "__CURSOR": f"i={number}",
        }
        for number, (boot, unit, message) in enumerate(lines)
    ]
    return SavedJournal(iter([b"\n".join(map(msgspec.json.encode, records))]), "told")


PANIC: Line = ("a", "kubelet.service", "the last thing it said")
AFTER: Line = ("b", "init.scope", "systemd 252 running in system mode")


def test_a_boot_that_just_stops_is_told_with_its_last_lines() -> None:
    (end,) = abrupt_ends(journal(*[("a", "x.service", f"line {n}") for n in range(80)], PANIC, AFTER), QUERY)
    assert end.boot == "a" * 32
    assert [line.text for line in end.lines][-2:] == ["line 79", "the last thing it said"]
    assert (len(end.lines), end.lines[-1].unit, end.lines[-1].cursor) == (10, "kubelet.service", "i=80")
    assert end.last == end.lines[-1].time


@pytest.mark.parametrize(
    "message",
    [
        "Journal stopped",
        "Reached target System Reboot.",
        "Reached target reboot.target - System Reboot.",
        "Reached target Shutdown.",
        "Reached target Power-Off.",
        "Stopped target Multi-User System.",
        "Stopping Flush Journal to Persistent Storage...",
        "Shutting down.",
        "System is rebooting.",
        "The system will reboot now!",
        "Received SIGTERM from PID 1 (systemd-shutdow).",
    ],
)
def test_a_boot_that_was_shut_down_is_not(message: str) -> None:
    assert abrupt_ends(journal(("a", "init.scope", message), PANIC, AFTER), QUERY) == ()


@pytest.mark.parametrize("message", ["Stopped containerd container runtime.", "Reached target Multi-User System."])
def test_a_stopped_unit_is_no_shutdown(message: str) -> None:
    assert len(abrupt_ends(journal(("a", "init.scope", message), AFTER), QUERY)) == 1


def test_the_newest_boot_is_not_over() -> None:
    assert abrupt_ends(journal(PANIC), QUERY) == ()


def test_what_ended_outside_the_window_or_in_another_boot_is_not_asked_for() -> None:
    told = journal(PANIC, AFTER)
    late = msgspec.structs.replace(QUERY, since=datetime(2025, 11, 21, 23, tzinfo=UTC))
    assert abrupt_ends(told, late) == ()
    assert abrupt_ends(told, msgspec.structs.replace(QUERY, boot="b" * 32)) == ()
    assert len(abrupt_ends(told, msgspec.structs.replace(QUERY, boot="a" * 32))) == 1


def test_its_lines_hold_no_secret() -> None:
    secret = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    (end,) = abrupt_ends(journal(("a", "x.service", f"token={secret}"), AFTER), QUERY)
    assert secret not in end.lines[0].text
