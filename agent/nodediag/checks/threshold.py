"""A measured value and a profile's threshold for it."""

import msgspec

from nodediag.checks.check import NotApplicableError
from nodediag.model.outcome import Requirement, Severity
from nodediag.profiles.profile import Profile, ThresholdRule


def asked(profile: Profile, key: str) -> ThresholdRule:
    """Give a profile's rule; raises NotApplicableError where it has none."""
    rule = profile.thresholds.get(key)
    if rule is None:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    return rule


def broken(rule: ThresholdRule, value: float) -> tuple[Severity, float] | None:
    """Give how grave a value is and the threshold that it has reached; None where it has reached none."""
    for severity, threshold in ((Severity.CRITICAL, rule.critical), (Severity.WARNING, rule.warning)):
        if threshold is not msgspec.UNSET and value >= threshold:
            return severity, threshold
    return None


def requirement(profile: Profile, key: str, rule: ThresholdRule) -> Requirement:
    """Give the line of a profile that a threshold stands for."""
    return Requirement(profile=profile.name, key=f"thresholds.{key}", why=rule.why, source=rule.source)
