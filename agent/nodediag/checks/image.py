"""Is the node's image known, and is all that is seen of it true of one image?"""

from collections.abc import Iterator
from typing import Final

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import Known, NotKnownError, need
from nodediag.facts.snapshot import Facts
from nodediag.images import told
from nodediag.model.image import Answer, ImageType, OsFamily
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile

_ENOUGH: Final = 2
_WHY: Final = "an image has one system, kernel and runtime; what none has together was brought together later"
_SOURCE: Final = "GKE node images"
_PLATFORM_WHY: Final = "Google maintains it for Compute Engine, and supports it nowhere else"
_PLATFORM_SOURCE: Final = "Container-Optimized OS overview"
_SOURCES: Final = ("os_release", "mounts", "kernel", "cmdline", "kubelet", "packages")


@check(
    "image.identified",
    title="The node's image is known",
    needs="os-release, PID 1's mount table and the kubelet's command line of the node itself",
)
def identified(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """All image checks rest on knowing the image; where evidence is short they stay open rather than guess."""
    del profile
    image = need(facts.image)
    if image.image_type is ImageType.UNKNOWN and not image.contradictions:
        raise NotKnownError(image.open["image_type"])
    yield from ()


@check(
    "image.consistent",
    title="What is seen of the image agrees with itself",
    needs="two of os-release, PID 1's mount table, the kernel's release and command line, the kubelet, dpkg's list, "
    "the node's labels, its instance's image; or its object",
)
def consistent(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Two things that no image has together mean that the node was changed, or is not what it says it is."""
    view = need(facts.host_view)
    if view.elsewhere is not None:
        raise NotKnownError(view.elsewhere)
    seen = [name for name in _SOURCES if isinstance(getattr(facts, name), Known)]
    contradictions = need(facts.image).contradictions
    if not contradictions and len(seen) + told.statements(facts) < _ENOUGH:
        detail = f"nothing to compare: of {', '.join(_SOURCES)} only {', '.join(seen) or 'none'} was seen"
        needs = "/etc/os-release, /proc/1/mountinfo, /proc/cmdline and the kubelet's command line"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=needs))
    for one in contradictions:
        yield Problem(
            severity=Severity.CRITICAL,
            subject=Subject("image", one.name),
            message=one.says,
            expected=one.expected,
            observed=one.says,
            requirement=Requirement(profile=profile.name, key="image", why=_WHY, source=_SOURCE),
            remedy="find out who changed the node, and recreate it from its image",
            evidence=one.evidence,
        )


@check(
    "image.platform",
    title="Container-Optimized OS runs where it is supported, on Compute Engine",
    needs="the firmware's product name (/sys/class/dmi/id/product_name), or the node's object",
)
def platform(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """It is made for virtual machines of Compute Engine; elsewhere nobody tests it, or another product changed it."""
    image = need(facts.image)
    if image.os_family in {OsFamily.UBUNTU, OsFamily.WINDOWS, OsFamily.OTHER}:
        raise NotApplicableError("this is not Container-Optimized OS")
    for field, value in (("os_family", image.os_family), ("gce", image.gce)):
        if value.value == Answer.UNKNOWN.value:
            raise NotKnownError(image.open[field])
    if image.gce is Answer.NO:
        found = image.findings["gce"][0]
        yield Problem(
            severity=Severity.INFO,
            subject=Subject("image", "platform"),
            message=f"Container-Optimized OS is not supported here: {found.says}",
            expected="a virtual machine of Compute Engine",
            observed=found.says,
            requirement=Requirement(
                profile=profile.name, key="image", why=_PLATFORM_WHY, source=_PLATFORM_SOURCE, document="A10"
            ),
            remedy="ask who made this image for support; judge what it is for by that product's documents",
            evidence=(found.evidence,),
        )


CHECKS: Final[tuple[Check, ...]] = (identified, consistent, platform)
