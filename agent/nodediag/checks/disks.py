"""Is there room on the disks, and can they be written? Judged by the kubelet's thresholds and by the profile."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from nodediag.checks import cause, eviction
from nodediag.checks.check import Check, check
from nodediag.checks.threshold import asked, requirement
from nodediag.facts import quantity
from nodediag.facts.disks import Disks, FileSystem, disk_of, identity
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.kubelet import STATE_PATH
from nodediag.facts.mounts import Backing, Mount
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence
from nodediag.model.image import RuntimeName
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile, ThresholdRule

_NEEDS: Final = (
    "statvfs(3) for each local file system (the node itself or a recording of it), PID 1's mount table, the kubelet's"
    " command line and --config file for its eviction thresholds"
)
_IMAGES: Final = {
    RuntimeName.CONTAINERD: "/var/lib/containerd",
    RuntimeName.DOCKER: "/var/lib/docker",
    RuntimeName.CRI_O: "/var/lib/containers/storage",
}
_SEALED: Final = frozenset({"cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"})  # never written
_RUN: Final = "/run"
_PER_CENT: Final = 100
_LARGEST: Final = 10
_LARGEST_TOLD: Final = 3


class _Measure(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted of a file system: bytes or inodes."""

    key: str
    signal: str
    noun: str
    whole: Callable[[FileSystem], int]
    left: Callable[[FileSystem], int]
    told: Callable[[int], str]


class _Limit(msgspec.Struct, frozen=True, kw_only=True):
    """An amount of which no less should be left, and whose word that is."""

    least: int
    says: str
    severity: Severity
    requirement: Requirement
    evidence: tuple[Evidence, ...] = ()
    values: dict[str, str] = {}


_SPACE: Final = _Measure(
    key="disks.space", signal="available", noun="space",
    whole=lambda found: found.size_bytes, left=lambda found: found.available_bytes, told=quantity.size,
)  # fmt: skip
_INODES: Final = _Measure(
    key="disks.inodes", signal="inodesFree", noun="inodes",
    whole=lambda found: found.inodes, left=lambda found: min(found.inodes, found.inodes_free),
    told=lambda count: f"{count} inodes",
)  # fmt: skip


@check("disks.space", title="Every local file system has space left", needs=_NEEDS)
def space(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Below the kubelet's thresholds it evicts pods and takes no new ones; on a full disk all that writes fails."""
    yield from _judge(facts, profile, _SPACE)


@check("disks.inodes", title="Every local file system has inodes left", needs=_NEEDS)
def inodes(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Each file takes an inode; where they have run out no file can be made, though bytes are free."""
    yield from _judge(facts, profile, _INODES)


@check(
    "disks.writable",
    title="No disk's file system has become read-only by itself",
    needs="PID 1's mount table: /proc/1/mountinfo below the node's root",
)
def writable(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """After an I/O error the kernel makes a file system read-only as a whole, while its mounts still say writable."""
    rule = asked(profile, "disks.writable")
    mounts = need(facts.mounts)
    turned: dict[str, list[Mount]] = {}
    for mount in mounts.visible():
        if _has_turned(profile, mount) and mount.backing is Backing.DISK and mount.fstype not in _SEALED:
            turned.setdefault(identity(mount), []).append(mount)
    for found in turned.values():
        yield _turned(facts, profile, rule, found)
    if not all(mount.super_options for mount in mounts.mounts):
        detail = f"{mounts.path} does not tell the options of file systems from those of their mounts"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs="/proc/1/mountinfo"))


def _has_turned(profile: Profile, mount: Mount) -> bool:
    if mount.super_writable or "ro" in mount.options:
        return False
    rule = profile.paths.get(mount.target)
    return rule is None or rule.writable is not False


def _turned(facts: Facts, profile: Profile, rule: ThresholdRule, mounts: list[Mount]) -> Problem:
    first = min(mounts, key=lambda mount: (len(mount.target), mount.target))
    partitions, disks = known(facts.partitions), known(facts.disks)
    disk = disk_of(first, partitions)
    where = _on(disk, disks.boot_disk if disks is not None else _boot_disk(facts))
    return Problem(
        severity=Severity.CRITICAL,
        subject=Subject("filesystem", first.target),
        message=f"{first.source} ({first.fstype}{where}) has become read-only as a whole;"
        f" {', '.join(mount.target for mount in mounts[:5])} cannot be written",
        expected="writable, as it was mounted",
        observed=",".join(first.super_options),
        values={"source": first.source, "fstype": first.fstype, "targets": tuple(mount.target for mount in mounts)},
        requirement=requirement(profile, "disks.writable", rule),
        remedy=rule.remedy,
        cause=cause.of_mount(first),
        evidence=tuple(mount.evidence for mount in mounts),
    )


def _boot_disk(facts: Facts) -> str:
    slot = known(facts.root_slot)
    disks = {part.parent or part.name for part in slot.partitions} if slot is not None else set()
    return disks.pop() if len(disks) == 1 else ""


def _judge(facts: Facts, profile: Profile, measure: _Measure) -> Iterator[Problem]:
    rule = asked(profile, measure.key)
    disks = need(facts.disks)
    roles, unsure = _roles(facts, profile, disks, measure)
    for found in disks.filesystems:
        whole = measure.whole(found)
        if whole > 0:
            told = [_evicted(one, whole, measure) for one in roles.get(found.target, [])]
            broken = [
                limit for limit in (*told, *_own(profile, rule, found, measure)) if measure.left(found) < limit.least
            ]
            if broken:
                yield _with_largest(facts, found, _short(disks, found, measure, broken, rule))
    if disks.unread:
        raise NotKnownError(next(iter(disks.unread.values())))
    if unsure is not None:
        raise unsure


def _roles(
    facts: Facts, profile: Profile, disks: Disks, measure: _Measure
) -> tuple[dict[str, list[eviction.Threshold]], NotKnownError | None]:
    """Give the kubelet's thresholds by the file system for which they count, and why some could not be placed.

    The profile's own can be held against a file system all the same.
    """
    roles: dict[str, list[eviction.Threshold]] = {}
    unsure: NotKnownError | None = None
    try:
        thresholds = eviction.thresholds(facts, profile, f"nodefs.{measure.signal}", f"imagefs.{measure.signal}")
        mounts = need(facts.mounts)
        seen = {identity(mount): mount.target for mount in map(mounts.at, _targets(disks)) if mount is not None}
        folders = _folders(facts) if thresholds else {}
    except NotKnownError as error:
        return {}, error
    for threshold in thresholds:
        folder = folders[threshold.signal.partition(".")[0]]
        held = mounts.holding(folder) if folder else None
        if held is not None and identity(held) in seen:
            roles.setdefault(seen[identity(held)], []).append(threshold)
        else:
            detail = f"on which file system {folder or 'the images'} lies was not seen, for {threshold.signal}"
            unsure = NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=_NEEDS))
    return roles, unsure


def _targets(disks: Disks) -> tuple[str, ...]:
    return (*(found.target for found in disks.filesystems), *disks.unread)


def _folders(facts: Facts) -> dict[str, str]:
    """Give where the kubelet keeps its files and the runtime its images; empty where that is not known."""
    image, config = known(facts.image), known(facts.containerd_config)
    images = _IMAGES.get(image.runtime, "") if image is not None else ""
    if images == _IMAGES[RuntimeName.CONTAINERD] and config is not None and config.root:
        images = config.root
    return {"nodefs": need(facts.kubelet).flags.get("root-dir", STATE_PATH), "imagefs": images}


def _evicted(threshold: eviction.Threshold, whole: int, measure: _Measure) -> _Limit:
    least = threshold.of(whole)
    share = f"{threshold.text} ({measure.told(least)})" if threshold.text.endswith("%") else threshold.text
    return _Limit(
        least=least,
        says=f"the kubelet evicts pods where {threshold.signal} is below {share}, by {threshold.told_by}",
        severity=threshold.severity,
        requirement=threshold.requirement,
        evidence=threshold.evidence,
        values={"signal": threshold.signal, "threshold": threshold.text, "threshold_from": threshold.told_by},
    )


def _own(profile: Profile, rule: ThresholdRule, found: FileSystem, measure: _Measure) -> Iterator[_Limit]:
    """Give the profile's own limits; memory that runs full, but for /run, harms its users only."""
    spared = found.fstype == "tmpfs" and found.target != _RUN
    for severity, used in ((Severity.CRITICAL, rule.critical), (Severity.WARNING, rule.warning)):
        if used is not msgspec.UNSET:
            yield _Limit(
                least=int(measure.whole(found) * (_PER_CENT - used) / _PER_CENT) or 1,
                says=f"the profile wants {_PER_CENT - used:g} % left",
                severity=Severity.WARNING if spared else severity,
                requirement=requirement(profile, measure.key, rule),
                values={"threshold": f"{_PER_CENT - used:g}%", "threshold_from": f"the profile {profile.name}"},
            )


def _short(disks: Disks, found: FileSystem, measure: _Measure, broken: list[_Limit], rule: ThresholdRule) -> Problem:
    """Tell of a file system by the gravest limit that is broken: bytes and inodes, the threshold, whose it is."""
    limit = min(broken, key=lambda one: (list(Severity).index(one.severity), one.least * -1))
    left, whole = measure.left(found), measure.whole(found)
    where = f"{found.target} ({found.fstype} on {found.source}{_on(found.disk, disks.boot_disk)})"
    counts = f"{quantity.size(found.available_bytes)} of {quantity.size(found.size_bytes)}"
    files = f", {found.inodes_free} of {found.inodes} inodes" if found.inodes else ""
    return Problem(
        severity=limit.severity,
        subject=Subject("filesystem", found.target),
        message=f"{where} is short of {measure.noun}: {counts}{files} are left; {limit.says}",
        expected=f"at least {measure.told(limit.least)} left",
        observed=f"{measure.told(left)} left ({left / whole:.1%})",
        values={
            "source": found.source, "fstype": found.fstype, "disk": found.disk, "size_bytes": found.size_bytes,
            "available_bytes": found.available_bytes, "inodes": found.inodes, "inodes_free": found.inodes_free,
            "least": limit.least, **limit.values,
        },
        requirement=limit.requirement,
        remedy=rule.remedy.replace("MOUNT", found.target),
        evidence=(*found.evidence, *limit.evidence),
    )  # fmt: skip


def _with_largest(facts: Facts, found: FileSystem, problem: Problem) -> Problem:
    """Name what takes most of a file system, where the folders were walked (`--deep`)."""
    sizes, mounts = known(facts.folder_sizes), known(facts.mounts)
    at = mounts.at(found.target) if mounts is not None else None
    if sizes is None or mounts is None or at is None:
        return problem
    entries = [
        entry
        for folder in sizes.folders
        if (held := mounts.holding(folder.path)) is not None and identity(held) == identity(at)
        for entry in folder.largest
    ]
    largest = sorted(entries, key=lambda entry: -entry.bytes)[:_LARGEST]
    told = tuple(f"{entry.path} {quantity.size(entry.bytes)}" for entry in largest)
    if not told:
        return problem
    message = f"{problem.message}; the largest on it: {', '.join(told[:_LARGEST_TOLD])}"
    return msgspec.structs.replace(problem, message=message, values={**problem.values, "largest": told})


def _on(disk: str, boot_disk: str) -> str:
    if not disk:
        return ""
    return f", on the boot disk {disk}" if disk == boot_disk else f", on the disk {disk}"


CHECKS: Final[tuple[Check, ...]] = (space, inodes, writable)
