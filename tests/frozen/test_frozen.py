"""The report's schema is frozen: a reader of today's reports reads those of every later nodediag, and the reverse.

With each release its schema takes the place of `report-1.json`, as this test lets it. What it refuses is
`nodediag.report/2`, with a file of its own here.
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Final

import pytest

from nodediag.cli.schema import text
from nodediag.model.report import SCHEMA
from tests.frozen.rule import Json, broken

FROZEN: Final = Path(__file__).parent / "report-1.json"
SMALL: Final[dict[str, Json]] = {
    "$ref": "#/$defs/Top",
    "$defs": {
        "Top": {
            "title": "Top",
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "count": {"type": "integer", "default": 0},
                "verdict": {"enum": ["bad", "good"]},
                "some": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
                "what": {
                    "anyOf": [{"$ref": "#/$defs/File"}, {"$ref": "#/$defs/Call"}, {"type": "string"}],
                    "discriminator": {
                        "propertyName": "kind", "mapping": {"file": "#/$defs/File", "call": "#/$defs/Call"},
                    },
                },
                "size": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
            },
            "required": ["name", "verdict"],
        },
        "Part": {"type": "object", "properties": {"of": {"$ref": "#/$defs/Part"}, "x": {"type": "string"}}},
        "File": {"type": "object", "properties": {"kind": {"enum": ["file"]}, "path": {"type": "string"}}},
        "Call": {"type": "object", "properties": {"kind": {"enum": ["call"]}, "name": {"type": "string"}}},
    },
}  # fmt: skip
TOP: Final = ("$defs", "Top")
NEW: Final[Json] = {"type": "object", "properties": {"kind": {"enum": ["line"]}}}
WHAT: Final = (*TOP, "properties", "what")
MORE_KINDS: Final[Json] = {
    "anyOf": [{"$ref": "#/$defs/File"}, {"$ref": "#/$defs/Line"}, {"$ref": "#/$defs/Call"}, {"type": "string"}],
    "discriminator": {
        "propertyName": "kind",
        "mapping": {"file": "#/$defs/File", "line": "#/$defs/Line", "call": "#/$defs/Call"},
    },
}


def changed(*path: str, to: Json, of: dict[str, Json] = SMALL) -> dict[str, Json]:
    """Give the small schema with something else at a place, or without what was there."""
    schema = deepcopy(of)
    part: Json = schema
    for name in path[:-1]:
        assert isinstance(part, dict)
        part = part[name]
    assert isinstance(part, dict)
    if to is None:
        del part[path[-1]]
    else:
        part[path[-1]] = to
    return schema


def test_the_report_keeps_to_the_schema_that_is_frozen() -> None:
    frozen, now = json.loads(FROZEN.read_text()), json.loads(text("report"))
    assert broken(frozen, now) == []
    assert SCHEMA == "nodediag.report/1"
    assert now["$defs"]["Report_Facts_"]["properties"]["schema"]["enum"] == [SCHEMA]


@pytest.mark.parametrize(
    "now",
    [
        SMALL,
        changed(*TOP, "title", to="Another"),
        changed(*TOP, "properties", "verdict", "enum", to=["bad", "good", "unknown"]),
        changed(*TOP, "properties", "more", to={"type": "string", "default": ""}),
        changed("$defs", "Part", "properties", "y", to={"type": "string"}),
        changed(*WHAT, to=MORE_KINDS, of=changed("$defs", "Line", to=NEW)),
    ],
    ids=["nothing", "words", "a member", "an optional key", "an optional key within", "a kind"],
)  # fmt: skip
def test_what_readers_do_not_know_may_be_added(now: dict[str, Json]) -> None:
    assert broken(SMALL, now) == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (changed(*TOP, "properties", "count", to=None), "/count is gone"),
        (changed("$defs", "Part", "properties", "x", to=None), "/some/items/x is gone"),
        (changed(*TOP, "properties", "name", "type", to="integer"), "/name: type was 'string', is 'integer'"),
        (changed(*TOP, "properties", "verdict", "enum", to=["good"]), "/verdict: 'bad' is gone"),
        (changed(*TOP, "properties", "verdict", to={"type": "string"}), "/verdict: no longer a closed set"),
        (changed(*TOP, "properties", "count", "default", to=1), "/count: what is meant where it is left out"),
        (changed(*TOP, "required", to=["name"]), "/verdict was required and is not"),
        (changed(*TOP, "required", to=["name", "verdict", "count"]), "/count was optional and is not"),
        (changed(*TOP, "properties", "size", to={"anyOf": [{"type": "integer"}]}), "/size: it is of 1 types"),
        (changed("$defs", "File", "properties", "path", to=None), "/what<file>/path is gone"),
        (
            changed(*TOP, "properties", "what", "discriminator", "mapping", to={"file": "#/$defs/File"}),
            "/what: the kind 'call' is gone",
        ),
        (changed(*TOP, "properties", "some", to={"type": "array"}), "/some: items was"),
    ],
)
def test_what_readers_rely_on_may_not_change(now: dict[str, Json], words: str) -> None:
    assert any(found.startswith(words) for found in broken(SMALL, now)), broken(SMALL, now)


def test_a_key_that_is_new_must_be_optional_so_that_older_reports_can_be_read() -> None:
    more = changed(*TOP, "properties", "more", to={"type": "string"})
    top = more["$defs"]
    assert isinstance(top, dict)
    assert isinstance(top["Top"], dict)
    top["Top"]["required"] = ["name", "verdict", "more"]
    assert broken(SMALL, more) == ["/more is new and must be optional"]
