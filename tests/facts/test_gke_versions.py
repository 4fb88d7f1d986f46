"""Google's map of versions, and what is none."""

import json
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError
from nodediag.facts import gke_versions
from nodediag.facts.fact import Known
from nodediag.facts.gke_versions import MapEntry
from nodediag.facts.node_object import NodeObject
from nodediag.facts.snapshot import Facts
from nodediag.images import version_map

ENTRIES: Final = (
    ("1.30.5-gke.100", "cos-113-18244-151-9"),
    ("1.30.5-gke.1000", "cos-113-18244-151-23"),
    ("1.30.15-gke.100", "cos-113-18244-291-3"),
    ("1.4.99-gke.1", "cos-69-1-2-3"),
)


def text(created: str = "2026-11-14T00:00:00Z", entries: object = None) -> str:
    listed = [{"gke_version": version, "image": image, "more": 1} for version, image in ENTRIES]
    return json.dumps({"creation_time": created, "entries": listed if entries is None else entries})


def running(version: str) -> Facts:
    return Facts(node_object=Known(NodeObject(path="", name="n", info={"kubeletVersion": version})))


def test_a_map_is_read() -> None:
    found = gke_versions.read("map.json", text())
    assert found.created == datetime(2026, 11, 14, tzinfo=UTC)
    assert found.entries == tuple(MapEntry(*entry) for entry in ENTRIES)


@pytest.mark.parametrize(
    ("version", "images"),
    [
        ("v1.30.5-gke.100", ["cos-113-18244-151-9"]),
        ("v1.30.5-gke.1000", ["cos-113-18244-151-23"]),
        ("v1.30.05-gke.0100", ["cos-113-18244-151-9"]),
        ("v1.30.5-gke.10", []),
        ("v1.30.5", []),
        ("v1.31.0-gke.1", []),
    ],
)
def test_a_version_is_found_by_its_four_numbers(version: str, images: list[str]) -> None:
    whole = gke_versions.read("map.json", text())
    found = version_map.about(whole, running(version), whole.created + timedelta(days=9, hours=5))
    assert [entry.image for entry in found.entries] == images
    assert (found.age_days, found.total, found.newest) == (9, 4, "1.30.15-gke.100")


@pytest.mark.parametrize(
    "wrong",
    [
        "", "{}", "[]", text(created="last week"), text(entries=[]), text(entries=[1]), text(entries={}), "{" * 5000,
        text(created=""), text(entries=[{"gke_version": "1"}]), text(created="0001-01-01T00:00:00+23:59"),
    ],
)  # fmt: skip
def test_what_is_no_map_is_refused_with_what_was_wanted(wrong: str) -> None:
    with pytest.raises(ParseError, match=r'--gke-versions map.json: .*wanted \{"creation_time"'):
        gke_versions.read("map.json", wrong)


@given(
    created=st.text(max_size=30),
    entries=st.lists(st.fixed_dictionaries({"gke_version": st.text(), "image": st.text()})),
)
def test_any_map_is_read_or_refused(created: str, entries: list[dict[str, str]]) -> None:
    for when in (created, "2026-11-14T00:00:00Z"):
        try:
            whole = gke_versions.read("x", text(when, entries))
        except ParseError:
            continue
        found = version_map.about(whole, running("v1.30.5-gke.100"), datetime(2026, 11, 21, tzinfo=UTC))
        assert found.total == len(entries)
