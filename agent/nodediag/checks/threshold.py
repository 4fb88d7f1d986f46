"""A measured value and a profile's threshold for it."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from nodediag.checks.check import NotApplicableError
from nodediag.model.evidence import Evidence
from nodediag.model.outcome import Problem, Requirement, Severity, Subject, Value
from nodediag.profiles.profile import Profile, ThresholdRule

_LESS: Final = "less than {:g} {}"
_FEWER: Final = "fewer than {:g}"


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of a subject, in a unit; a number of things has none."""

    subject: Subject
    value: float
    unit: str = ""
    message: str
    observed: str = ""  # where it is not the value and its unit
    values: Mapping[str, Value] = {}
    evidence: tuple[Evidence, ...]


def asked(profile: Profile, key: str) -> ThresholdRule:
    """Give a profile's rule; raises NotApplicableError where it has none."""
    rule = profile.thresholds.get(key)
    if rule is None:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    return rule


def spared(rule: ThresholdRule, name: str) -> bool:
    """Say whether what has this name is not judged."""
    return any(fnmatchcase(name, pattern) for pattern in rule.spares)


def broken(rule: ThresholdRule, value: float) -> tuple[Severity, float] | None:
    """Give how grave a value is and the threshold that it has reached; None where it has reached none."""
    thresholds = ((Severity.CRITICAL, rule.critical), (Severity.WARNING, rule.warning), (Severity.INFO, rule.info))
    for severity, threshold in thresholds:
        if threshold is not msgspec.UNSET and value >= threshold:
            return severity, threshold
    return None


def held(profile: Profile, key: str, measured: Measured) -> Iterator[Problem]:
    """Hold what was measured against a rule of the profile, and give the problem where it has reached a threshold."""
    rule = asked(profile, key)
    found = broken(rule, measured.value)
    if found is None or spared(rule, measured.subject.name):
        return
    severity, threshold = found
    expected = _LESS.format(threshold, measured.unit) if measured.unit else _FEWER.format(threshold)
    yield Problem(
        severity=severity,
        subject=measured.subject,
        message=measured.message,
        expected=expected,
        observed=measured.observed or f"{measured.value:.1f} {measured.unit}",
        values={**measured.values, "threshold": threshold},
        requirement=requirement(profile, key, rule),
        remedy=rule.remedy,
        evidence=measured.evidence,
    )


def requirement(profile: Profile, key: str, rule: ThresholdRule) -> Requirement:
    """Give the line of a profile that a threshold stands for."""
    return Requirement(profile=profile.name, key=f"thresholds.{key}", why=rule.why, source=rule.source)
