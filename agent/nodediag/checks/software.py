"""What is on the node beside containers: package managers, the toolbox, cloud-init's work, programs of one's own."""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks import state, threshold
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.cloud_init import CloudInit, CloudInitState
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence, FileEvidence
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile

_MANAGER: Final = "software.package-manager"
_TOOLBOX: Final = "software.toolbox"
_IMAGE: Final = "software.toolbox-image"
_CLOUD_INIT: Final = "software.cloud-init"
_LATE: Final = "software.cloud-init-late"
_STRAYS: Final = "software.stray-processes"
_UNIT: Final = "cloud-init.service"


@check(
    "software.package-manager",
    title="There is no package manager where the image has none",
    needs="the names in /usr/bin, /usr/sbin and where else programs can be started",
)
def package_manager(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Software comes to such an image in containers; a package manager on it is the start of another system."""
    rule = state.asked(facts, profile, _MANAGER)
    seen, mounts = need(facts.software), known(facts.mounts)
    for one in seen.managers:
        held = mounts.holding(one.folder) if mounts is not None else None
        if rule.fits(one.name) or (held is not None and held.options_known and not held.executable):
            continue
        path = f"{one.folder}/{one.name}"
        yield rule.broken(
            Problem(
                severity=Severity.WARNING,
                subject=Subject("path", path),
                message=f"{path} is a package manager's program; this image has none",
                expected="no package manager",
                observed=path,
                values={"name": one.name, "folder": one.folder},
                evidence=(one.evidence, *((held.evidence,) if held is not None else ())),
            )
        )
    if seen.unseen_reason is not msgspec.UNSET:
        raise NotKnownError(_lacking(f"{', '.join(seen.unseen)} could not be looked into", seen.unseen_reason))


@check("software.toolbox", title="The toolbox is there", needs="/usr/bin/toolbox")
def toolbox(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """It is the way to debugging tools on an image that has none of its own."""
    rule = state.asked(facts, profile, _TOOLBOX)
    seen = need(facts.toolbox)
    if not rule.fits("present" if seen.present else "none"):
        yield rule.broken(
            Problem(
                severity=Severity.WARNING,
                subject=Subject("toolbox", "script"),
                message="/usr/bin/toolbox is not there; the image has it",
                expected="/usr/bin/toolbox",
                observed="none",
                evidence=(seen.evidence,),
            )
        )


@check("software.toolbox-image", title="The toolbox starts the image that COS names", needs="/etc/default/toolbox")
def toolbox_image(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """What it starts runs with all rights over the node, for whoever debugs there."""
    rule = state.asked(facts, profile, _IMAGE)
    seen = need(facts.toolbox)
    if not seen.present:
        raise NotApplicableError("there is no toolbox here")
    if not seen.image:
        detail = "/etc/default/toolbox does not name an image, or could not be read"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs="/etc/default/toolbox"))
    if not rule.fits(seen.image):
        yield rule.broken(
            Problem(
                severity=Severity.WARNING,
                subject=Subject("toolbox", "image"),
                message=f"the toolbox is configured to start {seen.image}{f':{seen.tag}' if seen.tag else ''}",
                expected=rule.wanted,
                observed=seen.image,
                values={"image": seen.image, "tag": seen.tag},
                evidence=seen.config or (seen.evidence,),
            )
        )


@check(
    "software.cloud-init",
    title="In this boot cloud-init has done its work",
    needs="/run/cloud-init/result.json and status.json, /proc/cmdline",
)
def cloud_init(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """It configures the node at every boot, on COS all of /etc; where it failed, a part of that is missing."""
    rule = state.asked(facts, profile, _CLOUD_INIT)
    seen, cmdline = need(facts.cloud_init), known(facts.cmdline)
    word = seen.state.value
    if seen.state is CloudInitState.NONE and cmdline is not None and _UNIT in cmdline.values("systemd.mask"):
        raise NotApplicableError(f"{_UNIT} is masked on the kernel command line")
    if seen.state is CloudInitState.NONE and rule.fits(word):
        raise NotApplicableError("cloud-init has left no trace in this boot")
    if seen.state is CloudInitState.RUNNING:
        yield from _running(profile, seen)
    elif not rule.fits(word):
        evidence: tuple[Evidence, ...] = seen.evidence
        yield rule.broken(
            Problem(
                severity=Severity.WARNING,
                subject=Subject("service", "cloud-init"),
                message=_told(seen),
                expected="done, without an error",
                observed=word,
                values={"state": word, "errors": seen.errors, "datasource": seen.datasource},
                evidence=evidence or (FileEvidence(path="/run/cloud-init/result.json", line=0, text="absent"),),
            )
        )


def _told(seen: CloudInit) -> str:
    if seen.errors:
        return f"cloud-init ended with errors: {'; '.join(seen.errors)}"[:500]
    if seen.state is CloudInitState.DISABLED:
        return "cloud-init was disabled; the image's own configuration at boot was not done"
    return "cloud-init has left no trace in this boot: it did not run"


def _running(profile: Profile, seen: CloudInit) -> Iterator[Problem]:
    """Tell a cloud-init that has been at work for too long; one that may still end is not known to have."""
    rule = profile.thresholds.get(_LATE)
    found = threshold.broken(rule, seen.uptime_s) if rule is not None and seen.uptime_s is not msgspec.UNSET else None
    if rule is None or found is None:
        detail = f"cloud-init is still at work, in its stage {seen.stage}"
        raise NotKnownError(Reason(code=Code.ONE_SAMPLE, detail=detail, needs="a look when it has ended"))
    yield Problem(
        severity=found[0],
        subject=Subject("service", "cloud-init"),
        message=f"cloud-init is still in its stage {seen.stage}, {seen.uptime_s:.0f} s after boot",
        expected=f"done within {found[1]:g} s",
        observed=f"{seen.uptime_s:.0f} s",
        values={"stage": seen.stage, "uptime_s": seen.uptime_s if isinstance(seen.uptime_s, float) else 0.0},
        requirement=threshold.requirement(profile, _LATE, rule),
        remedy=rule.remedy,
        evidence=seen.evidence,
    )


@check(
    "software.stray-processes",
    title="Nothing but what the node's own scripts start runs outside containers from a writable disk",
    needs="the process list with /proc/PID/exe and /proc/PID/cgroup of each: root on the node itself",
)
def stray_processes(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Such an image does not run programs of one's own; what somebody starts there is in no pod, limit or upgrade."""
    rule = state.asked(facts, profile, _STRAYS)
    seen = need(facts.stray_processes)
    by_program: dict[str, list[Evidence]] = {}
    for one in seen.processes:
        if not rule.fits(one.program):
            by_program.setdefault(one.program, []).append(one.evidence)
    for program, evidence in by_program.items():
        times = f", {len(evidence)} times" if len(evidence) > 1 else ""
        yield rule.broken(
            Problem(
                severity=Severity.WARNING,
                subject=Subject("program", program),
                message=f"{program} runs outside any container{times}",
                expected="programs of the image, and containers",
                observed=program,
                values={"program": program, "processes": len(evidence)},
                evidence=tuple(evidence),
            )
        )


def _lacking(detail: str, reason: Reason) -> Reason:
    return Reason(code=reason.code, detail=f"{detail}: {reason.detail}", needs=reason.needs)


CHECKS: Final[tuple[Check, ...]] = (package_manager, toolbox, toolbox_image, cloud_init, stray_processes)
