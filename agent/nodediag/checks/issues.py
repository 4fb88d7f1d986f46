"""Is an issue that is on record for this image and version on this node?"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.snapshot import Facts
from nodediag.images.version import numbers
from nodediag.model.evidence import Evidence
from nodediag.model.image import ImageType
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.issue import Issue, Range, Shown
from nodediag.profiles.profile import Profile

_MOST_NAMED: Final = 10


class _Seen(msgspec.Struct, frozen=True):
    """What a condition found that is true, in words, with the line it stands on."""

    says: str
    evidence: tuple[Evidence, ...]
    version: tuple[int, ...] = ()


@check(
    "issues.known",
    title="No issue that is on record for this image and version is on this node",
    needs="the image, the kubelet's version, os-release, the kernel's release; for some issues mounts, labels or logs",
)
def known(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """What somebody has already found out need not be found out again: the effect, and what helps, are on record."""
    image = need(facts.image)
    if image.image_type is ImageType.UNKNOWN:
        raise NotKnownError(image.open["image_type"])
    issues = [issue for issue in profile.issues if image.image_type in issue.image_types]
    if not issues:
        raise NotApplicableError(f"no issue is on record for the image type {image.image_type.value}")
    unsure: dict[str, Reason] = {}
    for issue in issues:
        seen = _applies(facts, issue)
        if isinstance(seen, Reason):
            unsure[issue.id] = seen
        elif seen is not None:
            yield _problem(facts, profile, issue, seen)
    if unsure:
        reason = next(iter(unsure.values()))
        more = f" and {len(unsure) - _MOST_NAMED} more" if len(unsure) > _MOST_NAMED else ""
        detail = f"{', '.join(list(unsure)[:_MOST_NAMED])}{more} may apply: {reason.detail}"
        raise NotKnownError(msgspec.structs.replace(reason, detail=detail))


def _applies(facts: Facts, issue: Issue) -> _Seen | Reason | None:
    """Hold every condition against the node: None where one is not met, a reason where one could not be seen."""
    seen, unseen = _Seen("", ()), None
    for condition in _conditions(facts, issue):
        try:
            found = condition()
        except NotKnownError as error:
            unseen = unseen or error.reason
            continue
        if found is None:
            return None
        seen = _Seen(f"{seen.says}, {found.says}".lstrip(", "), (*seen.evidence, *found.evidence))
    return seen if unseen is None else unseen


def _conditions(facts: Facts, issue: Issue) -> Iterator[Callable[[], _Seen | None]]:
    """Give the conditions that an issue names, each to be asked by itself."""
    for ranges, version in ((issue.gke, _gke), (issue.milestone, _milestone), (issue.kernel, _kernel)):
        if ranges:
            yield partial(_within, facts, ranges, version)
    for key, shown in _SHOWN.items():
        if getattr(issue.shows, key) not in {"", msgspec.UNSET}:
            yield partial(shown, facts, issue.shows)


def _within(facts: Facts, ranges: tuple[Range, ...], version: Callable[[Facts], _Seen]) -> _Seen | None:
    seen = version(facts)
    for one in ranges:
        since, before = numbers(one.since), numbers(one.before)
        if seen.version >= since and (not before or seen.version < before):
            return seen
    return None


def _gke(facts: Facts) -> _Seen:
    kubelet = need(facts.kubelet)
    version = numbers(kubelet.version)
    if not version:
        detail = "the kubelet's version was not seen"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs="the kubelet's --version, or its API"))
    return _Seen(f"GKE {kubelet.version}", kubelet.flag_evidence("version"), version)


def _milestone(facts: Facts) -> _Seen:
    release = need(facts.os_release)
    version = "-".join(filter(None, (release.fields.get(key, "") for key in ("VERSION_ID", "BUILD_ID"))))
    if not numbers(version):
        raise NotKnownError(Reason(code=Code.UNPARSABLE, detail="os-release has no milestone as VERSION_ID"))
    return _Seen(f"COS {version}", (release.evidence("VERSION_ID"),), numbers(version))


def _kernel(facts: Facts) -> _Seen:
    kernel = need(facts.kernel)
    version = numbers(kernel.release)
    if not version:
        raise NotKnownError(Reason(code=Code.UNPARSABLE, detail=f"the kernel's release is {kernel.release!r}"))
    return _Seen(f"kernel {kernel.release}", (kernel.evidence,), version)


def _noexec(facts: Facts, shown: Shown) -> _Seen | None:
    mounts = need(facts.mounts)
    mount = mounts.holding(shown.noexec) if mounts.complete else mounts.at(shown.noexec)
    if mount is None or not mount.options_known:
        detail = f"{mounts.path} does not show the options of {shown.noexec}"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs="/proc/1/mountinfo"))
    return None if mount.executable else _Seen(f"{shown.noexec} is noexec", (mount.evidence,))


def _label(facts: Facts, shown: Shown) -> _Seen | None:
    kubelet = need(facts.kubelet)
    key, equals, value = shown.label.partition("=")
    if not kubelet.running or "node-labels" not in kubelet.flags:
        detail = "the kubelet's --node-labels were not seen"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs="the kubelet's command line"))
    held = kubelet.labels.get(key)
    if held is None or (equals and held != value):
        return None
    return _Seen(f"label {key}={held}", kubelet.flag_evidence("node-labels"))


def _argument(facts: Facts, shown: Shown) -> _Seen | None:
    cmdline = need(facts.cmdline)
    key, equals, value = shown.argument.partition("=")
    if not (value in cmdline.values(key) if equals else cmdline.has(key)):
        return None
    return _Seen(f"{shown.argument} on the kernel command line", (cmdline.evidence,))


def _cgroup(facts: Facts, shown: Shown) -> _Seen | None:
    cgroups = need(facts.cgroups)
    return _Seen(f"cgroup version {cgroups.version}", (cgroups.evidence,)) if cgroups.version == shown.cgroup else None


def _signature(facts: Facts, shown: Shown) -> _Seen | None:
    found = next((one for one in need(facts.logs).signatures if one.id == shown.signature), None)
    if found is None:
        return None
    lines = tuple(one.evidence for one in found.samples[:1])
    return _Seen(f"{shown.signature} in the journal", lines)


_SHOWN: Final[dict[str, Callable[[Facts, Shown], _Seen | None]]] = {
    "noexec": _noexec, "label": _label, "argument": _argument, "cgroup": _cgroup, "signature": _signature,
}  # fmt: skip


def _problem(facts: Facts, profile: Profile, issue: Issue, seen: _Seen) -> Problem:
    """Tell of an issue; where a part of it no node tells, it may apply, which is worth knowing and no more."""
    image = need(facts.image)
    evidence = seen.evidence or tuple(one.evidence for made in image.findings.values() for one in made)
    says = f"{issue.title} (known for {image.image_type.value}{f', {seen.says}' if seen.says else ''})"
    return Problem(
        severity=Severity.INFO if issue.where else issue.severity,
        subject=Subject("issue", issue.id),
        message=f"may apply here: {says}; only where {issue.where}" if issue.where else says,
        expected="an image and version without this issue",
        observed=seen.says or image.image_type.value,
        values={"image_type": image.image_type.value},
        requirement=Requirement(
            profile=profile.name, key=issue.id, why=issue.effect, source=issue.source, document=issue.document
        ),
        remedy=issue.workaround,
        evidence=evidence,
    )


CHECKS: Final[tuple[Check, ...]] = (known,)
