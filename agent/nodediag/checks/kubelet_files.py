"""Is the kubelet told safely what to do: the owners and modes of its files, and what its configuration allows?

A rule's source names the item of the CIS benchmark for GKE that asks the same.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks import state
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.kubelet import Kubelet
from nodediag.facts.kubelet_config import Told
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile

_MODES: Final = "kubelet.file-modes."
_SETTINGS: Final = "kubelet.configuration."
# What a setting is that nobody has made: a kubelet without a file of configuration has other, older defaults.
_UNSET: Final = "unset"
_UNSET_WITHOUT_FILE: Final = "unset without a file"


@check(
    "kubelet.file-modes",
    title="Only root may change the kubelet's files, or read its keys",
    needs="the kubelet's kubeconfig, its configuration and the folder of its --cert-dir: to look at, not to read",
)
def file_modes(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Who may write them takes over the node at the kubelet's next start; who may read a key is the node, elsewhere."""
    keys = _asked(profile, _MODES)
    if not need(facts.kubelet).running:
        raise NotApplicableError("no kubelet runs here, to name its files")
    seen = need(facts.kubelet_files)
    unseen = [seen.reason] if seen.reason is not msgspec.UNSET else []
    for file in seen.files:
        key = f"{_MODES}{file.role}"
        if key not in keys:
            continue
        if file.reason is not msgspec.UNSET:
            unseen.append(file.reason)
            continue
        rule = state.asked(facts, profile, key)
        if not rule.fits(f"{file.owner} {file.mode}"):
            yield rule.broken(
                Problem(
                    severity=Severity.WARNING,
                    subject=Subject("path", file.path),
                    message=f"{file.path} is of {file.owner} and has the mode {file.mode}",
                    expected=f"owner, group and mode as {rule.wanted}",
                    observed=f"{file.owner} {file.mode}",
                    values={"role": file.role.value, "owner": file.owner, "mode": file.mode},
                    evidence=(file.evidence,),
                )
            )
    if unseen:
        raise NotKnownError(unseen[0])


@check(
    "kubelet.configuration",
    title="The kubelet lets in only whom the API server vouches for, and is set as others are",
    needs="the kubelet's command line, its --config file and --config-dir",
)
def configuration(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Its port gives a shell in every pod of the node; other settings explain why a node is unlike its neighbours."""
    keys = _asked(profile, _SETTINGS)
    kubelet = need(facts.kubelet)
    if not kubelet.running:
        raise NotApplicableError("no kubelet runs here")
    if kubelet.config_reason is not msgspec.UNSET:
        raise NotKnownError(kubelet.config_reason)
    for key in keys:
        name = key.removeprefix(_SETTINGS)
        rule, told = state.asked(facts, profile, key), kubelet.told.get(name)
        word = told.value if told is not None else _unset(kubelet)
        if not rule.fits(word):
            yield rule.broken(_setting(name, word, told, rule.wanted, kubelet))


def _setting(name: str, word: str, told: Told | None, wanted: str, kubelet: Kubelet) -> Problem:
    return Problem(
        severity=Severity.WARNING,
        subject=Subject("setting", name),
        message=f"the kubelet's {name} is {word}, by {told.by}"
        if told is not None
        else f"the kubelet's {name} is {word}",
        expected=wanted,
        observed=word,
        values={"setting": name, "value": word},
        evidence=(told.evidence,) if told is not None else kubelet.evidence[:1],
    )


def _unset(kubelet: Kubelet) -> str:
    return _UNSET if {"config", "config-dir"} & kubelet.flags.keys() else _UNSET_WITHOUT_FILE


def _asked(profile: Profile, start: str) -> tuple[str, ...]:
    keys = tuple(key for key in profile.states if key.startswith(start))
    if not keys:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    return keys


CHECKS: Final[tuple[Check, ...]] = (file_modes, configuration)
