"""What the journal told: the timeline, what its marks mean, errors without a name, what the journal lost."""

from collections.abc import Iterator
from typing import Final

from nodediag.facts.snapshot import Facts
from nodediag.model.logs import ErrorShape, LogFinding, LogResult, LogSample
from nodediag.model.report import Report
from nodediag.render.html import parts, timeline
from nodediag.render.html.markup import Html, coded, escape, joined, tag

_MOST: Final = 60


def section(report: Report[Facts]) -> Html:
    """Give all that the report's `logs` holds."""
    logs = report.logs
    if not logs.reader:
        reasons = parts.listed(f"{loss.what}: {loss.reason.detail}" for loss in logs.losses)
        return parts.section("logs", "Journal", tag("p", "The journal was not read."), reasons)
    window = f"{parts.moment(logs.since)} to {parts.moment(logs.until)}"
    reached = f"; it goes back to {parts.moment(logs.reached)}" if logs.reached else ""
    said = f"{parts.counted(logs.entries, 'entry', 'entries')} of {parts.counted(len(logs.units), 'unit')}, {window}"
    return parts.section(
        "logs", "Journal", tag("p", f"{said}{reached}."), _legend(), timeline.drawing(logs), _findings(logs),
        joined(_rest(logs)),
    )  # fmt: skip


def _legend() -> Html:
    words = (
        "A rhombus is critical, a triangle a warning, a circle is only told; what is over is hollow."
        " What lies before the oldest entry is shaded."
    )
    return tag("p", words, class_="dim")


def _findings(logs: LogResult) -> Html:
    """List the findings by the numbers that the drawing gives them, then those without a time."""
    found = timeline.marks(logs, timeline.Scale(logs))
    drawn = {id(mark.finding) for mark in found}
    rest = [one for one in (*logs.signatures, *logs.context) if id(one) not in drawn]
    items = [tag("li", _finding(mark.finding), value=mark.number) for mark in found]
    items += [tag("li", _finding(one)) for one in rest[:_MOST]]
    shown = tag("ol", joined(items), class_="findings") if items else tag("p", "No known failure was found.")
    return joined([shown, parts.more(len(rest) - _MOST)])


def _finding(finding: LogFinding) -> Html:
    often = "once" if finding.count == 1 else f"{finding.count:,} times"
    first, last = parts.moment(finding.first), parts.moment(finding.last)
    when = "at a time not known" if not first else first if first == last else f"{first} to {last}"
    state = "" if finding.active else ", over since then"
    about = f"; about {', '.join(finding.subjects)}" if finding.subjects else ""
    follows = "".join(f"; {round(one.after_ms / 1000)} s after: {one.title}" for one in finding.follows[:1])
    return joined([
        parts.severity(finding.severity), " ", tag("strong", finding.title), " ", tag("code", finding.id),
        tag("span", f" {often} in {', '.join(finding.units)}, {when}{state}{about}{follows}.", class_="dim"),
        parts.folded("Cause, remedy, samples", parts.pairs([
            ("Cause", coded(finding.cause)), ("Do", coded(finding.remedy)), ("Source", escape(finding.source)),
        ]), _samples(finding.samples)),
    ])  # fmt: skip


def _samples(samples: tuple[LogSample, ...]) -> Html:
    items = (
        tag("li", tag("span", f"{parts.moment(one.time)} {one.unit}", class_="place"), tag("pre", one.text))
        for one in samples
    )
    return tag("ul", joined(items), class_="evidence")


def _rest(logs: LogResult) -> Iterator[Html]:
    if logs.shapes:
        title = f"{parts.counted(len(logs.shapes), 'error shape')} that no signature names"
        yield parts.folded(title, tag("ul", joined(map(_shape, logs.shapes[:_MOST])), class_="evidence"),
                           parts.more(len(logs.shapes) - _MOST))  # fmt: skip
    for end in logs.abrupt_ends:
        title = f"The boot {end.boot} ended at {parts.moment(end.last)} without a shutdown: its last lines"
        yield parts.folded(title, _samples(end.lines))
    if logs.losses:
        yield tag("h3", "What the journal does not hold")
        yield parts.listed(f"{loss.what}: {loss.reason.detail}" for loss in logs.losses)
    if logs.files:
        rows = (
            (file.path, f"{file.entries:,}", parts.moment(file.first), parts.moment(file.last), file.state)
            for file in logs.files[:_MOST]
        )
        heads = ("File", "Entries", "First", "Last", "State")
        yield parts.folded(parts.counted(len(logs.files), "journal file"), parts.table("Journal files", heads, rows))


def _shape(shape: ErrorShape) -> Html:
    place = f"{parts.counted(shape.count, 'time')} in {shape.unit}, such as at {parts.moment(shape.sample.time)}"
    return tag("li", tag("span", place, class_="place"), tag("pre", shape.sample.text))
