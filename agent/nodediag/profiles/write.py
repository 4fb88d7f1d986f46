"""A profile as TOML text, such as a person may read and change, and `profiles/load.py` reads again."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import msgspec

from nodediag.profiles.profile import Profile, ProfileFile

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool"

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_OF_A_FILE: Final = frozenset({"extends", "without"})  # what a profile that is resolved has no more


def whole(profile: Profile, base: Profile) -> ProfileFile:
    """Give a resolved profile as one file, which says all by itself but what the base says."""
    told = {name: getattr(profile, name) for name in ProfileFile.__struct_fields__ if name not in _OF_A_FILE}
    if profile.name == base.name:
        return ProfileFile(**told)
    without = tuple(path for path in base.paths if path not in profile.paths)
    added = profile.expected_mounts[len(base.expected_mounts) :]
    rules = profile.cgroup[: len(profile.cgroup) - len(base.cgroup)]
    waivers = profile.waivers[: len(profile.waivers) - len(base.waivers)]
    failed = profile.failed_units[len(base.failed_units) :]
    cmdline = profile.cmdline[len(base.cmdline) :]
    own = {
        "expected_mounts": added, "failed_units": failed, "cgroup": rules, "waivers": waivers, "without": without,
        "cmdline": cmdline, "extends": base.name,
    }  # fmt: skip
    return ProfileFile(**{**told, **own})


def builtins(profile: Profile | ProfileFile) -> dict[str, Value]:
    """Give a profile as the values that TOML has: lists, where our types have tuples."""
    raw: dict[str, Value] = msgspec.json.decode(msgspec.json.encode(profile))
    return raw


def as_toml(profile: ProfileFile) -> str:
    """Write a profile, leaving out what it does not say."""
    raw = builtins(profile)
    defaults = builtins(ProfileFile(name="", version="", date="", document="", source=""))
    kept = {key: _kept(value) for key, value in raw.items() if key not in defaults or value != defaults[key]}
    return "\n".join(_table((), kept)) + "\n"


def _kept(value: Value) -> Value:
    """Leave out of the rules what is empty: a key that is left out asks nothing."""
    if isinstance(value, dict):
        empty = {key for key, inner in value.items() if inner == "" or (key == "optional" and inner is False)}
        return {key: _kept(inner) for key, inner in value.items() if key not in empty}
    return [_kept(inner) for inner in value] if isinstance(value, list) else value


def _table(place: tuple[str, ...], table: Mapping[str, Value]) -> Iterator[str]:
    """Write plain values first: what comes after a table's head would belong to it."""
    later: list[tuple[str, Value]] = []
    for key, value in table.items():
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            later.append((key, value))
        else:
            yield f"{_key(key)} = {_plain(value)}"
    for key, value in later:
        inside = (*place, key)
        if isinstance(value, list):
            for one in value:
                yield f"\n[[{_place(inside)}]]"
                yield from _table(inside, one if isinstance(one, dict) else {})
        elif isinstance(value, dict):
            if not value or not all(isinstance(one, dict) for one in value.values()):
                yield f"\n[{_place(inside)}]"
            yield from _table(inside, value)


def _plain(value: Value) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, bool | int | float):
        return str(value).lower()
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def _place(place: tuple[str, ...]) -> str:
    return ".".join(map(_key, place))


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _plain(key)
