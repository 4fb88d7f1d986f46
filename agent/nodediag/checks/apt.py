"""Is what dpkg and APT have installed whole, and is it the release that the image brought?"""

import re
from collections.abc import Iterator
from typing import Final

from nodediag.checks import state
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.apt import REBOOT_PATH, UPDATES_PATH, UPGRADE_PATH, Apt
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.packages import Packages
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence
from nodediag.model.image import OsFamily
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile

_CONSISTENT: Final = "apt.consistent"
_HELD: Final = "apt.held"
_REBOOT: Final = "apt.pending-reboot"
_RELEASE: Final = "apt.release"
_STATUS: Final = "/var/lib/dpkg/status"
_BUILT_FOR: Final = r"~(?P<release>[0-9]{2}\.[0-9]{2})(?:\.[0-9]+)?~gke"
_NAMED: Final = 8


@check("apt.consistent", title="No package is installed by halves", needs=f"{_STATUS}, {UPDATES_PATH}")
def consistent(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """What dpkg was interrupted in may not start after the next reboot, and no further package can be installed."""
    rule = state.asked(facts, profile, _CONSISTENT)
    packages, apt = _managed(facts)
    _states(packages)
    if packages.unsettled:
        names = ", ".join(f"{one.name} ({one.status})" for one in packages.unsettled[:_NAMED])
        evidence: tuple[Evidence, ...] = tuple(one.evidence for one in packages.unsettled)
        says = f"{len(packages.unsettled)} packages are not installed as a whole: {names}"
        yield rule.broken(_problem("packages", says, "installed, or gone", "half-way", evidence))
    if apt.interrupted:
        says = f"dpkg was interrupted: {len(apt.interrupted)} files are left in {UPDATES_PATH}"
        yield rule.broken(_problem("dpkg", says, "none left", "interrupted", apt.interrupted))
    _seen(apt, UPDATES_PATH)


@check("apt.held", title="No package is kept back", needs=_STATUS)
def held(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A package on hold gets no security update until somebody remembers it."""
    rule = state.asked(facts, profile, _HELD)
    packages, _ = _managed(facts)
    _states(packages)
    kept = [one for one in packages.held if not rule.fits(one.name)]
    if kept:
        names = ", ".join(one.name for one in kept[:_NAMED])
        says = f"{len(kept)} packages are on hold: {names}"
        evidence = tuple(one.evidence for one in kept)
        yield rule.broken(_problem("packages", says, "none on hold", names, evidence))


@check("apt.pending-reboot", title="No package waits for a reboot", needs=REBOOT_PATH)
def pending_reboot(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Until the reboot the old kernel or library runs, with the holes that the package closed."""
    rule = state.asked(facts, profile, _REBOOT)
    _, apt = _managed(facts)
    if apt.reboot:
        names = ", ".join(apt.reboot_packages[:_NAMED])
        says = "a reboot is due" + (f", for {names}" if names else "")
        yield rule.broken(_problem("reboot", says, "no reboot due", REBOOT_PATH, apt.reboot))
    _seen(apt, REBOOT_PATH)


@check(
    "apt.release", title="The release of the system is the one the image brought", needs=f"{_STATUS}, {UPGRADE_PATH}"
)
def release(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A system that was upgraded by hand is no image any more; the node's re-creation brings the old release back."""
    rule = state.asked(facts, profile, _RELEASE)
    packages, apt = _managed(facts)
    system = need(facts.os_release)
    now = system.fields.get("VERSION_ID", "")
    for one in packages.installed:
        built = re.search(_BUILT_FOR, one.version)
        if built is not None and built["release"] != now:
            says = f"{one.name} {one.version} was built for {built['release']}, but the system is {now}"
            evidence: tuple[Evidence, ...] = (one.evidence, system.evidence("VERSION_ID"))
            yield rule.broken(_problem(one.name, says, built["release"], now or "unknown", evidence))
    if apt.upgraded:
        says = f"do-release-upgrade has run here; the system is now {now}"
        yield rule.broken(_problem("upgrade", says, "no upgrade of the release", now, apt.upgraded))
    _seen(apt, UPGRADE_PATH)


def _managed(facts: Facts) -> tuple[Packages, Apt]:
    image = known(facts.image)
    if image is not None and image.os_family is OsFamily.COS:
        raise NotApplicableError("Container-Optimized OS has no packages")
    packages = need(facts.packages)
    if not packages.manager:
        raise NotApplicableError("there is no dpkg here")
    return packages, need(facts.apt)


def _states(packages: Packages) -> None:
    if not packages.states:
        detail = "the list of packages that was captured does not tell what each was meant to be"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=_STATUS))


def _seen(apt: Apt, path: str) -> None:
    if path in apt.unseen:
        raise NotKnownError(apt.unseen[path])


def _problem(subject: str, says: str, expected: str, observed: str, evidence: tuple[Evidence, ...]) -> Problem:
    return Problem(
        severity=Severity.WARNING, subject=Subject("apt", subject), message=says, expected=expected,
        observed=observed, evidence=evidence,
    )  # fmt: skip


CHECKS: Final[tuple[Check, ...]] = (consistent, held, pending_reboot, release)
