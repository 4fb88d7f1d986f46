import json
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.host.answer import Content, Failure, Reply, UnameAnswer
from nodediag.host.ask import Read, Statvfs, Uname
from nodediag.host.recording import Told
from nodediag.model.outcome import CheckResult, Outcome
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.model.report import Report
from nodediag.render import as_log
from tests.render.conftest import MakeReport

AT: Final = datetime(2026, 11, 21, 12, 0, 1, tzinfo=UTC)


def failure(code: Code, detail: str = "because") -> Failure:
    return Failure(Reason(code=code, detail=detail))


def told(path: str, reply: Reply, *, at: datetime = AT) -> Told:
    return Told(Read(path, 10), reply, took_us=70, at=at)


def shown(report: Report[Facts], *every: Told) -> list[dict[str, object]]:
    return [json.loads(line) for line in as_log.render(as_log.events(report, every, {"deep": "True"})).splitlines()]


def names(events: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(event["event"], event["level"]) for event in events]


def test_a_run_in_which_nothing_failed_begins_and_ends(report_of: MakeReport) -> None:
    report = report_of("healthy")
    view = msgspec.structs.replace(report.view, blind_spots=())
    report = msgspec.structs.replace(report, view=view, duration_ms={"facts": 3000, "checks": 4})
    answered = (told("/a", Content(b"x")), told("/b", failure(Code.ABSENT)), told("/c", failure(Code.NOT_CAPTURED)))
    began, ended = shown(report, *answered)
    assert names([began, ended]) == [("started", "info"), ("diagnosed", "info")]
    assert (began["version"], began["deep"]) == (report.tool.version, "True")
    assert (ended["verdict"], ended["facts_ms"], ended["checks_ms"]) == ("healthy", 3000, 4)
    took = datetime.fromisoformat(str(ended["timestamp"])) - datetime.fromisoformat(str(began["timestamp"]))
    assert took == timedelta(milliseconds=3004)


def test_what_failed_is_told_in_the_order_of_time_each_reason_once(report_of: MakeReport) -> None:
    report = report_of("healthy")
    gone = Reason(code=Code.CRASHED, detail="the child that asked died (EOFError)")
    spots = (BlindSpot(what="x", reason=gone), BlindSpot(what="y", reason=failure(Code.UNPARSABLE, "no table").reason))
    broken = CheckResult(
        id="kernel.x",
        title="t",
        outcome=Outcome.BROKEN,
        problems=(),
        reason=failure(Code.CRASHED, "TypeError: x").reason,
    )
    report = msgspec.structs.replace(
        report, view=msgspec.structs.replace(report.view, blind_spots=spots), checks=(*report.checks, broken)
    )
    late = AT + timedelta(seconds=2)
    found = shown(
        report,
        Told(Uname(), UnameAnswer("Linux", "n", "6", "#1", "x86_64")),
        Told(Statvfs("/var"), Failure(gone), took_us=2_000_000, at=late),
        told("/etc/shadow", failure(Code.NOT_PERMITTED)),
    )
    assert names(found) == [
        ("started", "info"),
        ("not_answered", "warning"),
        ("not_answered", "error"),
        ("not_known", "warning"),
        ("check_broken", "error"),
        ("diagnosed", "info"),
    ]
    assert found[2] == {
        "timestamp": "2026-11-21T12:00:03Z", "level": "error", "event": "not_answered", "question": "Statvfs",
        "of": "/var", "code": "crashed", "detail": gone.detail, "took_us": 2_000_000,
    }  # fmt: skip
    assert (found[3]["of"], found[4]["of"], found[4]["detail"]) == ("y", "kernel.x", "TypeError: x")


def test_a_log_is_bounded_and_says_so(report_of: MakeReport) -> None:
    many = [told(f"/{number}", failure(Code.TIMED_OUT, f"{number}" + "x" * 5000)) for number in range(2 * as_log.MOST)]
    found = shown(report_of("healthy"), *many)
    assert len(found) == as_log.MOST + 3
    assert found[-2]["event"] == "left_out"
    assert isinstance(found[-2]["events"], int)
    assert found[-2]["events"] >= as_log.MOST
    assert max(len(str(event.get("detail", ""))) for event in found) == 1024


def test_no_secret_is_in_a_log(report_of: MakeReport) -> None:
    detail = "found 'password: hunter2hunter2', wanted YAML"
    said = as_log.render(as_log.events(report_of("healthy"), [told("/a", failure(Code.UNPARSABLE, detail))], {}))
    assert b"hunter2" not in said
    assert b"password: [redacted]" in said
