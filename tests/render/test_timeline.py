from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, strategies

from nodediag.model.logs import LogFinding, LogResult, UnitLogs
from nodediag.model.outcome import Severity
from nodediag.render.html.timeline import Scale, drawing, marks

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NONE = LogResult.unread(NOW - timedelta(hours=24), NOW, ())


def stamp(hours: float) -> str:
    return (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def unit(first: str, last: str, **levels: int) -> UnitLogs:
    return UnitLogs(entries=sum(levels.values()), levels=levels, first=first, last=last, cut=0)


def finding(name: str, first: str, last: str, severity: Severity = Severity.CRITICAL) -> LogFinding:
    return LogFinding(
        id=name, condition=name, title=f"The title of {name}", severity=severity, count=1, first=first, last=last,
        active=True, subjects=(), units=("kubelet.service",), samples=(), cause="", remedy="", source="",
    )  # fmt: skip


def logs(**changes: object) -> LogResult:
    return msgspec.structs.replace(NONE, reader="native", **changes)


def test_a_time_has_its_place_within_the_window() -> None:
    scale = Scale(logs())
    assert [scale(NOW - timedelta(hours=hours)) for hours in (24, 12, 0)] == [1, 50, 99]
    assert (scale(NOW - timedelta(days=9)), scale(NOW + timedelta(days=9))) == (1, 99)


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (24, ["18:00", "00:00", "06:00", "12:00"]),
        (1, ["11:15", "11:30", "11:45", "12:00"]),
        (24 * 20, ["05 Nov", "12 Nov", "19 Nov"]),
    ],
)
def test_the_axis_has_a_few_round_times(hours: int, words: list[str]) -> None:
    scale = Scale(logs(since=NOW - timedelta(hours=hours), reached=stamp(hours)))
    assert [word for _, word in scale.ticks()] == words


def test_a_window_without_end_begins_where_the_journal_does() -> None:
    scale = Scale(logs(since=datetime(1970, 1, 1, tzinfo=UTC), reached=stamp(10)))
    assert scale.start == NOW - timedelta(hours=10)


def test_findings_are_numbered_by_their_time_and_those_without_one_are_not_drawn() -> None:
    signatures = (
        finding("b.later", stamp(1), stamp(0)),
        finding("a.first", stamp(5), stamp(5)),
        finding("c.never", "", ""),
    )
    context = (finding("d.context", stamp(6), stamp(6), Severity.INFO),)
    found = logs(signatures=signatures, context=context)
    told = [(mark.number, mark.finding.id) for mark in marks(found, Scale(found))]
    assert told == [(1, "a.first"), (2, "b.later"), (3, "d.context")]


def test_marks_that_would_lie_on_each_other_lie_below_each_other() -> None:
    near = tuple(finding(f"n.{number}", stamp(5), stamp(5)) for number in range(3))
    far = (finding("f.far", stamp(20), stamp(20)),)
    units = {"kubelet.service": unit(stamp(23), stamp(0), error=1)}
    low, high = (drawing(logs(signatures=found, units=units)) for found in (far, near))
    assert (
        int(high.partition('height="')[2].partition('"')[0]) == int(low.partition('height="')[2].partition('"')[0]) + 40
    )


def test_units_with_failures_come_first_then_those_with_errors() -> None:
    units = {
        "calm.service": unit(stamp(2), stamp(1), info=1000),
        "cross.service": unit(stamp(2), stamp(1), error=5),
        "kubelet.service": unit(stamp(2), stamp(1), info=1),
    }
    drawn = drawing(logs(units=units, signatures=(finding("x.y", stamp(1), stamp(1)),)))
    places = [drawn.index(name) for name in ("kubelet.service", "cross.service", "calm.service")]
    assert places == sorted(places)


TIMES = strategies.sampled_from([
    "", "no time", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", stamp(5), "9999-12-31T23:59:59.999999Z",
    "2026-11-21T12:00:00",
])  # fmt: skip
WINDOWS = strategies.datetimes(timezones=strategies.just(UTC))


@given(strategies.tuples(TIMES, TIMES, TIMES, TIMES), strategies.tuples(WINDOWS, WINDOWS))
def test_whatever_the_clocks_say_all_of_it_is_drawn(
    times: tuple[str, str, str, str], window: tuple[datetime, datetime]
) -> None:
    (first, last, reached, other), (since, until) = times, window
    units = {"kubelet.service": unit(first, last, error=1, odd=2), "x": unit(other, first)}
    found = logs(
        since=since, until=until, reached=reached, units=units, signatures=(finding("a.b", first, last),),
        context=(finding("c.d", other, reached, Severity.INFO),),
    )  # fmt: skip
    scale = Scale(found)
    assert all(1 <= mark.start <= 99 and 1 <= mark.end <= 99 for mark in marks(found, scale))
    assert len(list(scale.ticks())) <= 6
    assert "kubelet.service" in drawing(found)
