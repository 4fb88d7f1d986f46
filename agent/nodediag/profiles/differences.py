"""What two profiles ask differently, in words."""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.profiles.profile import PathRule, Profile
from nodediag.profiles.write import Value, builtins

_ASPECTS: Final = {
    "writable": ("read-only", "writable"),
    "executable": ("noexec", "executable"),
    "suid": ("nosuid", "suid"),
    "devices": ("nodev", "dev"),
}
_REASONS: Final = frozenset({"why", "source", "document", "departs", "remedy", "spares_why", "title"})
_ABOUT: Final = (
    "name",
    "version",
    "date",
    "document",
    "source",
    "digest",
    "fits",
    "match",
    "paths",
    "issues",
    "judged_on",
    "judged_at",
)


def differences(one: Profile, other: Profile, names: tuple[str, str]) -> tuple[str, ...]:
    """Give a line for each requirement that differs; reasons and sources are not requirements."""
    return (*_paths(one, other, names), *_others(one, other, names))


def _paths(one: Profile, other: Profile, names: tuple[str, str]) -> Iterator[str]:
    for path in dict.fromkeys((*one.paths, *other.paths)):
        words = [_words(profile.paths.get(path)) for profile in (one, other)]
        if words[0] != words[1]:
            yield f"{path}: {names[0]} asks {_told(words[0])}; {names[1]} asks {_told(words[1])}"


def _words(rule: PathRule | None) -> tuple[str, ...]:
    if rule is None:
        return ()
    words = [pair[getattr(rule, key)] for key, pair in _ASPECTS.items() if getattr(rule, key) is not msgspec.UNSET]
    words += [rule.persistence.value] if rule.persistence is not msgspec.UNSET else []
    words += [f"on the file system of {rule.on}"] if rule.on else []
    words += ["only where it is a mount of its own"] if rule.optional else []
    return (*words, *((f"{rule.severity.value} where broken",) if rule.severity is not msgspec.UNSET else ()))


def _told(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "nothing"


def _others(one: Profile, other: Profile, names: tuple[str, str]) -> Iterator[str]:
    """Compare the other sections key by key, each as it is written in TOML."""
    told = [dict(_flat(_sections(profile), "")) for profile in (one, other)]
    for key in dict.fromkeys((*told[0], *told[1])):
        values = [flat.get(key, "nothing") for flat in told]
        if values[0] != values[1]:
            yield f"{key}: {names[0]} asks {values[0]}; {names[1]} asks {values[1]}"


def _sections(profile: Profile) -> dict[str, Value]:
    """Give the sections without their reasons; what stands in a list is known by what it is about, not by its place."""
    sections = {key: value for key, value in builtins(profile).items() if key not in _ABOUT}
    expected = dict.fromkeys((path for entry in profile.expected_mounts for path in entry.paths), "expected")
    rules = {f"{rule.since or 'any'} to {rule.until or 'any'}": rule.version for rule in reversed(profile.cgroup)}
    waived = {f"{one.check} {one.subject}".rstrip(): f"waived until {one.expires}" for one in profile.waivers}
    return {**sections, "expected_mounts": {**expected}, "cgroup": {**rules}, "waivers": {**waived}}


def _flat(value: Value, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in _REASONS:
                yield from _flat(inner, f"{place} {key}".lstrip())
    else:
        words = value if isinstance(value, list) else [value]
        said = ", ".join(str(word).lower() if isinstance(word, bool) else str(word) for word in words)
        if said:
            yield place, said
