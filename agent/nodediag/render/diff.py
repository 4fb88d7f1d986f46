"""What two reports say differently, as JSON, for a person, and to paste into an issue."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from nodediag.model.changes import Noted
from nodediag.model.differences import CheckChange, CheckSight, Difference, ProblemChange, SameNode, Side
from nodediag.model.fact_changes import FactChange, Leaf

_MOST: Final = 30
_MOVED: Final = 0.5  # what has moved by less than half of what it was is not told to a person

_BY_PROBLEMS: Final = {"passed", "failed"}  # what changed between these is told by the problems

Section = tuple[str, list[str]]


def as_json(found: Difference) -> bytes:
    """Give it as one indented document."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def as_text(found: Difference, *, colour: bool) -> bytes:
    """Give it as lines of at most 80 columns."""
    from rich.text import Text  # noqa: PLC0415 - Markdown and JSON need none of it

    from nodediag.render.page import Block, indented, page  # noqa: PLC0415 - as above

    def blocks() -> Iterator[Block]:
        yield Text(_first(found), style="bold")
        for line in _sides(found):
            yield indented(line)
        for title, lines in _sections(found):
            yield Text("")
            yield Text(title, style="bold")
            yield from (indented(line) for line in lines)

    return page(blocks(), colour=colour)


def as_markdown(found: Difference) -> bytes:
    """Give it as Markdown in which nothing of a node is alive."""
    from nodediag.render.inert import prose  # noqa: PLC0415 - the other formats do not need it

    def shown(line: str) -> str:
        return prose(line.replace(" -> ", " → "))

    parts = [f"## {shown(_first(found))}", "\n".join(f"- {shown(line)}" for line in _sides(found))]
    for title, lines in _sections(found):
        parts += [f"### {title}", "\n".join(f"- {shown(line)}" for line in lines)]
    return ("\n\n".join(parts) + "\n").encode()


def _first(found: Difference) -> str:
    """Say the verdicts, or that all is the same."""
    before, after = found.before.verdict, found.after.verdict
    if found.same:
        return f"The same: {after.value}"
    return f"{before.value.upper()} -> {after.value.upper()}" if before is not after else f"Still {after.value.upper()}"


def _sides(found: Difference) -> Iterator[str]:
    yield f"before: {_side(found.before)}"
    yield f"after: {_side(found.after)}"
    match found.same_node:
        case SameNode.YES:
            yield "one node, booted anew in between" if found.rebooted else "one node"
        case SameNode.NO:
            yield "two nodes"
        case SameNode.UNKNOWN:
            yield "whether both are of one node is not known"


def _side(side: Side) -> str:
    because = f" ({', '.join(side.because)})" if side.because else ""
    return f"{side.file}: {side.node}, {side.observed_at:%Y-%m-%d %H:%M:%S} UTC, {side.verdict.value}{because}"


def _sections(found: Difference) -> Iterator[Section]:
    """Give what there is to tell, each with its lines; a long list is cut, and says so."""
    problems = found.problems
    lost = [_check(check) for check in found.checks if check.sight is CheckSight.LOST]
    gained = [_check(check) for check in found.checks if check.sight is CheckSight.GAINED]
    others = [
        _check(one) for one in found.checks if one.sight is CheckSight.BOTH and {one.before, one.after} != _BY_PROBLEMS
    ]
    signatures = [
        f"{one.id}: {one.before} -> {one.after} times{'' if one.active_after else ', over'}: {one.title}"
        for one in found.signatures
    ]
    moved = [_fact(change) for change in found.facts.moved if _is_far(change)]
    sights = [f"{one.fact} was seen only {one.seen}: {one.detail} ({one.code})" for one in found.facts.sights]
    journals = [] if found.journal else ["the journals: both must have been read"]
    sections: tuple[Section, ...] = (
        ("Judged by other means", [_arrow(one.field, one.before, one.after) for one in found.judged_by]),
        ("Image", [_arrow(one.field, one.before, one.after) for one in found.image]),
        ("Began", _problems(problems.began)),
        ("Ended", _problems(problems.ended)),
        ("Weighs otherwise", [_weight(one) for one in problems.changed]),
        ("Only before, and after it could not be looked for", _problems(problems.only_before)),
        ("Only after, and before it could not be looked for", _problems(problems.only_after)),
        ("Still", _problems(problems.still)),
        ("Sight lost", lost),
        ("Sight gained", gained),
        ("Checks that ended otherwise", others),
        ("In the journal", signatures),
        ("Facts that differ", [_fact(change) for change in found.facts.differ]),
        ("Facts that only one saw", sights),
        ("Not compared", journals),
        ("Moved by more than half", moved),
    )
    for title, lines in sections:
        if lines:
            left = [f"and {len(lines) - _MOST} more; `--format json` has them"] if len(lines) > _MOST else []
            yield title, [*lines[:_MOST], *left]


def _problems(problems: Iterable[Noted]) -> list[str]:
    return [f"{problem.severity.value} {problem.check}: {problem.message}" for problem in problems]


def _weight(one: ProblemChange) -> str:
    before = f"{'waived ' if one.waived_before else ''}{one.before.value}"
    after = f"{'waived ' if one.waived_after else ''}{one.after.value}"
    return f"{before} -> {after} {one.problem.check}: {one.problem.message}"


def _check(one: CheckChange) -> str:
    why = f": {one.reason.detail}" if one.reason is not msgspec.UNSET else ""
    return f"{one.id} {one.before.replace('_', ' ')} -> {one.after.replace('_', ' ')}{why}"


def _arrow(field: str, before: str, after: str) -> str:
    return f"{field}: {before} -> {after}"


def _fact(change: FactChange) -> str:
    return _arrow(change.place, _said(change.before), _said(change.after))


def _said(leaf: Leaf) -> str:
    match leaf:
        case None:
            return "(not there)"
        case bool():
            return "yes" if leaf else "no"
        case "":
            return "(empty)"
        case _:
            return str(leaf)


def _is_far(change: FactChange) -> bool:
    before, after = change.before, change.after
    if isinstance(before, str) or isinstance(after, str) or before is None or after is None:
        return True
    return abs(after - before) > _MOVED * abs(before)
