"""What on this node is not the image, and whether it outlives a reboot or the node's re-creation.

GKE makes a node anew on upgrade, repair and scaling: what was changed on the boot disk is gone then.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from nodediag.checks import state
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.state import Asked
from nodediag.facts.cmdline import Argument
from nodediag.facts.fact import NOT_COLLECTED, NotKnownError, known, need
from nodediag.facts.runtime_programs import RuntimeProgram
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import ArgumentRule, Profile

_OVERMOUNTS: Final = "drift.overmounts"
_KERNEL: Final = "drift.kernel"
_RUNTIME: Final = "drift.runtime"
_PACKAGES: Final = "drift.packages"
_SYSCTLS: Final = "drift.sysctls"
_CMDLINE: Final = "drift.cmdline"
_PROGRAMS: Final = ("/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/boot/")
_PASSING: Final = "it is gone after a reboot and when the node is made anew, unless something sets it up again"
_KEPT: Final = "it outlives a reboot, and is gone when the node is made anew"


@check("drift.overmounts", title="Nothing is mounted over the image's programs", needs="PID 1's mount table")
def overmounts(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A bind over a program, a library or a kernel module runs something else than the image, and leaves no file."""
    rule = state.asked(facts, profile, _OVERMOUNTS)
    mounts = need(facts.mounts)
    for mount in mounts.visible():
        if not f"{mount.target}/".startswith(_PROGRAMS) or rule.fits(mount.target):
            continue
        where = mount.source + (f"[{mount.root}]" if mount.root not in {"", "/"} else "")
        problem = Problem(
            severity=Severity.WARNING,
            subject=Subject("path", mount.target),
            message=f"{mount.target} is covered by {where} ({mount.fstype})",
            expected="the image's own files",
            observed=where,
            values={"source": mount.source, "root": mount.root, "fstype": mount.fstype},
            evidence=(mount.evidence,),
        )
        yield _drifted(rule, problem, kept=False)
    if not mounts.complete:
        detail = f"{mounts.path} does not list every mount"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs="/proc/1/mountinfo"))


@check("drift.kernel", title="The running kernel is one of the image's", needs="uname, or /proc/version")
def kernel(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """An image is tested with its kernel; with another it is in a state that nobody knows."""
    rule = state.asked(facts, profile, _KERNEL)
    seen = need(facts.kernel)
    if not rule.fits(seen.release):
        problem = Problem(
            severity=Severity.WARNING,
            subject=Subject("kernel", "release"),
            message=f"the kernel {seen.release} is none of this image's",
            expected=rule.wanted,
            observed=seen.release,
            evidence=(seen.evidence,),
        )
        yield _drifted(rule, problem, kept=True)


@check(
    "drift.runtime",
    title="The container runtime is the image's own",
    needs="/proc/PID/exe and /proc/PID/cgroup of containerd and dockerd; dpkg's database where there is one",
)
def runtime(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Containerd and Docker come with the image; one from elsewhere is tested by nobody and updated by nobody."""
    rule = state.asked(facts, profile, _RUNTIME)
    packages = known(facts.packages)
    for package in packages.installed if packages is not None else ():
        if rule.fits(f"package {package.name}"):
            continue
        problem = Problem(
            severity=Severity.WARNING,
            subject=Subject("package", package.name),
            message=f"the package {package.name} {package.version} is none of this image's",
            expected="the image's packages",
            observed=package.version,
            evidence=(package.evidence,),
        )
        yield _drifted(rule, problem, kept=True)
    for one in need(facts.runtime_programs).programs:
        if not rule.fits(one.path) or one.replaced:
            yield _drifted(rule, _other_runtime(one), kept=True)
    need(facts.packages)


def _other_runtime(one: RuntimeProgram) -> Problem:
    said = f"{one.path}, which has been replaced since it was started" if one.replaced else one.path
    return Problem(
        severity=Severity.WARNING,
        subject=Subject("program", one.name),
        message=f"{one.name} runs from {said}",
        expected="the image's own program",
        observed=said,
        values={"path": one.path, "replaced": one.replaced},
        evidence=(one.evidence,),
    )


@check(
    "drift.packages",
    title="The files of the kernel, the runtime and systemd are those of their packages",
    needs="--deep; /var/lib/dpkg/info/*.md5sums, and the files they list",
)
def packages(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A program that was replaced by hand is updated by nobody, and may be there to hide something."""
    rule = state.asked(facts, profile, _PACKAGES)
    if facts.package_files == NOT_COLLECTED:
        raise NotApplicableError("this run was not told to look that deep (--deep)")
    seen = need(facts.package_files)
    if not seen.packages:
        raise NotApplicableError("there is no dpkg here, or none of these packages")
    for one in seen.changed:
        if rule.fits(one.path):
            continue
        problem = Problem(
            severity=Severity.WARNING,
            subject=Subject("path", one.path),
            message=f"{one.path} {'is gone, a file' if one.missing else 'is not that'} of the package {one.package}",
            expected=one.evidence.text[:32],
            observed="absent" if one.missing else "another checksum",
            values={"package": one.package, "missing": one.missing},
            evidence=(one.evidence,),
        )
        yield _drifted(rule, problem, kept=True)
    if seen.unseen_reason is not msgspec.UNSET:
        why = seen.unseen_reason
        detail = f"{seen.unseen} files could not be compared: {why.detail}"
        raise NotKnownError(Reason(code=why.code, detail=detail, needs=why.needs or "the files themselves"))


@check(
    "drift.sysctls",
    title="Kernel parameters are as GKE's scripts left them",
    needs="GKE's init-sysctls.conf, /proc/sys",
)
def sysctls(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """What a DaemonSet or a person set by hand holds for all pods of the node, and for this node alone."""
    rule = state.asked(facts, profile, _SYSCTLS)
    seen = need(facts.sysctls)
    if not seen.snapshot:
        raise NotApplicableError("GKE's scripts have left no snapshot of kernel parameters here")
    for one in seen.changed:
        if rule.fits(one.name):
            continue
        problem = Problem(
            severity=Severity.WARNING,
            subject=Subject("sysctl", one.name),
            message=f"{one.name} is {one.value}; GKE's scripts left it at {one.was}",
            expected=one.was,
            observed=one.value,
            values={"was": one.was, "value": one.value},
            evidence=one.evidence,
        )
        yield _drifted(rule, problem, kept=False)
    if seen.unseen_reason is not msgspec.UNSET:
        why = seen.unseen_reason
        detail = f"{len(seen.unseen)} parameters could not be compared ({seen.unseen[0]}, ...): {why.detail}"
        raise NotKnownError(Reason(code=why.code, detail=detail, needs=why.needs or "/proc/sys of the node"))


@check("drift.cmdline", title="The kernel was started with the image's arguments", needs="/proc/cmdline")
def cmdline(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Some arguments switch off what keeps containers apart, or the checks on what the kernel loads."""
    if not profile.cmdline:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    seen = need(facts.cmdline)
    for rule in profile.cmdline:
        for pattern in rule.arguments:
            found = [argument for argument in seen.arguments if _is(argument, pattern)]
            if bool(found) is rule.present:
                continue
            said = ", ".join(f"{one.name}={one.value}" if one.value else one.name for one in found)
            yield Problem(
                severity=Severity.WARNING if rule.severity is msgspec.UNSET else rule.severity,
                subject=Subject("argument", pattern),
                message=f"the kernel was started {f'with {said}' if found else f'without {pattern}'}; {_KEPT}",
                expected=pattern if rule.present else f"no {pattern}",
                observed=said or "absent",
                values={"survives_reboot": True, "survives_recreation": False},
                requirement=_argument(profile, rule),
                remedy=rule.remedy,
                evidence=(seen.evidence,),
            )


def _is(argument: Argument, pattern: str) -> bool:
    name, equals, value = pattern.partition("=")
    return argument.name == name.replace("-", "_") and (not equals or fnmatchcase(argument.value, value))


def _argument(profile: Profile, rule: ArgumentRule) -> Requirement:
    return Requirement(profile=profile.name, key="cmdline", why=rule.why, source=rule.source, document=rule.document)


def _drifted(rule: Asked, problem: Problem, *, kept: bool) -> Problem:
    """Say what becomes of it, in words and as values."""
    return rule.broken(
        msgspec.structs.replace(
            problem,
            message=f"{problem.message}; {_KEPT if kept else _PASSING}",
            values={**problem.values, "survives_reboot": kept, "survives_recreation": False},
        )
    )


CHECKS: Final[tuple[Check, ...]] = (overmounts, kernel, runtime, packages, sysctls, cmdline)
