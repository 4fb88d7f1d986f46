"""Where the facts of two reports differ, as both saw them; what only moves with time is told apart.

Facts are compared as the JSON they are in a report, so that one of an older release can be compared too.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Leaf: TypeAlias = str | int | float | bool | None

_MOST_TEXT: Final = 200
_MOST_OF_A_FACT: Final = 50
_DEEPEST: Final = 10
# Who the node is, what only grows, and what the report says elsewhere: by what the image is told, what the journal has.
_ELSEWHERE: Final = frozenset({"hostname", "machine", "boot", "image", "host_view", "logs", "counters", "earlier"})
# Facts whose numbers are of the moment; those of the keys below them are limits and sizes, which stay.
_MEASURED: Final = frozenset({
    "memory", "pressure", "load", "processes", "pids", "file_handles", "inotify", "conntrack", "kubepods",
    "journal_use", "stray_processes", "folder_sizes",
})  # fmt: skip
_BY_MOUNTS: Final = frozenset({"disks"})  # what comes and goes here, the mounts tell
_LASTING: Final = frozenset({"most", "total_bytes", "swap_total_bytes", "hugetlb_bytes", "cpus"})
_MOVING: Final = frozenset({"available_bytes", "inodes_free"})  # in facts that stay
# Numbers that a boot, a process or a capture gives, where something was read, how long a list is: not how the node is.
_PASSING_KEYS: Final = re.compile(
    r"evidence|lines|line|id|parent|optional|pid|pids|asked|device|hidden|findings|says|total|(.*_)?(ms|us|at)"
)
# Mounts and units of pods, containers and sessions come and go.
_PASSING_NAMES: Final = re.compile(
    r"/var/lib/kubelet/(pods|plugins)/.*|/run/(containerd|docker|netns|user|credentials)/.*|.*/merged"
    r"|/var/lib/(docker|containerd)/.+|.*\.scope|(run|var-lib-kubelet-pods)-.*\.mount|session-.*|user(-runtime-dir)?[@-].*"
)
_NAMED_BY: Final = (("target",), ("name",), ("unit",), ("path",), ("program",), ("resource", "kind"), ("kind", "name"))
_ANY_NUMBER: Final = ("program",)  # how many processes run a program is of the moment


class FactChange(msgspec.Struct, frozen=True, kw_only=True):
    """One place in the facts, such as `mounts.mounts[/var].options`; null is what is not there."""

    place: str
    before: Leaf
    after: Leaf


class FactSight(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that one of the two reports has and the other lacks, and why it does."""

    fact: str
    seen: str  # before, after
    code: str
    detail: str


class FactChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What differs, what has only moved, and what only one of them saw; `cut` counts what was left out."""

    differ: tuple[FactChange, ...] = ()
    moved: tuple[FactChange, ...] = ()
    sights: tuple[FactSight, ...] = ()
    cut: int = 0


def fact_changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> FactChanges:
    """Compare facts by name; one that only one release knows is left out."""
    differ: list[FactChange] = []
    moved: list[FactChange] = []
    sights: list[FactSight] = []
    cut = 0
    for name in before:
        one, other = _fact(before[name]), _fact(after.get(name))
        if name in _ELSEWHERE or one is None or other is None:
            continue
        if one["state"] == other["state"] == "known":
            found = [
                change
                for change in _compared(one.get("value"), other.get("value"), name, 0)
                if name not in _BY_MOUNTS or None not in {change.before, change.after}
            ]
            passing = [change for change in found if _moves(name, change)]
            lasting = [change for change in found if not _moves(name, change)]
            differ += lasting[:_MOST_OF_A_FACT]
            moved += passing[:_MOST_OF_A_FACT]
            cut += sum(max(0, len(changes) - _MOST_OF_A_FACT) for changes in (lasting, passing))
        elif one["state"] != other["state"]:
            sights.append(_sight(name, one, other))
    return FactChanges(differ=tuple(differ), moved=tuple(moved), sights=tuple(sights), cut=cut)


def _fact(fact: Json) -> dict[str, Json] | None:
    return fact if isinstance(fact, dict) and fact.get("state") in {"known", "unknown"} else None


def _sight(name: str, one: dict[str, Json], other: dict[str, Json]) -> FactSight:
    seen = "before" if one["state"] == "known" else "after"
    reason = (other if seen == "before" else one).get("reason")
    words = reason if isinstance(reason, dict) else {}
    return FactSight(fact=name, seen=seen, code=_text(words.get("code")), detail=_text(words.get("detail")))


def _moves(fact: str, change: FactChange) -> bool:
    """Tell a number that is of the moment; that something is there or gone is none."""
    key = change.place.rpartition(".")[2]
    numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in (change.before, change.after)
    )
    return numbers and (key in _MOVING or (fact in _MEASURED and key not in _LASTING))


def _is_number(value: Leaf) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compared(one: Json, other: Json, place: str, depth: int) -> Iterator[FactChange]:
    if isinstance(one, dict) and isinstance(other, dict) and depth < _DEEPEST:
        yield from _keys(one, other, place, depth)
    elif isinstance(one, list) and isinstance(other, list) and depth < _DEEPEST:
        yield from _lists(one, other, place, depth)
    elif one != other:
        yield FactChange(place=place, before=_leaf(one), after=_leaf(other))


def _keys(one: dict[str, Json], other: dict[str, Json], place: str, depth: int) -> Iterator[FactChange]:
    for key in dict.fromkeys((*one, *other)):
        if _PASSING_KEYS.fullmatch(key) is None:
            yield from _compared(one.get(key), other.get(key), f"{place}.{key}", depth + 1)


def _lists(one: list[Json], other: list[Json], place: str, depth: int) -> Iterator[FactChange]:
    """Compare things by their names, whatever their order is; what has none, as a set."""
    keys = next((keys for keys in _NAMED_BY if all(_has(thing, keys) for thing in (*one, *other))), None)
    if keys is None:
        before, after = [_text(thing) for thing in one], [_text(thing) for thing in other]
        gone, new = [text for text in before if text not in after], [text for text in after if text not in before]
        if gone or new:
            yield FactChange(place=place, before=_joined(gone), after=_joined(new))
        return
    first, second = _named(one, keys), _named(other, keys)
    for name in dict.fromkeys((*first, *second)):
        if _PASSING_NAMES.fullmatch(name) is None:
            yield from _thing(first.get(name), second.get(name), f"{place}[{name}]", keys, depth)


def _thing(one: Json, other: Json, place: str, keys: tuple[str, ...], depth: int) -> Iterator[FactChange]:
    """Compare two things of one name; of one that is not there on one side, say what the other is."""
    if one is not None and other is not None:
        yield from _compared(one, other, place, depth + 1)
        return
    said = ("there" if thing is not None and not _text(thing, keys) else _text(thing, keys) for thing in (one, other))
    before, after = (text or None for text in said)
    yield FactChange(place=place, before=before, after=after)


def _has(thing: Json, keys: tuple[str, ...]) -> bool:
    return isinstance(thing, dict) and all(isinstance(thing.get(key), str) for key in keys)


def _named(things: list[Json], keys: tuple[str, ...]) -> dict[str, Json]:
    """Give things by their names; the second of one name is `NAME#2`, as a mount over another."""
    named: dict[str, Json] = {}
    for thing in things:
        name = " ".join(_text(thing.get(key)) for key in keys) if isinstance(thing, dict) else ""
        number, free = 2, name
        while free in named and keys != _ANY_NUMBER:
            free, number = f"{name}#{number}", number + 1
        named[free] = thing
    return named


def _leaf(value: Json) -> Leaf:
    return _text(value) if isinstance(value, dict | list | str) else value


def _joined(texts: list[str]) -> str | None:
    return ", ".join(texts)[:_MOST_TEXT] or None


def _text(value: Json, without: tuple[str, ...] = ()) -> str:
    """Say a value in short."""
    match value:
        case dict():
            kept = (key for key in value if key not in {*without, *_MOVING} and not _PASSING_KEYS.fullmatch(key))
            shown = (f"{key} {_text(value[key])}" for key in kept if value[key] and value[key] is not True)
            return ", ".join(shown)[:_MOST_TEXT]
        case list():
            return ", ".join(_text(inner) for inner in value[:_MOST_OF_A_FACT])[:_MOST_TEXT]
        case str():
            return value[:_MOST_TEXT]
        case bool():
            return "yes" if value else "no"
        case _:
            return "" if value is None else str(value)
