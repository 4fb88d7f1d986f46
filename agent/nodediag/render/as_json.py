"""The report as JSON, within a megabyte whatever the node holds: long lists are cut, and say how long they were."""

from typing import Final, TypeAlias

import msgspec

from nodediag.facts.fact import Known
from nodediag.facts.snapshot import Facts
from nodediag.model.logs import LogResult
from nodediag.model.report import Report

MOST_BYTES: Final = 1024 * 1024
MOST_ENTRIES: Final = 500
_LEAST_ENTRIES: Final = 1
_FEW_ENTRIES: Final = 8
_LOG_ENTRIES: Final = 32
_MOST_TEXT: Final = 1024
_SHORT_TEXT: Final = 128

Json: TypeAlias = "dict[str, Json] | list[Json] | tuple[Json, ...] | str | int | float | bool | None"


def render(report: Report[Facts]) -> bytes:
    """Give the report as one indented document with a newline at its end."""
    return msgspec.json.format(encode(report), indent=2) + b"\n"


def encode(report: Report[Facts]) -> bytes:
    """Encode a report so that it fits, indented too. Facts give way first; problems only when nothing else is left."""
    entries = MOST_ENTRIES
    while True:
        encoded = msgspec.json.encode(_shortened(report, entries))
        if entries <= _LEAST_ENTRIES or len(msgspec.json.format(encoded, indent=2)) < MOST_BYTES:
            return encoded
        entries //= 2


def encode_facts(report: Report[Facts]) -> bytes:
    """Give the facts alone, as one indented document."""
    return msgspec.json.format(msgspec.json.encode(plain_facts(report.facts, MOST_ENTRIES)), indent=2) + b"\n"


def _shortened(report: Report[Facts], entries: int) -> Json:
    text = _MOST_TEXT if entries >= _FEW_ENTRIES else _SHORT_TEXT
    short: dict[str, Json] = {}
    for key in report.__struct_fields__:
        value = getattr(report, key)
        if value is not msgspec.UNSET:
            short[key] = _section(key, value, entries, text)
    if entries < _FEW_ENTRIES:
        short["checks"] = _cut_problems(short["checks"], entries)
    return short


def _section(key: str, value: object, entries: int, text: int) -> Json:
    """Give one key's value; the log results stand under `logs`, not once more among the facts."""
    match value:
        case Facts():
            plain = plain_facts(value, entries)
            if isinstance(value.logs, Known):
                plain.pop("logs")
            return plain
        case LogResult():
            return _cut(msgspec.to_builtins(value), max(entries, _LOG_ENTRIES), key, {}, text)
        case _:
            return _cut(msgspec.to_builtins(value), MOST_ENTRIES, "", {}, text)


def plain_facts(facts: Facts, entries: int) -> dict[str, Json]:
    """Cut each fact's lists before they are converted: a node with 50,000 mounts must not cost as much memory twice."""
    plain: dict[str, Json] = {}
    for name in facts.__struct_fields__:
        fact = getattr(facts, name)
        totals: dict[str, Json] = {}
        if isinstance(fact, Known) and isinstance(fact.value, msgspec.Struct):
            long = {
                key: held
                for key in fact.value.__struct_fields__
                if isinstance(held := getattr(fact.value, key), tuple) and len(held) > entries
            }
            totals = {key: len(held) for key, held in long.items()}
            cut = {key: held[:entries] for key, held in long.items()}
            fact = Known(msgspec.structs.replace(fact.value, **cut))
        shortened = _cut(msgspec.to_builtins(fact), entries, "", totals, _MOST_TEXT)
        plain[name] = {**shortened, "total": totals} if totals and isinstance(shortened, dict) else shortened
    return plain


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


def _cut(value: Json, entries: int, place: str, totals: dict[str, Json], text: int) -> Json:
    """Shorten every list, table and text in a value; `totals` gets the full length of each by its place."""
    if isinstance(value, str):
        return value[:text]
    if not isinstance(value, dict | list | tuple):
        return value
    if len(value) > entries:
        totals[place.removeprefix("value.")] = len(value)
    if isinstance(value, dict):
        inside = f"{place}." if place else ""
        kept = list(value.items())[:entries] if place else value.items()
        return {key: _cut(inner, entries, inside + key, totals, text) for key, inner in kept}
    inside = f"{place}[]"
    return [_cut(inner, entries, inside, totals, text) for inner in value[:entries]]
