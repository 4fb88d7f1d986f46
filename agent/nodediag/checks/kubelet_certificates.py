"""Do the kubelet's certificates hold, as of when the node was looked at?"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from nodediag.checks import threshold
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.kubelet_certificates import Held, Role
from nodediag.facts.snapshot import Facts
from nodediag.host.answer import Certificate
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.model.reason import Code
from nodediag.profiles.profile import Profile, ThresholdRule

_KEY: Final = "kubelet.certificates"
_DAY_S: Final = 86_400
_AUTHORITIES: Final = frozenset({Role.API_AUTHORITY, Role.CLIENT_AUTHORITY})
_NAMES: Final = {
    Role.CLIENT: "the certificate with which the kubelet logs in at the API server",
    Role.SERVING: "the certificate that the kubelet shows who asks it",
    Role.SELF_SIGNED: "the certificate that the kubelet made for itself",
    Role.BOOTSTRAP: "the certificate with which the kubelet asks for its first one",
    Role.API_AUTHORITY: "the authority by which the kubelet knows the API server",
    Role.CLIENT_AUTHORITY: "the authority by which the kubelet knows who asks it",
}


@check(
    "kubelet.certificates",
    title="The kubelet's certificates are valid, and renewed in time",
    needs="the kubelet's kubeconfig and the folder of its --cert-dir: root, on the node itself or with both mounted",
)
def certificates(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """With an expired one the kubelet cannot speak with the API server: the node is lost, though its pods still run."""
    threshold.asked(profile, f"{_KEY}.days")
    seen = need(facts.kubelet_certificates)
    unseen = [seen.reason] if seen.reason is not msgspec.UNSET else []
    for held in seen.held:
        if held.reason is msgspec.UNSET:
            yield from _judged(held, profile)
        elif held.reason.code is Code.ABSENT:
            yield _missing(held, profile)
        else:
            unseen.append(held.reason)
    if unseen:
        raise NotKnownError(unseen[0])
    if not seen.held:
        raise NotApplicableError("the kubelet logs in without a certificate, and shows none")


def _judged(held: Held, profile: Profile) -> Iterator[Problem]:
    """Judge the one that ends first; of authorities the one that ends last, since old ones stay beside new ones."""
    if not held.certificates:
        return
    choose = max if held.role in _AUTHORITIES else min
    one = choose(held.certificates, key=lambda certificate: certificate.not_after)
    now = profile.judged_at
    if one.not_after <= now:
        yield _problem(held, one, profile, f"expired on {_time(one.not_after)}", "a certificate that is valid", "days")
    elif one.not_before > now:
        when = f"is not valid before {_time(one.not_before)}, and it is {_time(now)}: one of two clocks is wrong"
        yield _problem(held, one, profile, when, "a certificate that is valid", "days")
    elif held.role not in {Role.SELF_SIGNED, Role.BOOTSTRAP}:
        yield from _late(held, one, profile)


def _late(held: Held, one: Certificate, profile: Profile) -> Iterator[Problem]:
    """Tell one that should have been renewed by now; one that is short-lived is judged by its life, not by days."""
    left_s = (one.not_after - profile.judged_at).total_seconds()
    life_s = (one.not_after - one.not_before).total_seconds()
    key = "authority-days" if held.role in _AUTHORITIES else "days"
    rule, life = _rule(profile, key), _rule(profile, "life")
    days = rule.least if rule is not None and isinstance(rule.least, float) else 0.0
    percent = life.least if life is not None and isinstance(life.least, float) else 0.0
    ends = f"expires on {_time(one.not_after)}"
    if held.rotates or life_s < 2 * days * _DAY_S:
        if left_s * 100 < percent * life_s:
            why = ", and the kubelet has not renewed it" if held.rotates else ""
            wanted = f"renewed when {percent:g} % of its life are left"
            yield _problem(held, one, profile, ends + why, wanted, "life", Severity.WARNING)
    elif left_s < days * _DAY_S:
        wanted = f"valid for {days:g} days more"
        yield _problem(held, one, profile, f"{ends}, and nobody is known to renew it", wanted, key, Severity.WARNING)


def _problem(  # noqa: PLR0913, PLR0917 - what one line says of one certificate
    held: Held, one: Certificate, profile: Profile, says: str, wanted: str, key: str, severity: Severity | None = None
) -> Problem:
    rule = _rule(profile, key)
    text = f"subject={one.subject} issuer={one.issuer} serial={one.serial} key={one.key}"
    dates = f"notBefore={_time(one.not_before)} notAfter={_time(one.not_after)}"
    return Problem(
        severity=severity or _severity(held.role),
        subject=Subject("certificate", _place(held)),
        message=f"{_NAMES[held.role]} {says} ({_place(held)})",
        expected=wanted,
        observed=f"valid from {_time(one.not_before)} to {_time(one.not_after)}",
        values={"role": held.role.value, "not_after": _time(one.not_after), "rotates": held.rotates},
        requirement=threshold.requirement(profile, f"{_KEY}.{key}", rule) if rule is not None else msgspec.UNSET,
        remedy=rule.remedy if rule is not None else "",
        evidence=(FileEvidence(path=held.path, line=0, text=f"{dates} {text}"),),
    )


def _missing(held: Held, profile: Profile) -> Problem:
    rule = _rule(profile, "days")
    issued = ": its request has not been approved" if held.rotates and held.role is Role.SERVING else ""
    return Problem(
        severity=_severity(held.role),
        subject=Subject("certificate", _place(held)),
        message=f"{_NAMES[held.role]} is not there{issued} ({_place(held)})",
        expected="a certificate that is valid",
        observed="none",
        values={"role": held.role.value},
        requirement=threshold.requirement(profile, f"{_KEY}.days", rule) if rule is not None else msgspec.UNSET,
        remedy=rule.remedy if rule is not None else "",
        evidence=(FileEvidence(path=held.path, line=0, text="absent"),),
    )


def _severity(role: Role) -> Severity:
    """Tell how much hangs on it: without some a node is lost, others are needed by nobody while all goes well."""
    match role:
        case Role.CLIENT | Role.API_AUTHORITY:
            return Severity.CRITICAL
        case Role.SERVING | Role.CLIENT_AUTHORITY:
            return Severity.WARNING
        case Role.SELF_SIGNED | Role.BOOTSTRAP:
            return Severity.INFO


def _rule(profile: Profile, key: str) -> ThresholdRule | None:
    return profile.thresholds.get(f"{_KEY}.{key}")


def _place(held: Held) -> str:
    return f"{held.path} {held.field}".strip()


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


CHECKS: Final[tuple[Check, ...]] = (certificates,)
