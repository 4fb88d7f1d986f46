import pytest
from hypothesis import given, strategies

from nodediag.model.fact_changes import FactChange, FactSight, Json, fact_changes


def known(value: Json) -> dict[str, Json]:
    return {"state": "known", "value": value}


def unknown(code: str) -> dict[str, Json]:
    return {"state": "unknown", "reason": {"code": code, "detail": "why"}}


def mount(target: str, *options: str, **more: Json) -> dict[str, Json]:
    return {"target": target, "options": list(options), "options_known": True, "id": 21, **more}


def differ(before: Json, after: Json, fact: str = "mounts") -> list[tuple[str, object, object]]:
    found = fact_changes({fact: known(before)}, {fact: known(after)})
    return [(change.place, change.before, change.after) for change in found.differ]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, [("mounts.a", 1, 2)]),
        ({"a": True}, {"a": False}, [("mounts.a", True, False)]),
        ({"a": 1}, {}, [("mounts.a", 1, None)]),
        ({"a": {"b": "x"}}, {"a": {"b": "y"}}, [("mounts.a.b", "x", "y")]),
        ({"a": {"b": "x"}}, {"a": "gone"}, [("mounts.a", "b x", "gone")]),
        ({"a": ["x", "y"]}, {"a": ["y", "x"]}, []),
        ({"a": ["x", "y"]}, {"a": ["y", "z"]}, [("mounts.a", "x", "z")]),
        ({"a": ["x"]}, {"a": []}, [("mounts.a", "x", None)]),
        (
            {"m": [mount("/", "ro"), mount("/var", "rw")]},
            {"m": [mount("/var", "ro"), mount("/", "ro")]},
            [("mounts.m[/var].options", "rw", "ro")],
        ),
        ({"m": [mount("/")]}, {"m": [mount("/"), mount("/x", "rw")]}, [("mounts.m[/x]", None, "options rw")]),
        (
            {"m": [mount("/tmp", "a")]},
            {"m": [mount("/tmp", "a"), mount("/tmp")]},
            [("mounts.m[/tmp#2]", None, "there")],
        ),
    ],
)
def test_facts_differ_where_their_values_do(before: Json, after: Json, told: list[tuple[str, object, object]]) -> None:
    assert differ(before, after) == told


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"m": [mount("/", id=1, parent=2, device="0:1", optional=["shared:1"])]}, {"m": [mount("/", id=7)]}),
        ({"a": {"evidence": {"line": 1}}, "uptime_ms": 1}, {"a": {}, "uptime_ms": 2}),
        ({"m": []}, {"m": [mount("/var/lib/kubelet/pods/x/volumes/y", "rw")]}),
        ({"u": [{"name": "session-1.scope"}]}, {"u": [{"name": "session-2.scope"}]}),
        ({"p": [{"program": "/x", "pid": 1}]}, {"p": [{"program": "/x", "pid": 2}, {"program": "/x", "pid": 3}]}),
    ],
    ids=["numbers of a boot", "where and when it was read", "mounts of pods", "sessions", "how many processes"],
)  # fmt: skip
def test_what_a_boot_or_a_capture_brings_is_no_difference(before: Json, after: Json) -> None:
    assert differ(before, after) == []


def test_what_is_of_the_moment_has_only_moved_and_a_limit_has_changed() -> None:
    before: Json = {"available_bytes": 5, "total_bytes": 9, "swaps": []}
    after: Json = {"available_bytes": 3, "total_bytes": 8, "swaps": ["/swap"]}
    found = fact_changes({"memory": known(before)}, {"memory": known(after)})
    assert found.moved == (FactChange(place="memory.available_bytes", before=5, after=3),)
    assert [change.place for change in found.differ] == ["memory.total_bytes", "memory.swaps"]


def test_a_fact_that_only_one_saw_is_told_with_the_reason() -> None:
    before, after = (
        {"disks": known({}), "units": unknown("absent")},
        {"disks": unknown("timed_out"), "units": known({})},
    )
    assert fact_changes(dict(before), dict(after)).sights == (
        FactSight(fact="disks", seen="before", code="timed_out", detail="why"),
        FactSight(fact="units", seen="after", code="absent", detail="why"),
    )


def test_neither_who_the_node_is_nor_a_fact_of_another_release_is_a_difference() -> None:
    before = {"hostname": known({"name": "a"}), "old": known({"x": 1}), "both": unknown("absent")}
    after = {"hostname": known({"name": "b"}), "new": known({"x": 1}), "both": unknown("timed_out")}
    found = fact_changes(dict(before), dict(after))
    assert (found.differ, found.sights) == ((), ())


def test_a_long_list_of_changes_is_cut_and_counted() -> None:
    found = fact_changes({"x": known({str(n): n for n in range(99)})}, {"x": known({str(n): -n for n in range(99)})})
    assert (len(found.differ), found.cut) == (50, 48)


JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats(allow_nan=False)
    | strategies.text(max_size=5),
    lambda inner: strategies.lists(inner, max_size=3)
    | strategies.dictionaries(strategies.sampled_from(["name", "target", "a", "total", "id"]), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(JSON, JSON)
def test_any_facts_can_be_compared_and_are_like_themselves(before: Json, after: Json) -> None:
    assert differ(before, before) == []
    fact_changes({"x": before}, {"x": after})
    differ(before, after)


def test_counters_of_two_looks_are_no_difference_whether_or_not_there_was_a_look_before() -> None:
    counters = known({"uptime_s": 1.0}), known({"uptime_s": 9.0})
    found = fact_changes(
        {"counters": counters[0], "earlier": unknown("one_sample")}, {"counters": counters[1], "earlier": counters[0]}
    )
    assert found == fact_changes({}, {})
