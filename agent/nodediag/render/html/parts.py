"""What several sections of the page are made of: sections, badges, lists that fold, pairs of names and values."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from nodediag.model.outcome import Outcome, Severity
from nodediag.render.html.markup import Child, Html, escape, joined, tag

# Colour is never alone: each has a sign and a word.
SIGNS: Final = {
    "critical": "✖", "warning": "▲", "info": "●", "passed": "✔", "failed": "✖", "unknown": "?", "broken": "!",
    "not_applicable": "∅", "not_selected": "∅", "healthy": "✔", "degraded": "▲", "unhealthy": "✖",
}  # fmt: skip


def section(identity: str, title: str, *children: Child) -> Html:
    """Give a section with its heading, to which others can link."""
    heading = tag("h2", title, id=f"{identity}-title")
    return tag("section", heading, *children, id=identity, aria_labelledby=f"{identity}-title")


def badge(word: str, kind: str = "") -> Html:
    """Give a word with its sign."""
    kind = kind or word
    sign = tag("span", SIGNS[kind], class_="sign", aria_hidden="true")
    return tag("span", sign, " ", word.replace("_", " "), class_=f"badge {kind}")


def severity(severity: Severity, *, counts: bool = True) -> Html:
    """Give a severity as a badge; one that is waived does not count and is told as such."""
    return badge(severity.value) if counts else badge(f"waived {severity.value}", "info")


def outcome(outcome: Outcome) -> Html:
    """Give an outcome as a badge."""
    return badge(outcome.value)


def folded(summary: Child, *children: Child, opened: bool = False) -> Html:
    """Give what can be unfolded."""
    return tag("details", tag("summary", summary), *children, open=opened)


def pairs(rows: Iterable[tuple[str, Child]], kind: str = "pairs") -> Html:
    """Give names with their values; what has no value is left out."""
    return tag("dl", joined(_pair(name, value) for name, value in rows if value != ""), class_=kind)


def _pair(name: str, value: Child) -> Html:
    return tag("div", tag("dt", name), tag("dd", value))


def listed(items: Iterable[Child], kind: str = "") -> Html:
    """Give a list."""
    return tag("ul", joined(tag("li", item) for item in items), class_=kind)


def table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[Child]]) -> Html:
    """Give a table that scrolls by itself where it is wider than the page; the first cell names its row."""
    body = joined(tag("tr", joined(_cells(row))) for row in rows)
    heading = tag("tr", joined(tag("th", head, scope="col") for head in heads))
    return tag(
        "div", tag("table", tag("caption", caption), tag("thead", heading), tag("tbody", body)),
        class_="wide", tabindex=0, role="region", aria_label=caption,
    )  # fmt: skip


def _cells(row: Iterable[Child]) -> Iterator[Html]:
    for number, cell in enumerate(row):
        yield tag("td", cell) if number else tag("th", cell, scope="row")


def counted(count: int, one: str, many: str = "") -> str:
    """Say how many there are."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def moment(time: str | datetime) -> str:
    """Say a time of the report, without what is smaller than a second."""
    written = time.astimezone(UTC).isoformat() if isinstance(time, datetime) else time
    return written.partition(".")[0].partition("+")[0].replace("T", " ").removesuffix("Z") + " UTC" if written else ""


def more(count: int, where: str = "the JSON report has them") -> Html:
    """Say how many were left out; nothing where none were."""
    return tag("p", f"and {count:,} more; {where}", class_="more") if count > 0 else escape("")
