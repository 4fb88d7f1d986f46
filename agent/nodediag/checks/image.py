"""Is the node's image known, and is all that is seen of it true of one image?"""

from collections.abc import Iterator
from typing import Final

from nodediag.checks.check import Check, check
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.snapshot import Facts
from nodediag.model.image import ImageType
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile


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
    needs="as image.identified; what is not seen cannot contradict",
)
def consistent(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Two things that no image has together mean that the node was changed, or is not what it says it is."""
    del profile
    view = need(facts.host_view)
    if view.elsewhere is not None:
        raise NotKnownError(view.elsewhere)
    for one in need(facts.image).contradictions:
        yield Problem(
            severity=Severity.CRITICAL,
            subject=Subject("image", one.name),
            message=one.says,
            expected=one.expected,
            observed=one.says,
            remedy="find out who changed the node, and recreate it from its image",
            evidence=one.evidence,
        )


CHECKS: Final[tuple[Check, ...]] = (identified, consistent)
