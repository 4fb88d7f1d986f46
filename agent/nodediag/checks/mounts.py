"""Does the layout of the file systems keep what the image promises? Judged on the options in effect at each path."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from nodediag.checks import cause
from nodediag.checks.check import Check, NotApplicableError, check, requirement
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.mounts import Backing, Mount, Mounts
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import PathRule, Persistence, Profile

_NEEDS: Final = "PID 1's mount table: /proc/1/mountinfo below the node's root"
_MOST_NAMED: Final = 20
_COMPLETE: Final = "/proc/1/mountinfo, which has every mount and all its options"
_DISK_FAILED: Final = (
    "look at the kernel's log (`journalctl -k`) for an I/O or file system error of that disk, then recreate the node"
)
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


@check("mounts.suid-and-devices", title="The options nosuid and nodev hold where the image sets them", needs=_NEEDS)
def suid_and_devices(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Without them a file on a data disk can give its reader root, or stand for a device."""
    yield from _judge(facts, profile, profile.paths, (_SUID, _DEVICES))


@check("mounts.persistence", title="Data is kept where it must be, and gone at reboot where it must be", needs=_NEEDS)
def persistence(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """What lies in memory by mistake is lost at reboot; what lies on a disk by mistake outlives it, or fills it."""
    rules = {path: rule for path, rule in profile.paths.items() if rule.persistence is not msgspec.UNSET}
    if not rules:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    mounts = need(facts.mounts)
    open_paths = []
    for path, rule in rules.items():
        mount = _judged(facts, mounts, path, rule)
        backing = Backing.UNKNOWN if mount is None else _backing(mounts, mount)
        if mount is None or backing is Backing.UNKNOWN:
            open_paths += [path] if not _excused(facts, mounts, path, rule) else []
        elif rule.persistence is not msgspec.UNSET and backing not in _KEPT[rule.persistence]:
            yield _misplaced(profile, path, rule, mount, backing)
    _unseen(open_paths, mounts)


@check("mounts.stateful-partition", title="Stateful paths lie on the stateful partition", needs=_NEEDS)
def stateful_partition(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """One file system keeps a node's data; a path that has left it is not kept, or is not what the image made."""
    rules = {path: rule for path, rule in profile.paths.items() if rule.on}
    if not rules:
        raise NotApplicableError(f"the profile {profile.name} names no such partition")
    mounts = need(facts.mounts)
    open_paths = []
    for path, rule in rules.items():
        mount, home = _judged(facts, mounts, path, rule), mounts.at(rule.on)
        if mount is None or home is None:
            open_paths += [path] if not _excused(facts, mounts, path, rule) else []
        elif not _same(mount, home):
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
    if "/" not in profile.paths or not profile.expected_mounts:
        raise NotApplicableError(f"the profile {profile.name} does not list the mounts of its image")
    mounts, open_paths = need(facts.mounts), []
    patterns = tuple(path for entry in profile.expected_mounts for path in entry.paths)
    for mount in mounts.visible():
        if mount.target in profile.paths or mount.backing is Backing.KERNEL or _matches(mount.target, patterns):
            continue
        path, rule = _above(mount.target, profile.paths)
        opened = [aspect for aspect in (_WRITABLE, _EXECUTABLE) if _opens(rule, aspect, mount)]
        if not mount.options_known:
            open_paths.append(mount.target)
        elif opened and mount.writable:  # into a read-only one nothing can be put
            yield _added(profile, path, rule, mount, opened)
    _unseen(open_paths, mounts)
    if not mounts.complete:
        detail = f"{mounts.path} does not list every mount"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=_COMPLETE))


def _judge(
    facts: Facts, profile: Profile, rules: dict[str, PathRule], aspects: tuple[_Aspect, ...]
) -> Iterator[Problem]:
    """Hold each path to its rule; what the list of mounts does not show is named, never taken for good or bad."""
    asked = {path: rule for path, rule in rules.items() if any(_asks(rule, aspect) for aspect in aspects)}
    if not asked:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    mounts = need(facts.mounts)
    open_paths = []
    for path, rule in asked.items():
        mount = _judged(facts, mounts, path, rule)
        if mount is None or not mount.options_known:
            open_paths += [path] if not _excused(facts, mounts, path, rule) else []
            continue
        wrong = [one for one in aspects if _asks(rule, one) and getattr(rule, one.key) is not one.has(mount)]
        if wrong:
            yield _differs(profile, path, rule, mount, wrong)
    _unseen(open_paths, mounts)


def _asks(rule: PathRule, aspect: _Aspect) -> bool:
    return getattr(rule, aspect.key) is not msgspec.UNSET


def _opens(rule: PathRule, aspect: _Aspect, mount: Mount) -> bool:
    return getattr(rule, aspect.key) is False and aspect.has(mount)


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


def _same(mount: Mount, other: Mount) -> bool:
    """Tell whether two mounts are of one file system: by its number, or by the device that is its source."""
    numbered = bool(mount.device) and mount.device == other.device
    return numbered or (mount.source == other.source and mount.source.startswith("/dev/"))


def _backing(mounts: Mounts, mount: Mount) -> Backing:
    """Tell what keeps a mount's data; an overlay's is kept where its upper layer lies.

    Below /tmp the table does not tell it: what was there when the overlay was made may be covered since.
    """
    upper = mount.layer("upperdir")
    if mount.backing is not Backing.UNKNOWN or not upper.startswith("/"):
        return mount.backing
    below = mounts.holding(upper)
    covered = below is None or below.target in {mount.target, "/tmp"}  # noqa: S108 - a path of the node
    return Backing.UNKNOWN if covered or below is None else below.backing


def _unseen(paths: list[str], mounts: Mounts) -> None:
    if paths:
        named = ", ".join(paths[:_MOST_NAMED]) + (
            f" and {len(paths) - _MOST_NAMED} more" if paths[_MOST_NAMED:] else ""
        )
        detail = f"{mounts.path} does not show the mounts or options of {named}"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=_COMPLETE))


def _severity(rule: PathRule, aspect: _Aspect, *, asked: bool) -> Severity:
    """Give the rule's severity, but for set-user-ID and devices: their loss stops no pod."""
    if rule.severity is msgspec.UNSET or aspect in {_SUID, _DEVICES}:
        return aspect.lacking if asked else aspect.excess
    return rule.severity


def _differs(profile: Profile, path: str, rule: PathRule, mount: Mount, wrong: list[_Aspect]) -> Problem:
    """Make one problem of all that is wrong at a path: its fingerprint is check and path."""
    wanted = [(aspect, bool(getattr(rule, aspect.key))) for aspect in wrong]
    good = " and ".join(aspect.good if asked else aspect.bad for aspect, asked in wanted)
    bad = " and ".join(aspect.bad if asked else aspect.good for aspect, asked in wanted)
    severities = [_severity(rule, aspect, asked=asked) for aspect, asked in wanted]
    where = "" if mount.target == path else f" (it lies on {mount.target})"
    failed = _WRITABLE in wrong and _has_failed(profile, rule, mount)
    where += f", as all of {mount.source} is" if failed else ""
    return Problem(
        severity=min(severities, key=list(Severity).index),
        subject=Subject("path", path),
        message=f"{path} is {bad}{where}; it must be {good}",
        expected=good, observed=bad,
        values={"mount": mount.target, "source": mount.source, "fstype": mount.fstype, "options": mount.options},
        requirement=requirement(profile, f"{path}.{wrong[0].key}", rule),
        remedy=_DISK_FAILED if failed else rule.remedy,
        cause=cause.of_mount(mount) if failed else msgspec.UNSET,
        evidence=(mount.evidence,),
    )  # fmt: skip


def _has_failed(profile: Profile, rule: PathRule, mount: Mount) -> bool:
    """Tell a disk's file system that is read-only as a whole, not only where it is mounted: the kernel does that."""
    beneath = profile.paths.get(mount.target)
    meant = beneath is not None and beneath.writable is False
    return rule.writable is True and not mount.super_writable and mount.backing is Backing.DISK and not meant


def _added(profile: Profile, path: str, rule: PathRule, mount: Mount, opened: list[_Aspect]) -> Problem:
    words = " and ".join(aspect.good for aspect in opened)
    return Problem(
        severity=Severity.WARNING,
        subject=Subject("path", mount.target),
        message=f"{mount.target} is a mount of its own ({mount.fstype} on {mount.source}),"
        f" {words} below {path}, which is not",
        expected=f"no {words} mount of its own below {path}", observed=",".join(mount.options),
        values={"source": mount.source, "fstype": mount.fstype, "options": mount.options},
        requirement=requirement(profile, f"{path}.{opened[0].key}", rule),
        remedy="find who mounts it (a DaemonSet or start-up script, as a rule) and whether it must be so",
        evidence=(mount.evidence,),
    )  # fmt: skip


def _misplaced(profile: Profile, path: str, rule: PathRule, mount: Mount, backing: Backing) -> Problem:
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
        expected=str(rule.persistence), observed=f"{backing.value} ({mount.fstype} on {mount.source})",
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
