"""What may change in a JSON Schema that is frozen: nothing that a reader of the older one relies on.

A new schema may have more optional properties, more members of an enum, and more kinds where a tag tells them apart:
readers ignore what they do not know, and what was written before can still be read. All else is another schema.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
_FREE: Final = {"title", "description", "$defs"}
_OWN: Final = {"$ref", "enum", "anyOf", "properties", "required", "discriminator", "default"}


def broken(frozen: dict[str, Json], now: dict[str, Json]) -> list[str]:
    """Name each place at which a schema breaks with one that is frozen."""
    return sorted(set(_Comparison(frozen, now).of(frozen, now, "")))


class _Comparison:
    """Compares two schemas part by part; a type that holds itself is compared once."""

    def __init__(self, frozen: dict[str, Json], now: dict[str, Json]) -> None:
        self._frozen = _table(frozen.get("$defs"))
        self._now = _table(now.get("$defs"))
        self._seen: set[tuple[str, str]] = set()

    def of(self, old: Json, new: Json, place: str) -> Iterator[str]:
        one, other = _table(old), _table(new)
        ref, new_ref = one.get("$ref"), other.get("$ref")
        if isinstance(ref, str) and isinstance(new_ref, str):
            if (ref, new_ref) in self._seen:
                return
            self._seen.add((ref, new_ref))
        one, other = _followed(one, self._frozen), _followed(other, self._now)
        for key in sorted((one.keys() | other.keys()) - _FREE - _OWN):
            if isinstance(one.get(key), dict) and isinstance(other.get(key), dict):
                yield from self.of(one[key], other[key], f"{place}/{key}")
            elif one.get(key) != other.get(key):
                yield f"{place}: {key} was {one.get(key)!r}, is {other.get(key)!r}"
        yield from self._members(one, other, place)
        yield from self._properties(one, other, place)
        yield from self._kinds(one, other, place)

    def _members(self, one: dict[str, Json], other: dict[str, Json], place: str) -> Iterator[str]:
        if ("enum" in one) != ("enum" in other):
            yield f"{place}: {'no longer' if 'enum' in one else 'now'} a closed set"
        for member in _list(one.get("enum")):
            if member not in _list(other.get("enum")):
                yield f"{place}: {member!r} is gone"

    def _properties(self, one: dict[str, Json], other: dict[str, Json], place: str) -> Iterator[str]:
        held, holds = _table(one.get("properties")), _table(other.get("properties"))
        needed, needs = _list(one.get("required")), _list(other.get("required"))
        for name in held.keys() | holds.keys():
            inside = f"{place}/{name}"
            if name not in holds:
                yield f"{inside} is gone"
            elif name not in held:
                if name in needs:
                    yield f"{inside} is new and must be optional"
            else:
                if (name in needed) != (name in needs):
                    yield f"{inside} was {'required' if name in needed else 'optional'} and is not"
                if _table(held[name]).get("default") != _table(holds[name]).get("default"):
                    yield f"{inside}: what is meant where it is left out is another"
                yield from self.of(held[name], holds[name], inside)

    def _kinds(self, one: dict[str, Json], other: dict[str, Json], place: str) -> Iterator[str]:
        """Compare kinds by their tags; without tags there are as many, in one order."""
        tags, now_tags = _tags(one), _tags(other)
        if tags and now_tags:
            for tag, ref in tags.items():
                if tag in now_tags:
                    yield from self.of({"$ref": ref}, {"$ref": now_tags[tag]}, f"{place}<{tag}>")
                else:
                    yield f"{place}: the kind {tag!r} is gone"
            held, holds = _untagged(one), _untagged(other)
        else:
            held, holds = _list(one.get("anyOf")), _list(other.get("anyOf"))
        if len(held) != len(holds):
            yield f"{place}: it is of {len(holds)} types and was of {len(held)}"
        for number, (kind, new) in enumerate(zip(held, holds, strict=False)):
            yield from self.of(kind, new, f"{place}|{number}")


def _followed(part: dict[str, Json], defs: dict[str, Json]) -> dict[str, Json]:
    ref = part.get("$ref")
    return _table(defs[ref.removeprefix("#/$defs/")]) if isinstance(ref, str) else part


def _tags(part: dict[str, Json]) -> dict[str, Json]:
    """Give the kinds by their tags."""
    return _table(_table(part.get("discriminator")).get("mapping"))


def _untagged(part: dict[str, Json]) -> list[Json]:
    tagged = set(map(str, _tags(part).values()))
    return [kind for kind in _list(part.get("anyOf")) if str(_table(kind).get("$ref")) not in tagged]


def _table(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
