"""Is the root verified, and is it one of the image's two slots?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.cmdline import Cmdline
from nodediag.facts.fact import Fact, NotKnownError, Unknown, known, need
from nodediag.facts.mounts import Mount, Mounts
from nodediag.facts.partitions import BlockDevice
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile, RootRule


@check(
    "mounts.root-verified",
    title="The kernel verifies every block of the root",
    needs="/proc/cmdline and PID 1's mount table; sysfs where a capture lacks the command line",
)
def root_verified(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """dm-verity refuses blocks that do not match the image; a root that is mounted past it can hold anything."""
    rule = _rule(profile)
    cmdline, root = known(facts.cmdline), _root(facts)
    partitions = known(facts.partitions)
    mapped = partitions.named(rule.verity) if partitions is not None else None
    evidence = tuple(seen.evidence for seen in (cmdline, root) if seen is not None)
    if cmdline is not None and not any(device.name == rule.verity for device in cmdline.verity):
        yield _unverified(profile, rule, f"the kernel was started without a verity table for {rule.verity}", evidence)
        return
    if root is not None and _elsewhere(root, rule, mapped):
        yield _unverified(profile, rule, f"/ is {root.source}, not the verity device {rule.verity}", evidence)
        return
    if cmdline is None and not (mapped is not None and mapped.read_only):
        raise NotKnownError(_reason(facts.cmdline, "/proc/cmdline"))
    if root is None and mapped is None:
        raise NotKnownError(_reason(facts.mounts, "/proc/1/mountinfo"))


@check(
    "partitions.root-slot",
    title="The root stands on one of the image's two slots",
    needs="sysfs (/sys/class/block), udev's database for labels",
)
def root_slot(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The image is updated by writing the other slot and switching; a root elsewhere is no image at all."""
    rule = _rule(profile)
    for part in need(facts.root_slot).partitions:
        # the file system on a slot may have a label too, which is not the slot's
        if part.part_label in rule.slots or (not part.part_label and part.number in rule.slot_numbers):
            continue
        label = part.part_label or f"number {part.number}"
        yield Problem(
            severity=Severity.WARNING,
            subject=Subject("partition", part.name),
            message=f"the root stands on {part.name} ({label}), which is none of {' and '.join(rule.slots)}",
            expected=" or ".join(rule.slots),
            observed=f"{part.name} ({label})",
            values={"partition": part.name, "number": part.number},
            requirement=_requirement(profile, rule, "slots"),
            remedy="recreate the node from its image",
            evidence=(part.evidence,),
        )


def _rule(profile: Profile) -> RootRule:
    if profile.root is msgspec.UNSET:
        raise NotApplicableError(f"the profile {profile.name} has no verified root")
    return profile.root


def _root(facts: Facts) -> Mount | None:
    mounts = known(facts.mounts)
    return mounts.at("/") if mounts is not None else None


def _elsewhere(root: Mount, rule: RootRule, mapped: BlockDevice | None) -> bool:
    """Tell a root that is not the verity device. Old kernels name any root /dev/root; then its number decides."""
    if root.source == f"/dev/mapper/{rule.verity}":
        return False
    if mapped is not None and mapped.device and root.device:
        return mapped.device != root.device
    return root.source not in {"/dev/root", "/dev/dm-0"}


def _unverified(profile: Profile, rule: RootRule, says: str, evidence: tuple[Evidence, ...]) -> Problem:
    return Problem(
        severity=Severity.CRITICAL,
        subject=Subject("path", "/"),
        message=says,
        expected=f"a root on the verity device {rule.verity}",
        observed=says,
        requirement=_requirement(profile, rule, "verity"),
        remedy=rule.remedy,
        evidence=evidence,
    )


def _requirement(profile: Profile, rule: RootRule, key: str) -> Requirement:
    return Requirement(
        profile=profile.name, key=f"root.{key}", why=rule.why, source=rule.source, document=rule.document
    )


def _reason(fact: Fact[Cmdline] | Fact[Mounts], path: str) -> Reason:
    if isinstance(fact, Unknown):
        return fact.reason
    return Reason(code=Code.NOT_CAPTURED, detail=f"{path} does not show it", needs=path)


CHECKS: Final[tuple[Check, ...]] = (root_verified, root_slot)
