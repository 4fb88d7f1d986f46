"""Does the layout of the file systems keep what the image promises? Judged on the options in effect at each path."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check, requirement
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.mounts import Backing, Mount, Mounts
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import PathRule, Persistence, Profile

_NEEDS: Final = "PID 1's mount table: /proc/1/mountinfo below the node's root"
_KEPT: Final = {Persistence.STATEFUL: (Backing.DISK, Backing.NETWORK), Persistence.STATELESS: (Backing.MEMORY,)}


class _Aspect(msgspec.Struct, frozen=True, kw_only=True):
    """One property that a rule may ask of a path."""

    key: str
    good: str
    bad: str
    has: Callable[[Mount], bool]
    lacking: Severity
    excess: Severity


_WRITABLE: Final = _Aspect(
    key="writable", good="writable", bad="read-only",
    has=lambda mount: mount.writable, lacking=Severity.CRITICAL, excess=Severity.CRITICAL,
)  # fmt: skip
_EXECUTABLE: Final = _Aspect(
    key="executable", good="executable", bad="noexec",
    has=lambda mount: mount.executable, lacking=Severity.WARNING, excess=Severity.WARNING,
)  # fmt: skip
_SUID: Final = _Aspect(
    key="suid", good="suid", bad="nosuid",
    has=lambda mount: mount.suid, lacking=Severity.WARNING, excess=Severity.WARNING,
)  # fmt: skip
_DEVICES: Final = _Aspect(
    key="devices", good="dev", bad="nodev",
    has=lambda mount: mount.devices, lacking=Severity.WARNING, excess=Severity.WARNING,
)  # fmt: skip


@check("mounts.root-read-only", title="The root file system is read-only", needs=_NEEDS)
def root_read_only(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The image's root is never written on a running node; one that can be is no longer the image."""
    rule = profile.paths.get("/")
    if rule is None or rule.writable is not False:
        raise NotApplicableError(f"the profile {profile.name} has a writable root, or asks nothing of it")
    yield from _judge(facts, profile, {"/": rule}, (_WRITABLE,))


@check("mounts.writable", title="What must be written can be, and nothing else", needs=_NEEDS)
def writable(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The kernel remounts a file system read-only when its disk fails; then pods fail one by one."""
    root = profile.paths.get("/")
    rules = {path: rule for path, rule in profile.paths.items() if path != "/" or rule.writable is True}
    if not rules and root is None:
        raise NotApplicableError(f"the profile {profile.name} has no layout")
    yield from _judge(facts, profile, rules, (_WRITABLE,))


@check("mounts.executable", title="Programs can be started where the image starts them, and nowhere else", needs=_NEEDS)
def executable(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Noexec where it belongs keeps dropped files from being run; where it does not belong, containers die at start."""
    yield from _judge(facts, profile, profile.paths, (_EXECUTABLE,))


@check("mounts.suid-and-devices", title="nosuid and nodev hold where the image sets them", needs=_NEEDS)
def suid_and_devices(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Without them a file on a data disk can give its reader root, or stand for a device."""
    yield from _judge(facts, profile, profile.paths, (_SUID, _DEVICES))


@check("mounts.persistence", title="Data is kept where it must be, and gone at reboot where it must be", needs=_NEEDS)
def persistence(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """What lies in memory by mistake is lost at reboot; what lies on a disk by mistake outlives it, or fills it."""
    mounts = need(facts.mounts)
    rules = {path: rule for path, rule in profile.paths.items() if rule.persistence is not msgspec.UNSET}
    if not rules:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    open_paths = []
    for path, rule in rules.items():
        mount = _judged(facts, mounts, path, rule)
        if mount is None or mount.backing is Backing.UNKNOWN:
            open_paths += [path] if not _excused(facts, mounts, path, rule) else []
        elif rule.persistence is not msgspec.UNSET and mount.backing not in _KEPT[rule.persistence]:
            yield _misplaced(profile, path, rule, mount)
    _unseen(open_paths, mounts)


@check("mounts.stateful-partition", title="Stateful paths lie on the stateful partition", needs=_NEEDS)
def stateful_partition(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """One file system keeps a node's data; a path that has left it is not kept, or is not what the image made."""
    mounts = need(facts.mounts)
    rules = {path: rule for path, rule in profile.paths.items() if rule.on}
    if not rules:
        raise NotApplicableError(f"the profile {profile.name} names no such partition")
    open_paths = []
    for path, rule in rules.items():
        mount, home = _judged(facts, mounts, path, rule), mounts.at(rule.on)
        if mount is None or home is None:
            open_paths += [path] if not _excused(facts, mounts, path, rule) else []
        elif mount.device != home.device and mount.source != home.source:
            yield Problem(
                severity=Severity.WARNING if rule.severity is msgspec.UNSET else rule.severity,
                subject=Subject("path", path),
                message=f"{path} lies on {mount.source}, not on {home.source} as {rule.on} does",
                expected=f"the file system of {rule.on}", observed=mount.source,
                values={"source": mount.source, "home": home.source},
                requirement=requirement(profile, f"{path}.on", rule), remedy=rule.remedy,
                evidence=(mount.evidence, home.evidence),
            )  # fmt: skip
    _unseen(open_paths, mounts)


@check("mounts.unexpected", title="No mount opens what the layout keeps closed", needs=_NEEDS)
def unexpected(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A mount that somebody adds below a noexec path makes a place to start programs from."""
    mounts = need(facts.mounts)
    if "/" not in profile.paths or not profile.expected_mounts:
        raise NotApplicableError(f"the profile {profile.name} does not list the mounts of its image")
    patterns = tuple(path for entry in profile.expected_mounts for path in entry.paths)
    for mount in mounts.visible():
        if mount.target in profile.paths or not mount.options_known or _matches(mount.target, patterns):
            continue
        path, rule = _above(mount.target, profile.paths)
        opened = [
            aspect.good
            for aspect in (_WRITABLE, _EXECUTABLE)
            if getattr(rule, aspect.key) is False and aspect.has(mount)
        ]
        if opened and mount.writable:
            yield Problem(
                severity=Severity.WARNING,
                subject=Subject("path", mount.target),
                message=f"{mount.target} is a mount of its own ({mount.fstype} on {mount.source}),"
                f" {' and '.join(opened)} below {path}, which is not",
                expected=f"no such mount below {path}", observed=",".join(mount.options),
                values={"source": mount.source, "fstype": mount.fstype, "options": mount.options},
                requirement=requirement(profile, f"{path}.{'executable' if len(opened) == 1 else 'writable'}", rule),
                remedy="find who mounts it (a DaemonSet or start-up script, as a rule) and whether it must be so",
                evidence=(mount.evidence,),
            )  # fmt: skip


def _judge(
    facts: Facts, profile: Profile, rules: dict[str, PathRule], aspects: tuple[_Aspect, ...]
) -> Iterator[Problem]:
    """Hold each path to its rule; what the list of mounts does not show is named, never taken for good or bad."""
    mounts = need(facts.mounts)
    asked = {path: rule for path, rule in rules.items() if any(_asks(rule, aspect) for aspect in aspects)}
    if not asked:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    open_paths = []
    for path, rule in asked.items():
        mount = _judged(facts, mounts, path, rule)
        if mount is None or not mount.options_known:
            open_paths += [path] if not _excused(facts, mounts, path, rule) else []
            continue
        for aspect in aspects:
            if _asks(rule, aspect) and getattr(rule, aspect.key) is not aspect.has(mount):
                yield _differs(profile, path, rule, mount, aspect)
    _unseen(open_paths, mounts)


def _asks(rule: PathRule, aspect: _Aspect) -> bool:
    return getattr(rule, aspect.key) is not msgspec.UNSET


def _judged(facts: Facts, mounts: Mounts, path: str, rule: PathRule) -> Mount | None:
    """Give the mount that a path is judged by; None where the path is excused or the list cannot tell."""
    own = mounts.at(path)
    if own is not None:
        return own
    if _excused(facts, mounts, path, rule) or not mounts.complete:
        return None
    return mounts.holding(path)


def _excused(facts: Facts, mounts: Mounts, path: str, rule: PathRule) -> bool:
    """Tell a path that has no mount of its own and need not: it is optional, or its unit is masked at boot."""
    if mounts.at(path) is not None:
        return False
    cmdline = known(facts.cmdline)
    unit = path.strip("/").replace("-", "\\x2d").replace("/", "-") + ".mount"
    return rule.optional or (cmdline is not None and unit in cmdline.values("systemd.mask"))


def _unseen(paths: list[str], mounts: Mounts) -> None:
    if paths:
        detail = f"{mounts.path} does not show the mounts or options of {', '.join(paths)}"
        needs = "/proc/1/mountinfo, which has every mount and all its options"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=needs))


def _differs(profile: Profile, path: str, rule: PathRule, mount: Mount, aspect: _Aspect) -> Problem:
    wanted = getattr(rule, aspect.key)
    good, bad = (aspect.good, aspect.bad) if wanted else (aspect.bad, aspect.good)
    default = aspect.lacking if wanted else aspect.excess
    where = "" if mount.target == path else f" (it lies on {mount.target})"
    return Problem(
        severity=default if rule.severity is msgspec.UNSET else rule.severity,
        subject=Subject("path", path),
        message=f"{path} is {bad}{where}; it must be {good}",
        expected=good, observed=bad,
        values={"mount": mount.target, "source": mount.source, "fstype": mount.fstype, "options": mount.options},
        requirement=requirement(profile, f"{path}.{aspect.key}", rule), remedy=rule.remedy,
        evidence=(mount.evidence,),
    )  # fmt: skip


def _misplaced(profile: Profile, path: str, rule: PathRule, mount: Mount) -> Problem:
    stateful = rule.persistence is Persistence.STATEFUL
    default = Severity.CRITICAL if stateful else Severity.WARNING
    lies = f"{path} lies on {mount.fstype} ({mount.source})"
    wanted = (
        "what is written there must outlive a reboot" if stateful else "what is written there must be gone at reboot"
    )
    return Problem(
        severity=default if rule.severity is msgspec.UNSET else rule.severity,
        subject=Subject("path", path),
        message=f"{lies}; {wanted}",
        expected=str(rule.persistence), observed=f"{mount.backing.value} ({mount.fstype} on {mount.source})",
        values={"mount": mount.target, "source": mount.source, "fstype": mount.fstype},
        requirement=requirement(profile, f"{path}.persistence", rule), remedy=rule.remedy,
        evidence=(mount.evidence,),
    )  # fmt: skip


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _above(path: str, rules: dict[str, PathRule]) -> tuple[str, PathRule]:
    """Give the nearest path of the layout above a mount."""
    best = max((rule for rule in rules if path.startswith(rule.rstrip("/") + "/")), key=len)
    return best, rules[best]


CHECKS: Final[tuple[Check, ...]] = (
    root_read_only, writable, executable, suid_and_devices, persistence, stateful_partition, unexpected,
)  # fmt: skip
