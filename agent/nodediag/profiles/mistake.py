"""What is wrong in a profile, in words: msgspec says which kind it wanted; the key and the value come from here."""

import re
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from nodediag.errors import ProfileError
from nodediag.model.image import Answer, ImageType, OsFamily
from nodediag.model.outcome import Severity
from nodediag.profiles.profile import (
    Applicable,
    ArgumentRule,
    CgroupRule,
    ConditionRule,
    EvictionRule,
    ExpectedMounts,
    FailedUnitsRule,
    FlappingRule,
    JournaldRule,
    KubeletRule,
    Match,
    PathRule,
    Persistence,
    ProfileFile,
    RootRule,
    SourceRule,
    StartupRule,
    StateRule,
    StorageRule,
    Supported,
    ThresholdRule,
    UnitRule,
    WaiverRule,
)

Toml: TypeAlias = "dict[str, Toml] | list[Toml] | str | int | float | bool"

_ANY_KEY: Final = "[...]"  # msgspec's word for a key of a table that it does not name
_STEP: Final = re.compile(r"\[(\d+|\.\.\.)\]|([^.\[\]]+)")
_LONGEST: Final = 80
_TABLES: Final[dict[str, type[msgspec.Struct]]] = {
    "": ProfileFile, "match": Match, "paths": PathRule, "expected_mounts": ExpectedMounts, "root": RootRule,
    "cgroup": CgroupRule, "kubelet": KubeletRule, "eviction": EvictionRule, "thresholds": ThresholdRule,
    "units": UnitRule, "failed_units": FailedUnitsRule,
    "flapping": FlappingRule, "startup": StartupRule, "journald": JournaldRule,
    "waivers": WaiverRule,
    "image_source": SourceRule, "conditions": ConditionRule,
    "applicable": Applicable,
    "storage": StorageRule,
    "states": StateRule, "cmdline": ArgumentRule,
}  # fmt: skip
_WORDS: Final[dict[str, type[StrEnum]]] = {
    "image_type": ImageType, "os_family": OsFamily, "gke": Answer, "persistence": Persistence, "severity": Severity,
    "supported": Supported,
}  # fmt: skip


def explain(file: str, raw: Toml, error: msgspec.ValidationError) -> ProfileError:
    """Name the key, what stands there and what was wanted."""
    said, _, place = str(error).partition(" - at `$")
    place = place.strip(".`")
    section = re.split(r"[.\[]", place)[0]
    key = _key(raw, section) if _ANY_KEY in place else ""
    steps: list[str | int] = []
    for inside, name in _STEP.findall(place):
        steps.append(int(inside) if inside.isdecimal() else key if inside else name)
    return ProfileError(file, place.replace(_ANY_KEY, f'."{key}"') or "(top)", _told(raw, said, section, steps))


def _told(raw: Toml, said: str, section: str, steps: list[str | int]) -> str:
    found = _at(raw, steps)
    if said.startswith("Object contains unknown field"):
        known = ", ".join(_TABLES[section].__struct_fields__) if section in _TABLES else "no such"
        return f"{said.replace('Object contains unknown field', 'found the unknown key')}, wanted one of {known}"
    if said.startswith("Invalid enum value"):
        word = next((step for step in reversed(steps) if step in _WORDS), "")
        wanted = ", ".join(_WORDS[str(word)]) if word else "another word"
        return f"found {found!r}, wanted one of {wanted}"
    if said.startswith("Object missing required field"):
        return f"{said.replace('Object missing required field', 'found no key')}, which is wanted"
    if said == "Invalid RFC3339 encoded date":
        return f"found {repr(found)[:_LONGEST]}, wanted a date such as 2026-12-31"
    return f"found {repr(found)[:_LONGEST]}, wanted {said.removeprefix('Expected ').partition(', got')[0]}"


def _key(raw: Toml, section: str) -> str:
    """Find the key of a table under which the mistake stands: the first that does not decode by itself."""
    table = raw.get(section) if isinstance(raw, dict) else None
    alone: dict[str, Toml] = dict.fromkeys(("name", "version", "date", "document", "source"), "")
    for key, value in table.items() if isinstance(table, dict) else ():
        try:
            msgspec.convert({**alone, section: {key: value}}, ProfileFile)
        except msgspec.ValidationError:
            return key
    return "..."


def _at(raw: Toml, steps: list[str | int]) -> Toml:
    value = raw
    for step in steps:
        if isinstance(value, dict):
            value = value.get(str(step), "")
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
    return value
