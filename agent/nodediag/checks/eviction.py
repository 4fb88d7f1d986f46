"""The kubelet's eviction thresholds in effect: what it was told, or what it takes for granted."""

from typing import Final

import msgspec

from nodediag.facts import quantity
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.kubelet_config import Told
from nodediag.facts.kubelet_settings import Settings
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence
from nodediag.model.outcome import Requirement, Severity
from nodediag.profiles.profile import EvictionRule, Profile

_EVICTS: Final = "the kubelet evicts pods below it"
_SOURCE: Final = "Kubernetes' documentation, Node-pressure Eviction"


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    """A signal and the amount below which the kubelet evicts pods: at once, or (soft) after a time of grace."""

    signal: str
    text: str
    told_by: str
    severity: Severity
    requirement: Requirement
    evidence: tuple[Evidence, ...]

    def of(self, whole: int) -> int:
        """Give it as a number, of all that there is."""
        return quantity.of_whole(self.text, whole)


def thresholds(facts: Facts, profile: Profile, *signals: str) -> tuple[Threshold, ...]:
    """Give those of some signals, hard ones first; none where no kubelet runs; raises NotKnownError."""
    kubelet = need(facts.kubelet)
    if not kubelet.running:
        return ()
    if kubelet.settings_reason is not msgspec.UNSET:
        raise NotKnownError(kubelet.settings_reason)
    settings = kubelet.settings if kubelet.settings is not msgspec.UNSET else Settings()
    hard = settings.hard if settings.hard is not msgspec.UNSET else {}
    own = profile.eviction if settings.hard is msgspec.UNSET or settings.defaults_merged else {}
    found = [_told(profile, signal, hard[signal], "") for signal in signals if signal in hard]
    found += [_default(profile, signal, own[signal]) for signal in signals if signal in own and signal not in hard]
    grace = settings.soft_grace
    found += [
        _told(profile, signal, settings.soft[signal], grace.get(signal, "a time"))
        for signal in signals
        if signal in settings.soft
    ]
    return tuple(found)


def _told(profile: Profile, signal: str, told: Told, grace: str) -> Threshold:
    return Threshold(
        signal=signal,
        text=told.value,
        told_by=f"{told.by}, after {grace}" if grace else told.by,
        severity=Severity.WARNING if grace else Severity.CRITICAL,
        requirement=Requirement(
            profile=profile.name, key=f"eviction.{signal}", why=_EVICTS, source=f"{_SOURCE}; {told.by}"
        ),
        evidence=(told.evidence,),
    )


def _default(profile: Profile, signal: str, rule: EvictionRule) -> Threshold:
    return Threshold(
        signal=signal,
        text=rule.value,
        told_by="its default",
        severity=Severity.CRITICAL,
        requirement=Requirement(profile=profile.name, key=f"eviction.{signal}", why=rule.why, source=rule.source),
        evidence=(),
    )
