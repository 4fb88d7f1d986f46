"""What a thing is, and a profile's word for what it may be."""

from fnmatch import fnmatchcase

import msgspec

from nodediag.checks.check import NotApplicableError
from nodediag.facts.fact import need
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Requirement
from nodediag.profiles.profile import Profile, StateRule


class Asked:
    """A rule of a profile, with all that a problem repeats of it."""

    def __init__(self, profile: Profile, key: str, rule: StateRule) -> None:
        self._profile = profile
        self._key = key
        self._rule = rule

    @property
    def wanted(self) -> str:
        """What may be, for a person."""
        return " or ".join(self._rule.want)

    def fits(self, word: str) -> bool:
        """Tell whether a word or name is one of those that may be."""
        return any(fnmatchcase(word, pattern) for pattern in self._rule.want)

    def broken(self, problem: Problem) -> Problem:
        """Give a problem the rule's own severity, if it has one, its requirement and its remedy."""
        rule = self._rule
        why = f"{rule.why} ({rule.departs})" if rule.departs else rule.why
        line = Requirement(
            profile=self._profile.name, key=f"states.{self._key}", why=why, source=rule.source, document=rule.document
        )
        severity = problem.severity if rule.severity is msgspec.UNSET else rule.severity
        return msgspec.structs.replace(problem, severity=severity, requirement=line, remedy=rule.remedy)


def asked(facts: Facts, profile: Profile, key: str) -> Asked:
    """Give a profile's rule; raises NotApplicableError where it has none for this release of the image."""
    rule = profile.states.get(key)
    if rule is None:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    if rule.since or rule.until:
        release = need(facts.os_release).fields.get("VERSION_ID", "")
        if not covers(rule.since, rule.until, release):
            raise NotApplicableError(f"images of release {release or 'unknown'} may be either way")
    return Asked(profile, key, rule)


def covers(since: str, until: str, release: str) -> bool:
    """Tell whether a release lies between two, both included; an end left out is open."""
    number, first, last = _number(release), _number(since), _number(until)
    return bool(number) and (not first or number >= first) and (not last or number <= last)


def _number(release: str) -> tuple[int, ...]:
    parts = release.split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdecimal() for part in parts) else ()
