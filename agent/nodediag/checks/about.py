"""All that can be told of a check without a node: what it asks for, what that takes, and by what it judges."""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks.asks import Asks, asks
from nodediag.checks.check import Check
from nodediag.facts.needs import Needs
from nodediag.model.outcome import Severity
from nodediag.profiles.profile import Profile

_WORDS: Final = frozenset({"why", "source", "document", "departs", "remedy", "severity"})
_KEYED: Final = frozenset({"eviction", "states", "thresholds"})  # whose keys are those of checks
_FROM: Final = {
    "warning": "warning from", "critical": "critical from", "least": "at least", "want": "may be",
    "spares_why": "since",
}  # fmt: skip
_HEADS: Final = frozenset({
    "name", "version", "date", "document", "source", "digest", "fits", "match", "judged_on", "judged_at",
})  # fmt: skip
_MOST_WANTED: Final = 8
_NO_MINIMUM: Final = ("minimum", 0.0)


class JudgedBy(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: where it stands, in which profiles it is as it is here, what it says, and why."""

    key: str
    profiles: tuple[str, ...]
    says: str
    why: str = ""
    source: str = ""
    document: str = ""
    remedy: str = ""
    severities: tuple[Severity, ...] = ()  # of a threshold, those that it has a number for


class About(msgspec.Struct, frozen=True, kw_only=True):
    """`sections` are those of a profile that hold a rule for each path, unit or volume rather than for the check."""

    check: Check
    severities: tuple[Severity, ...]
    facts: tuple[tuple[str, Needs], ...]
    judged_by: tuple[JudgedBy, ...]
    sections: tuple[str, ...]
    essential: tuple[str, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """Give the options without which it cannot be judged in full."""
        return tuple(dict.fromkeys(one.option for _, one in self.facts if one.option))

    @property
    def rights(self) -> tuple[str, ...]:
        """Give who may read all of it; empty where any user may."""
        return tuple(dict.fromkeys(one.rights for _, one in self.facts if one.rights))

    @property
    def mounts(self) -> tuple[str, ...]:
        """Give the node's paths that a pod is given for it."""
        paths = dict.fromkeys(path for _, one in self.facts for path in one.mounts)
        return ("/",) if "/" in paths else tuple(sorted(paths))


def about(check: Check, profiles: tuple[Profile, ...], needs: dict[str, Needs]) -> About:
    """Gather it."""
    asked = asks(check)
    same: dict[tuple[str, str, str], list[JudgedBy]] = {}
    for rule in (rule for profile in profiles for rule in _rules(check, asked, profile)):
        same.setdefault((rule.key, rule.says, rule.why), []).append(rule)
    named = ((section, getattr(profile, section)) for profile in profiles for section in asked.sections)
    by_rule = {severity for rules in same.values() for severity in rules[0].severities}
    return About(
        check=check,
        severities=tuple(one for one in Severity if one in {*asked.severities, *by_rule}),
        facts=tuple((name, needs[name]) for name in asked.facts if name in needs),
        judged_by=tuple(
            msgspec.structs.replace(rules[0], profiles=tuple(rule.profiles[0] for rule in rules))
            for _, rules in sorted(same.items(), key=lambda pair: pair[0][0])
        ),
        sections=tuple(
            dict.fromkeys(
                name
                for name, held in named
                if held and name not in _KEYED | _HEADS and not isinstance(held, msgspec.Struct)
            )
        ),
        essential=tuple(profile.name for profile in profiles if check.id in profile.essential),
    )


def _rules(check: Check, asked: Asks, profile: Profile) -> Iterator[JudgedBy]:
    """Give the rules of one profile that are about this check alone."""
    for section in asked.sections:
        held = getattr(profile, section)
        if section in _KEYED:
            for key in asked.keys(check.id, held):
                yield _judged(f"{section}.{key}", profile.name, held[key])
        elif isinstance(held, msgspec.Struct):
            yield _judged(section, profile.name, held)


def _judged(key: str, profile: str, rule: msgspec.Struct) -> JudgedBy:
    told = {name: str(value) for name in _WORDS if isinstance(value := getattr(rule, name, ""), str)}
    return JudgedBy(
        key=key, profiles=(profile,), says=", ".join(_says(rule)), why=told.get("why", ""),
        source=told.get("source", ""), document=told.get("document", ""), remedy=told.get("remedy", ""),
        severities=tuple(one for one in Severity if isinstance(getattr(rule, one.value, None), float)),
    )  # fmt: skip


def _says(rule: msgspec.Struct) -> Iterator[str]:
    """Give what a rule asks for, a phrase for each of its keys that is set."""
    for name in rule.__struct_fields__:
        value = getattr(rule, name)
        if name in _WORDS - {"severity"} or value is msgspec.UNSET or value in {"", ()} or (name, value) == _NO_MINIMUM:
            continue
        word = _FROM.get(name, name.replace("_", " "))
        yield f"{word} {_shown(value)}"


def _shown(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case tuple():
            more = f" and {len(value) - _MOST_WANTED} more" if len(value) > _MOST_WANTED else ""
            return ", ".join(map(str, value[:_MOST_WANTED])) + more
        case _:
            return str(value)
