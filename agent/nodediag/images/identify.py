"""The decision steps in their order: the node's own view, system, GKE, runtime, and whether all that agrees."""

from typing import Final

from nodediag.facts.fact import known, need
from nodediag.facts.snapshot import Facts
from nodediag.images import contradictions, family, gke, runtime, windows
from nodediag.images.windows import Channel
from nodediag.model.image import Answer, Contradiction, Image, ImageType, OsFamily, RuntimeName
from nodediag.model.reason import Code, Reason

_TYPES: Final = {
    (OsFamily.COS, RuntimeName.CONTAINERD): ImageType.COS_CONTAINERD,
    (OsFamily.COS, RuntimeName.DOCKER): ImageType.COS,
    (OsFamily.UBUNTU, RuntimeName.CONTAINERD): ImageType.UBUNTU_CONTAINERD,
    (OsFamily.UBUNTU, RuntimeName.DOCKER): ImageType.UBUNTU,
}
_WINDOWS: Final = {
    (Channel.LTSC, RuntimeName.CONTAINERD): ImageType.WINDOWS_LTSC_CONTAINERD,
    (Channel.LTSC, RuntimeName.DOCKER): ImageType.WINDOWS_LTSC,
    (Channel.SAC, RuntimeName.CONTAINERD): ImageType.WINDOWS_SAC_CONTAINERD,
    (Channel.SAC, RuntimeName.DOCKER): ImageType.WINDOWS_SAC,
}


def identify(facts: Facts) -> Image:
    """Decide which image the node runs."""
    view = need(facts.host_view)
    if view.elsewhere is not None:
        fields = ("os_family", "gke", "gce", "runtime", "image_type")
        return Image(open=dict.fromkeys(fields, view.elsewhere))
    system = family.decide(facts)
    on_gke = gke.decide(facts, system.value)
    on_gce = gke.decide_gce(facts, on_gke.value)
    runs = runtime.decide(facts)
    release = windows.decide(facts) if system.value is OsFamily.WINDOWS else None
    against = contradictions.find(facts, system.value, on_gke.value, runs.value)
    opens = {"os_family": system.open, "gke": on_gke.open, "gce": on_gce.open, "runtime": runs.open}
    reasons = {name: reason for name, reason in opens.items() if reason is not None}
    findings = {
        "os_family": system.findings,
        "gke": on_gke.findings,
        "gce": on_gce.findings,
        "runtime": runs.findings,
    }
    if release is not None:
        findings["windows"] = release.findings
        reasons |= {"windows": release.open} if release.open is not None else {}
    channel = release.value.channel if release is not None and release.value is not None else None
    image_type = _image_type(system.value, on_gke.value, runs.value, channel) if not against else ImageType.UNKNOWN
    if image_type is ImageType.UNKNOWN:
        reasons["image_type"] = _why_open(against, reasons)
    named = known(facts.os_release)
    return Image(
        os_family=system.value,
        os_id="" if named is None else named.id,
        gke=on_gke.value,
        gce=on_gce.value,
        runtime=runs.value,
        image_type=image_type,
        findings={name: made for name, made in findings.items() if made},
        contradictions=against,
        open=reasons,
    )


def _image_type(system: OsFamily, on_gke: Answer, runs: RuntimeName, channel: Channel | None) -> ImageType:
    if system is OsFamily.OTHER or on_gke is Answer.NO:
        return ImageType.NONE
    if on_gke is Answer.YES and channel is not None:
        return _WINDOWS.get((channel, runs), ImageType.UNKNOWN)
    if on_gke is Answer.YES:
        return _TYPES.get((system, runs), ImageType.UNKNOWN)
    return ImageType.UNKNOWN


def _why_open(against: tuple[Contradiction, ...], reasons: dict[str, Reason]) -> Reason:
    if against:
        detail = "the evidence contradicts itself: " + "; ".join(one.says for one in against)
        return Reason(code=Code.UNPARSABLE, detail=detail, needs="a look at what was changed on the node")
    for field in ("os_family", "gke", "windows", "runtime"):
        if field in reasons:
            return reasons[field]
    return Reason(code=Code.UNSUPPORTED, detail="GKE has no image with this system and this runtime")
