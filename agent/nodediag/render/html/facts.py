"""The facts: what was read, each to be unfolded; what is not known says why."""

from typing import Final

from nodediag.facts.fact import Known
from nodediag.facts.snapshot import Facts
from nodediag.model.report import Report
from nodediag.render import as_json
from nodediag.render.as_json import Json
from nodediag.render.html import parts
from nodediag.render.html.markup import Child, Html, escape, joined, tag

_MOST: Final = 100
_DEEPEST: Final = 6
# Evidence is quoted by the problems that rest on it; the logs have a section of their own.
_NOT_SHOWN: Final = frozenset({"evidence", "lines", "logs"})
_MOST_COLUMNS: Final = 14
_NAMES: Final = ("target", "name", "unit", "program", "path", "resource")  # a row of a table is known by one of them


def section(report: Report[Facts]) -> Html:
    """Give every fact but the logs; long lists are cut."""
    plain = as_json.plain_facts(report.facts, _MOST)
    shown = [_fact(name, fact) for name, fact in plain.items() if name not in _NOT_SHOWN and isinstance(fact, dict)]
    known = sum(isinstance(getattr(report.facts, name), Known) for name in report.facts.__struct_fields__)
    return parts.section("facts", "Facts", tag("p", f"{known} of {len(plain)} are known."), joined(shown))


def _fact(name: str, fact: "dict[str, Json]") -> Html:
    title = tag("code", name)
    reason = fact.get("reason")
    if isinstance(reason, dict):
        said = f"{reason.get('detail', '')} ({str(reason.get('code', '')).replace('_', ' ')})"
        return parts.folded(joined([title, " ", tag("span", "not known", class_="dim")]), tag("p", said))
    total = fact.get("total")
    lengths = total.items() if isinstance(total, dict) else ()
    cut = ", ".join(f"{place} holds {length}" for place, length in lengths)
    return parts.folded(
        title, _value(fact.get("value"), name, 0), tag("p", f"Cut: {cut}." if cut else "", class_="more")
    )


def _value(value: Json, name: str, depth: int) -> Child:
    """Show a value: a table for things of one kind, a list of names and values for one thing."""
    match value:
        case dict() if depth < _DEEPEST:
            inside = ((key, _value(inner, key, depth + 1)) for key, inner in value.items() if key not in _NOT_SHOWN)
            return parts.pairs(inside, "value")
        case list() | tuple() if depth < _DEEPEST:
            return _list(list(value), name, depth)
        case dict() | list() | tuple():
            return "..."
        case bool():
            return "yes" if value else "no"
        case None:
            return ""
        case _:
            return str(value)


def _list(values: "list[Json]", name: str, depth: int) -> Child:
    things = [value for value in values if isinstance(value, dict)]
    if not values:
        return "none"
    if not things:
        return ", ".join(map(str, values))
    columns = _columns(things)
    if len(things) == len(values) and columns and not any(map(_nested, things)):
        rows = ([_cell(thing.get(column), depth) for column in columns] for thing in things)
        return parts.table(name, columns, rows)
    return parts.listed([_value(value, name, depth + 1) for value in values])


def _columns(things: "list[dict[str, Json]]") -> list[str]:
    """Give the columns that hold anything, that which names a row first; none where they are too many."""
    held = dict.fromkeys(key for thing in things for key, value in thing.items() if value not in ("", [], None))
    columns = [key for key in held if key not in _NOT_SHOWN]
    named = next((key for key in _NAMES if key in columns), "")
    ordered = sorted(columns, key=lambda key: key != named)
    return ordered if len(ordered) <= _MOST_COLUMNS else []


def _cell(value: Json, depth: int) -> Child:
    return escape("") if value in (None, []) else _value(value, "", depth + 1)


def _nested(thing: "dict[str, Json]") -> bool:
    """Tell what does not fit into a row of a table."""
    return any(
        isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict | list) for one in value))
        for key, value in thing.items()
        if key not in _NOT_SHOWN
    )
