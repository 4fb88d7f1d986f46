"""Are the volumes in use of types that Google supports on this image? What the kernel can do says nothing of that."""

from collections.abc import Iterator
from typing import Final

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, Unknown, need
from nodediag.facts.snapshot import Facts
from nodediag.facts.storage import Uses
from nodediag.images.version import numbers
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile, StorageRule, Supported

_NAMED: Final = 3


@check(
    "storage.supported",
    title="The volumes in use are of types that GKE supports on this image",
    needs="PID 1's mount table, /sys/class/block, /sys/class/iscsi_session, /sys/class/fc_host, os-release",
)
def supported(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A type that is not supported may work today: nobody tests it, and the next image may end it unannounced."""
    if not profile.storage:
        raise NotApplicableError(f"the profile {profile.name} has no table of storage drivers")
    volumes = need(facts.storage).volumes
    unsure: NotKnownError | None = None
    for name, rule in profile.storage.items():
        if name not in volumes:
            continue
        in_use = volumes[name].in_use
        if isinstance(in_use, Unknown):
            unsure = unsure or NotKnownError(in_use.reason)
            continue
        try:
            here = _here(facts, rule) if in_use.value.total else Supported.FULL
        except NotKnownError as error:
            unsure = unsure or error
            continue
        if here is not Supported.FULL:
            yield _unsupported(profile, name, rule, here, in_use.value)
    if unsure is not None:
        raise unsure


def _here(facts: Facts, rule: StorageRule) -> Supported:
    """Give Google's word for this release of the image; raises NotKnownError where the milestone decides it."""
    if not isinstance(rule.since_milestone, int):
        return rule.supported
    release = need(facts.os_release).fields.get("VERSION_ID", "")
    if not numbers(release):
        detail = f"os-release has VERSION_ID {release!r}, which is no milestone"
        raise NotKnownError(Reason(code=Code.UNPARSABLE, detail=detail))
    return rule.supported if numbers(release) >= (rule.since_milestone,) else Supported.NOT


def _unsupported(profile: Profile, name: str, rule: StorageRule, here: Supported, uses: Uses) -> Problem:
    limited = here is Supported.LIMITED
    said = "supported by GKE with limited testing only" if limited else "not supported by GKE"
    named = ", ".join(use.what for use in uses.uses[:_NAMED]) + (" and more" if uses.total > _NAMED else "")
    since = f" before COS {rule.since_milestone}" if isinstance(rule.since_milestone, int) else " on this image"
    return Problem(
        severity=Severity.INFO if limited else Severity.WARNING,
        subject=Subject("volume", name),
        message=f"{rule.title}, in use here ({named}), is {said}{since}",
        expected="volumes of types that GKE fully supports",
        observed=f"{uses.total} in use",
        values={"volume": name, "in_use": uses.total, "supported": here.value},
        requirement=Requirement(
            profile=profile.name,
            key=f"storage.{name}",
            why=f"{rule.why} ({rule.departs})" if rule.departs else rule.why,
            source=rule.source,
            document=rule.document,
        ),
        remedy=rule.remedy,
        evidence=tuple(use.evidence for use in uses.uses),
    )


CHECKS: Final[tuple[Check, ...]] = (supported,)
