"""The layout drawn: disk, partition, path; a sign and a word for what is as it should be and what is not."""

from collections.abc import Iterator
from typing import Final

from nodediag.facts.snapshot import Facts
from nodediag.model.reason import Reason
from nodediag.model.report import Report
from nodediag.render.html import layout, parts, svg
from nodediag.render.html.layout import Aspect, Group, Layout, Part, Row
from nodediag.render.html.markup import Html, escape, joined, tag

_CHIPS: Final = 3
_NARROW: Final = 34  # letters that fit beside the tree at 360 pixels
_WIDE: Final = 70
_MOST_INDENT: Final = 2
_LEGEND: Final = (
    ("ok", "✔ as the profile asks"),
    ("bad", "✖ not as it asks"),
    ("plain", "the profile asks nothing"),
)


def section(report: Report[Facts]) -> Html:
    """Give the drawing, the same as a table, and what it leaves out."""
    found = layout.of(report)
    if isinstance(found, Reason):
        return parts.section("layout", "Layout", tag("p", f"The mounts could not be seen: {found.detail}"))
    rows = [row for group in found.groups for part in group.parts for row in part.rows]
    about = _about(rows)
    drawn = list(_groups(found))
    height = drawn[-1][1] if drawn else 0
    picture = svg.drawing(
        "layout", "The node's disks, partitions and mounts", about, height, joined(d for d, _ in drawn)
    )
    return parts.section(
        "layout", "Layout", tag("p", about), _legend(), picture, _left_out(found),
        parts.folded("The same as a table", _table(found)),
    )  # fmt: skip


def _about(rows: list[Row]) -> str:
    wrong = sum(row.deviates for row in rows)
    count = parts.counted(len(rows), "path")
    if not wrong and not any(aspect.wanted for row in rows for aspect in row.aspects):
        return f"{count}; no profile of an image says what they should be."
    return f"{count}, {wrong} not as {'it' if wrong == 1 else 'they'} should be."


def _legend() -> Html:
    return tag("p", joined(tag("span", words, class_=f"legend {kind}") for kind, words in _LEGEND), class_="legends")


def _left_out(found: Layout) -> Html:
    said = [
        ("Could not be seen", ", ".join(found.unseen)),
        ("Not there, and need not be", ", ".join(found.absent)),
        ("Not drawn", parts.counted(found.passing, "mount") + " of containers and of the system's own"
         if found.passing else ""),
        ("Cut", parts.counted(found.cut, "path") if found.cut else ""),
    ]  # fmt: skip
    return parts.pairs((name, escape(text)) for name, text in said if text)


def _groups(found: Layout) -> Iterator[tuple[Html, int]]:
    """Draw each group below the one before; gives it, and where it ends."""
    y = 0
    for group in found.groups:
        head = [
            svg.box(0, y, "100%", 30, "group"),
            svg.text(12, y + 20, joined([tag("tspan", group.name, class_="strong"), " ", _dim(group.about)])),
        ]
        drawn, y = _parts(group, y + 30)
        yield tag("g", joined(head), drawn), y + 10
        y += 10


def _dim(words: str) -> Html:
    return tag("tspan", words, class_="dim")


def _parts(group: Group, y: int) -> tuple[Html, int]:
    drawn, top = [], y
    elbows = []
    for part in group.parts:
        drawn.append(svg.line(12, y + 18, 22, y + 18, "branch"))
        elbows.append(y + 18)
        name = joined([tag("tspan", svg.shortened(part.name, _NARROW), class_="strong mono"), " ", _dim(part.about)])
        drawn.append(svg.text(26, y + 22, name))
        inside, y = _rows(part, y + 28)
        drawn.append(inside)
    if group.bare:
        words = f"without a mount: {', '.join(group.bare)}"
        elbows.append(y + 16)
        drawn += [
            svg.line(12, y + 16, 22, y + 16, "branch"),
            svg.text(26, y + 20, tag("tspan", parts.counted(len(group.bare), "partition"), " without a mount")),
            svg.right(y + 20, svg.shortened(words.partition(": ")[2], _WIDE), "dim small wide-only"),
        ]
        y += 28
    trunk = svg.line(12, top, 12, elbows[-1], "branch") if elbows else escape("")
    return joined([trunk, *drawn]), y


def _rows(part: Part, y: int) -> tuple[Html, int]:
    drawn = []
    for row in part.rows:
        bad = [f"should be {aspect.wanted}" for aspect in row.aspects if aspect.deviates]
        note = ", ".join(bad) or ("see the problem about it" if row.notes else "")
        height = 62 if note else 44
        drawn.append(_row(row, y, height - 2, note))
        y += height
    return joined(drawn), y


def _row(row: Row, y: int, height: int, note: str) -> Html:
    x = 32 + 10 * min(row.depth, _MOST_INDENT)
    marks = [svg.box(24, y + 2, "100%", height - 2, "row bad" if note else "row")]
    marks += _path(row, x, y + 16)
    end: float = x
    for aspect in row.aspects[:_CHIPS]:  # what deviates beyond them is in the note
        drawn, end = svg.chip(end, y + 22, _words(aspect), _kind(aspect))
        marks.append(drawn)
    if note:
        marks.append(svg.text(x, y + 55, f"✖ {note}", "bad small strong"))
    lies = f" (no mount of its own: it lies on {row.lies_on})" if row.lies_on else ""
    return tag("g", tag("title", f"{row.path}: {row.source}{lies}"), joined(marks))


def _path(row: Row, x: int, y: int) -> Iterator[Html]:
    """Write the path as long as it may be at each width, and beside it where that is room for it."""
    beside = f"on {row.lies_on}" if row.lies_on else row.source
    if len(row.path) <= _NARROW:
        yield svg.text(x, y, row.path, "mono strong")
    else:
        yield svg.text(x, y, svg.shortened(row.path, _WIDE), "mono strong wide-only")
        yield svg.text(x, y, svg.shortened(row.path, _NARROW), "mono strong narrow-only")
    if len(row.path) + len(beside) <= _WIDE:
        yield svg.right(y, beside, "dim small mono wide-only")


def _kind(aspect: Aspect) -> str:
    return "bad" if aspect.deviates else "ok" if aspect.wanted == aspect.actual else "plain"


def _words(aspect: Aspect) -> str:
    sign = {"bad": "✖ ", "ok": "✔ ", "plain": ""}[_kind(aspect)]
    return sign + aspect.actual


def _table(found: Layout) -> Html:
    rows = (
        (
            tag("code", row.path), f"{group.name} / {part.name}", row.source,
            ", ".join(aspect.actual for aspect in row.aspects),
            ", ".join(aspect.wanted for aspect in row.aspects if aspect.wanted) or "nothing",
            "; ".join(row.notes) or ("not as it should be" if row.deviates else ""), row.document,
        )
        for group in found.groups for part in group.parts for row in part.rows
    )  # fmt: skip
    heads = ("Path", "Where", "Mounted", "Is", "The profile asks", "Problem", "Row of the document")
    return parts.table("Paths of the node", heads, rows)
