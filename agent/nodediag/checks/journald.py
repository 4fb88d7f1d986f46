"""Is the journal kept, and no larger than it may be? What it lost is told by `logs.complete`."""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import need
from nodediag.facts.journal_use import FOLDER
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.profiles.profile import JournaldRule, Profile

_NEEDS: Final = "journald.conf and its drop-ins below /etc, /run and /usr/lib; /var/log/journal, /etc/machine-id"
_NOT_KEPT: Final = frozenset({"volatile", "none"})
_GIB: Final = 1 << 30


@check("journald.persistent", title="The journal is kept over a reboot", needs=_NEEDS)
def persistent(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """After a crash the last lines of the boot before are the only witness; in memory they are gone with it."""
    rule = _rule(profile)
    if not rule.persistent:
        raise NotApplicableError(f"the profile {profile.name} does not ask for it")
    journald = need(facts.journald)
    setting = journald.settings.get("Storage")
    if setting is not None and setting.value in _NOT_KEPT:
        yield _lost(profile, rule, f"Storage={setting.value} keeps nothing of it on the disk", setting.evidence)
        return
    use = need(facts.journal_use)
    if not use.folder and journald.storage == "auto":
        yield _lost(profile, rule, f"there is no {FOLDER}, so it is kept in memory alone", use.evidence)
    elif not use.files:
        yield _lost(profile, rule, f"{FOLDER} holds no file of this machine", use.evidence)


@check("journald.bounded", title="The journal is no larger than journald means it to be", needs=_NEEDS)
def bounded(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The oldest files are removed as it grows; where they are not, the disk fills and the kubelet evicts pods."""
    rule = _rule(profile)
    journald, use = need(facts.journald), need(facts.journal_use)
    most = journald.most_bytes
    if use.bytes * 100 > most * (100 + rule.over_percent):
        setting = journald.settings.get("SystemMaxUse")
        yield Problem(
            severity=Severity.WARNING,
            subject=Subject("journal", FOLDER),
            message=f"the journal takes {use.bytes / _GIB:.1f} GiB; it may take {most / _GIB:.1f} GiB",
            expected=f"at most {most / _GIB:.1f} GiB and {rule.over_percent} %",
            observed=f"{use.bytes / _GIB:.1f} GiB",
            values={"size_bytes": use.bytes, "most_bytes": most, "files": use.files},
            requirement=_requirement(profile, rule),
            remedy="`journalctl --vacuum-size=1G`, then look at `journalctl -u systemd-journald` for why it grew",
            evidence=(use.evidence, *((setting.evidence,) if setting is not None else ())),
        )


def _lost(profile: Profile, rule: JournaldRule, says: str, evidence: Evidence) -> Problem:
    return Problem(
        severity=Severity.WARNING,
        subject=Subject("journal", FOLDER),
        message=f"the journal does not outlive a reboot: {says}",
        expected="kept on the disk",
        observed="not kept",
        requirement=_requirement(profile, rule),
        remedy=rule.remedy,
        evidence=(evidence,),
    )


def _rule(profile: Profile) -> JournaldRule:
    if profile.journald is msgspec.UNSET:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    return profile.journald


def _requirement(profile: Profile, rule: JournaldRule) -> Requirement:
    return Requirement(profile=profile.name, key="journald", why=rule.why, source=rule.source, document=rule.document)


CHECKS: Final[tuple[Check, ...]] = (persistent, bounded)
