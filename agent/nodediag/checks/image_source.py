"""Was the node made from GKE's image, does it still run what that image holds, and is that what GKE publishes?"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, Unknown, known, need
from nodediag.facts.gke_versions import GkeVersions
from nodediag.facts.snapshot import Facts
from nodediag.images import told
from nodediag.images.source_image import SourceImage, map_build
from nodediag.images.version import parse_version
from nodediag.model.evidence import Evidence
from nodediag.model.image import Answer, OsFamily
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile

_NEEDS: Final = "the image's name, from Compute Engine's metadata server or --instance FILE"
_MAP_NEEDS: Final = "Google's map of versions (--gke-versions FILE), the build of COS, the kubelet's version"
_WHY: Final = "an image's parts are tested together; a node that was changed is in a state nobody has tested"
_MAP_WHY: Final = "GKE tests each of its versions with one build of COS"
_DOCUMENT: Final = "F2"


@check("image.source-project", title="The node was made from an image of GKE's own", needs=_NEEDS)
def project(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """GKE publishes its images in a few projects; one from elsewhere is a copy that anybody may have changed."""
    rule = profile.image_source
    if rule is msgspec.UNSET or need(facts.image).gke is not Answer.YES:
        raise NotApplicableError("only a GKE node is made from an image of GKE's")
    image, evidence = _source(facts)
    if image.project in rule.projects:
        return
    inside = image.project in rule.internal
    where = "which the GKE team alone uses" if inside else "which is none of GKE's"
    yield Problem(
        severity=Severity.WARNING,
        subject=Subject("image", image.name),
        message=f"the node was made from {image.name} of the project {image.project}, {where}",
        expected=" or ".join(rule.projects),
        observed=image.project,
        requirement=Requirement(
            profile=profile.name, key="image_source", why=rule.why, source=rule.source, document=rule.document
        ),
        remedy=rule.remedy,
        evidence=(evidence,),
    )


@check(
    "image.source-version",
    title="The node runs the system of the image it was made from",
    needs=f"{_NEEDS}; os-release",
)
def version(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """GKE updates a node by making it anew: where image and system differ, it was updated or replaced in place."""
    decided = need(facts.image)
    if decided.gke is not Answer.YES or decided.os_family is OsFamily.WINDOWS:
        raise NotApplicableError("only a GKE node with Linux is held against the image it was made from")
    image, evidence = _source(facts)
    release = need(facts.os_release)
    if OsFamily.UNKNOWN not in {image.family, decided.os_family} and image.family is not decided.os_family:
        made, runs, line = image.family.value, decided.os_family.value, release.evidence("ID")
    elif image.build:
        made, runs, line = f"{image.milestone} {image.build}", _build(facts), release.evidence("BUILD_ID")
    elif image.release:
        made, runs, line = image.release, release.fields.get("VERSION_ID", ""), release.evidence("VERSION_ID")
    else:
        raise NotApplicableError(f"the image's name, {image.name}, holds no version")
    if made == runs:
        return
    yield Problem(
        severity=Severity.CRITICAL if made == image.family.value else Severity.WARNING,
        subject=Subject("image", image.name),
        message=f"the node was made from {image.name}, which holds {made}, but runs {runs or 'no numbered release'}",
        expected=made,
        observed=runs or "none",
        requirement=Requirement(
            profile=profile.name, key="image", why=_WHY, source="GKE node images", document=_DOCUMENT
        ),
        remedy="recreate the node from its image; upgrade it through its node pool",
        evidence=(evidence, line),
    )


@check("image.version-map", title="The node runs the build that GKE publishes for its version", needs=_MAP_NEEDS)
def version_map(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Another build than the published one was updated or rolled back here; a map older than the node cannot tell."""
    if isinstance(facts.gke_versions, Unknown) and facts.gke_versions.reason.code is Code.NOT_ASKED:
        raise NotApplicableError(facts.gke_versions.reason.detail)
    image, table = need(facts.image), need(facts.gke_versions)
    if image.gke is Answer.NO or image.os_family not in {OsFamily.COS, OsFamily.UNKNOWN}:
        raise NotApplicableError("the map holds GKE's images of Container-Optimized OS alone")
    running, found = _build(facts), told.gke_version(facts)
    if found is None or parse_version(found[0]) is None or not running:
        detail = "GKE's version and the build of COS are not both known"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs=_MAP_NEEDS))
    named, evidence = found
    if not table.entries:
        raise NotKnownError(_no_entry(table, named))
    builds = [" ".join(build) for one in table.entries if (build := map_build(one.image)) is not None]
    if running in builds:
        return
    _must_be_younger(facts, table)
    yield Problem(
        severity=Severity.WARNING,
        subject=Subject("image", "build"),
        message=f"by the map of {_dated(table)} GKE {named} comes with COS {' or '.join(builds)}; this is {running}",
        expected=" or ".join(builds),
        observed=running,
        values={"map_age_days": table.age_days},
        requirement=Requirement(
            profile=profile.name, key="image", why=_MAP_WHY, source="GKE's map of versions", document="A9"
        ),
        remedy="recreate the node from the image of its version; upgrade it through its node pool",
        evidence=(*(table.evidence(f"{one.gke_version}: {one.image}") for one in table.entries), evidence),
    )


def _source(facts: Facts) -> tuple[SourceImage, Evidence]:
    """Give the image that the instance was made from; what a server hides is not known, and not taken for a no."""
    found = told.image_source(facts)
    if found is not None:
        return found
    server = known(facts.metadata)
    if isinstance(facts.metadata, Unknown):
        raise NotKnownError(_with_needs(facts.metadata.reason))
    hidden = server.hidden.get("image") if server is not None else None
    detail = "the metadata server names no image; GKE's own, which pods get, hides it"
    raise NotKnownError(_with_needs(hidden or Reason(code=Code.NOT_PERMITTED, detail=detail)))


def _with_needs(reason: Reason) -> Reason:
    return msgspec.structs.replace(reason, needs=_NEEDS)


def _build(facts: Facts) -> str:
    """Give milestone and build, as they run, or else as the image that the instance was made from holds them."""
    release, source = known(facts.os_release), told.image_source(facts)
    if release is not None:
        fields = release.fields
        return f"{fields['VERSION_ID']} {fields['BUILD_ID']}" if fields.keys() >= {"VERSION_ID", "BUILD_ID"} else ""
    return f"{source[0].milestone} {source[0].build}" if source is not None and source[0].build else ""


def _no_entry(table: GkeVersions, named: str) -> Reason:
    ours, newest = parse_version(named), parse_version(table.newest)
    older = ours is not None and newest is not None and newest < ours
    told_older = f"; its newest is {table.newest}: it is older than the node, and proves nothing" if older else ""
    detail = f"the map of {_dated(table)} does not have {named}{told_older}"
    return Reason(code=Code.ABSENT, detail=detail, needs="a newer map, where Google has not taken the version back")


def _must_be_younger(facts: Facts, table: GkeVersions) -> None:
    """Refuse a map that may be older than the node: builds of one version are published again."""
    theirs, boot = told.node_object(facts), known(facts.boot)
    born = _time(theirs.created) if theirs is not None else None
    if born is None and boot is not None and boot.at <= table.created:
        return
    if born is None or born > table.created:
        when = f"which was made {born.date()}" if born is not None else "of which it is not known when it was made"
        detail = f"the map of {_dated(table)} names another build, but may be older than the node, {when}"
        raise NotKnownError(Reason(code=Code.UNSUPPORTED, detail=detail, needs="a newer map, or --node-object FILE"))


def _dated(table: GkeVersions) -> str:
    age = "a day" if table.age_days == 1 else f"{table.age_days} days"
    return f"{table.created.date()} ({age} old)"


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


CHECKS: Final[tuple[Check, ...]] = (project, version, version_map)
