"""The journal over its window: a row a unit with its levels, and on it the known failures as numbered marks."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec

from nodediag.model.logs import LogFinding, LogResult, UnitLogs
from nodediag.model.outcome import Severity
from nodediag.render.html import parts, svg
from nodediag.render.html.markup import Html, escape, joined, tag

_MOST_UNITS: Final = 24
_MOST_MARKS: Final = 60
_LANE: Final = 20
_NEAR: Final = 5.5  # percent of the width within which two marks would lie on each other at 360 pixels
_LEVELS: Final = ("fatal", "error", "warning", "info", "debug", "unknown")
_LEVEL_SIGNS: Final = {"fatal": "✖", "error": "✖", "warning": "▲", "info": "●", "debug": "·", "unknown": "?"}
_MOST_EMPTY: Final = 4  # times as long as what was logged: more is not drawn
_STEPS_S: Final = (60, 300, 900, 1800, 3600, 2 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 30 * 86_400)
_TICKS: Final = 5
_DAY_S: Final = 86_400
_LAST_YEAR: Final = 9998  # what lies beyond it can no longer be added to


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A finding on the line of a unit: from where to where in percent of the width."""

    number: int
    finding: LogFinding
    start: float
    end: float


class Scale:
    """Gives the place of a time in percent of the width."""

    def __init__(self, logs: LogResult) -> None:
        told = (_time(text) for text in (logs.reached, *(unit.first for unit in logs.units.values())))
        earliest = min((time for time in told if time is not None), default=logs.since)
        self.end = max(logs.until, earliest + timedelta(seconds=1))
        empty = earliest - logs.since > _MOST_EMPTY * (self.end - earliest)
        self.start = earliest if empty else min(logs.since, earliest)

    def __call__(self, time: datetime) -> float:
        """Give the place of a time; what lies outside is set at the edge."""
        share = (time - self.start) / (self.end - self.start)
        return round(1 + 98 * min(1.0, max(0.0, share)), 2)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Give round times with their words."""
        span = (self.end - self.start).total_seconds()
        month = _STEPS_S[-1]
        step = next((step for step in _STEPS_S if span / step <= _TICKS), month * (1 + int(span / _TICKS / month)))
        written = "%H:%M" if step < _DAY_S else "%d %b" if step <= month else "%b %Y"
        first = self.start.timestamp() // step * step + step
        for number in range(_TICKS + 1):
            seconds = first + number * step - self.start.timestamp()
            if seconds > span:
                return
            time = self.start + timedelta(seconds=seconds)
            yield self(time), f"{time:{written}}"


def marks(logs: LogResult, scale: Scale) -> list[Mark]:
    """Number the findings by their time, failures before what happened on purpose."""
    numbered: list[Mark] = []
    for finding in (*sorted(logs.signatures, key=_first), *sorted(logs.context, key=_first)):
        first, last = _time(finding.first), _time(finding.last)
        if first is not None and len(numbered) < _MOST_MARKS:
            start, end = scale(first), scale(last or first)
            numbered.append(Mark(number=len(numbered) + 1, finding=finding, start=start, end=end))
    return numbered


def drawing(logs: LogResult) -> Html:
    """Draw the units that tell most: those with failures, then those with errors."""
    scale = Scale(logs)
    found = marks(logs, scale)
    units = _units(logs, found)
    y, drawn = 26, []
    for name, unit in units[:_MOST_UNITS]:
        row, y = _unit(name, unit, [mark for mark in found if name in mark.finding.units], scale, y)
        drawn.append(row)
    frame = list(_frame(logs, scale, y))
    about = f"{parts.counted(len(units), 'unit')}, {parts.counted(len(found), 'finding')}; the list below names them."
    left = parts.more(len(units) - _MOST_UNITS, "units that logged less; the JSON report has them")
    return joined([svg.drawing("logs", "The journal over time", about, y + 4, joined(frame), joined(drawn)), left])


def _units(logs: LogResult, found: list[Mark]) -> list[tuple[str, UnitLogs | None]]:
    named = {unit for mark in found for unit in mark.finding.units}
    severities = list(Severity)

    def weight(name: str) -> tuple[int, int, int, str]:
        told = (severities.index(mark.finding.severity) for mark in found if name in mark.finding.units)
        unit = logs.units.get(name)
        levels = unit.levels if unit is not None else {}
        wrong = levels.get("fatal", 0) + levels.get("error", 0)
        return min(told, default=len(severities)), -wrong, -levels.get("warning", 0), name

    names = sorted({*named, *logs.units}, key=weight)
    return [(name, logs.units.get(name)) for name in names]


def _frame(logs: LogResult, scale: Scale, y: int) -> Iterator[Html]:
    """Draw the axis, what the journal does not reach, and boots that just ended."""
    reached = _time(logs.reached)
    if reached is not None and scale(reached) > 1 + _NEAR:
        width = f"{scale(reached) - 1}%"
        yield tag("g", tag("title", "before the oldest entry"), svg.box("1%", 20, width, y - 20, "before"))
    for place, words in scale.ticks():
        yield svg.line(f"{place}%", 18, f"{place}%", y, "grid")
        anchor = "end" if place > 100 - _NEAR else "start" if place < _NEAR else "middle"
        yield svg.text(f"{place}%", 12, words, "dim small", text_anchor=anchor)
    for end in logs.abrupt_ends:
        time = _time(end.last)
        if time is not None:
            words = tag("title", f"a boot ended without a shutdown: {end.last}")
            yield tag("g", words, svg.line(f"{scale(time)}%", 18, f"{scale(time)}%", y, "crash"))


def _unit(name: str, unit: UnitLogs | None, found: list[Mark], scale: Scale, y: int) -> tuple[Html, int]:
    entries = parts.counted(unit.entries, "entry", "entries") if unit is not None else "no entry counted"
    drawn = [
        svg.text("1%", y + 16, svg.shortened(name, 30), "mono strong"), svg.right(y + 16, entries, "dim small"),
        svg.text("1%", y + 32, _levels(unit), "small"),
    ]  # fmt: skip
    y += 40
    lanes: list[float] = []
    placed: list[Html] = []
    for mark in sorted(found, key=lambda mark: mark.start):
        lane = next((number for number, end in enumerate(lanes) if mark.start - end >= _NEAR), len(lanes))
        lanes[lane : lane + 1] = [max(mark.end, mark.start)]
        placed.append(_mark(mark, y + 8 + lane * _LANE))
    height = _LANE * max(1, len(lanes))
    track = [svg.box("1%", y, "98%", height - 4, "track")]
    first, last = (_time(unit.first), _time(unit.last)) if unit is not None else (None, None)
    if first is not None and last is not None:
        width = f"{max(0.5, round(scale(last) - scale(first), 2))}%"
        track.append(svg.box(f"{scale(first)}%", y, width, height - 4, f"span {_worst(unit)}"))
    return tag("g", joined(drawn), joined(track), joined(placed)), y + height + 8


def _levels(unit: UnitLogs | None) -> Html:
    counts = unit.levels if unit is not None else {}
    said = [
        tag("tspan", f"{_LEVEL_SIGNS.get(level, '?')} {counts[level]:,} {level}  ", class_=f"level {level}")
        for level in (*_LEVELS, *(level for level in counts if level not in _LEVELS))
        if counts.get(level)
    ]
    if unit is not None and unit.cut:
        said.append(tag("tspan", f"{unit.cut:,} not read", class_="dim"))
    return joined(said)


def _worst(unit: UnitLogs | None) -> str:
    counts = unit.levels if unit is not None else {}
    return next((level for level in _LEVELS if counts.get(level)), "unknown")


def _mark(mark: Mark, y: int) -> Html:
    """Draw a mark: a rhombus is critical, a triangle a warning, a circle happened on purpose or is only told."""
    place = f"{mark.start}%"
    kind = f"mark {mark.finding.severity.value}" + ("" if mark.finding.active else " over")
    shapes = {
        Severity.CRITICAL: tag("path", d="M0-10L10 0L0 10L-10 0Z"), Severity.WARNING: tag("path", d="M0-10L11 8H-11Z"),
        Severity.INFO: tag("circle", r=8),
    }  # fmt: skip
    shape = tag("svg", shapes[mark.finding.severity], x=place, y=y, overflow="visible")
    number = svg.text(place, y + 4, str(mark.number), "number", text_anchor="middle")
    line = svg.line(place, y, f"{mark.end}%", y, "lasting") if mark.end > mark.start else escape("")
    words = tag("title", f"{mark.number}: {mark.finding.title}")
    return tag("g", words, line, shape, number, class_=kind)


def _first(finding: LogFinding) -> str:
    return finding.first


def _time(text: str) -> datetime | None:
    """Read a time of the report; none where there is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None and time.year <= _LAST_YEAR else None
