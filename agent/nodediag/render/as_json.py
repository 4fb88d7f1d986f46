"""The report as JSON, within a megabyte whatever the node holds: long lists are cut, and say how long they were."""

from typing import Final, TypeAlias

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.model.report import Report

MOST_BYTES: Final = 1024 * 1024
MOST_ENTRIES: Final = 500
_LEAST_ENTRIES: Final = 1
_FEW_ENTRIES: Final = 8
_MOST_TEXT: Final = 1024
_SHORT_TEXT: Final = 128

Json: TypeAlias = "dict[str, Json] | list[Json] | tuple[Json, ...] | str | int | float | bool | None"


def render(report: Report[Facts]) -> bytes:
    """Give the report as one indented document with a newline at its end."""
    return msgspec.json.format(encode(report), indent=2) + b"\n"


def encode(report: Report[Facts]) -> bytes:
    """Encode a report so that it fits, indented too. Facts give way first; problems only when nothing else is left."""
    plain: Json = msgspec.to_builtins(report)
    entries = MOST_ENTRIES
    while True:
        encoded = msgspec.json.encode(_shortened(plain, entries))
        if entries <= _LEAST_ENTRIES or len(msgspec.json.format(encoded, indent=2)) < MOST_BYTES:
            return encoded
        entries //= 2


def encode_facts(report: Report[Facts]) -> bytes:
    """Give the facts alone, as one indented document."""
    plain: Json = msgspec.to_builtins(report.facts)
    return msgspec.json.format(msgspec.json.encode(_cut_facts(plain, MOST_ENTRIES)), indent=2) + b"\n"


def _shortened(plain: Json, entries: int) -> Json:
    if not isinstance(plain, dict):
        return plain
    text = _MOST_TEXT if entries >= _FEW_ENTRIES else _SHORT_TEXT
    short = {key: _cut(value, MOST_ENTRIES, "", {}, text) for key, value in plain.items() if key != "facts"}
    if entries < _FEW_ENTRIES:
        short["checks"] = _cut_problems(short["checks"], entries)
    return {key: _cut_facts(plain["facts"], entries) if key == "facts" else short[key] for key in plain}


def _cut_problems(checks: Json, entries: int) -> Json:
    """Keep the first problems of each check, and how many there were."""
    cut: list[Json] = []
    for check in checks if isinstance(checks, list) else ():
        problems = check.get("problems") if isinstance(check, dict) else None
        if isinstance(check, dict) and isinstance(problems, list) and len(problems) > entries:
            total = check.get("problems_total", len(problems))
            cut.append({**check, "problems": problems[:entries], "problems_total": total})
        else:
            cut.append(check)
    return cut


def _cut_facts(facts: Json, entries: int) -> Json:
    if not isinstance(facts, dict):
        return facts
    cut: dict[str, Json] = {}
    for name, fact in facts.items():
        totals: dict[str, Json] = {}
        shortened = _cut(fact, entries, "", totals, _MOST_TEXT)
        cut[name] = {**shortened, "total": totals} if totals and isinstance(shortened, dict) else shortened
    return cut


def _cut(value: Json, entries: int, place: str, totals: dict[str, Json], text: int) -> Json:
    """Shorten every list and text in a value; `totals` gets the full length of each list by its place."""
    if isinstance(value, dict):
        inside = f"{place}." if place else ""
        return {key: _cut(inner, entries, inside + key, totals, text) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        if len(value) > entries:
            totals[place.removeprefix("value.")] = len(value)
        return [_cut(inner, entries, f"{place}[]", totals, text) for inner in value[:entries]]
    return value[:text] if isinstance(value, str) else value
