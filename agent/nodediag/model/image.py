"""What image a node runs, as far as evidence tells: operating system, platform, runtime, and the GKE image type."""

from enum import StrEnum

import msgspec

from nodediag.model.evidence import Evidence
from nodediag.model.reason import Reason


class OsFamily(StrEnum):
    """The operating systems that GKE images are made of, and all others."""

    COS = "cos"
    UBUNTU = "ubuntu"
    WINDOWS = "windows"
    OTHER = "other"
    UNKNOWN = "unknown"


class Answer(StrEnum):
    """A question that evidence may leave open."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class RuntimeName(StrEnum):
    """The container runtime that the running kubelet talks to; `none` where no kubelet runs."""

    CONTAINERD = "containerd"
    DOCKER = "docker"
    CRI_O = "cri-o"
    NONE = "none"
    UNKNOWN = "unknown"


class ImageType(StrEnum):
    """GKE's node image types; `none` for a machine that has no GKE node image."""

    COS_CONTAINERD = "cos_containerd"
    COS = "cos"
    UBUNTU_CONTAINERD = "ubuntu_containerd"
    UBUNTU = "ubuntu"
    WINDOWS_LTSC_CONTAINERD = "windows_ltsc_containerd"
    WINDOWS_LTSC = "windows_ltsc"
    WINDOWS_SAC_CONTAINERD = "windows_sac_containerd"
    WINDOWS_SAC = "windows_sac"
    NONE = "none"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence for one field, said in words: what was seen and what it speaks for."""

    says: str
    evidence: Evidence


class Contradiction(msgspec.Struct, frozen=True, kw_only=True):
    """Two things true of one node that no image has together."""

    name: str
    says: str
    expected: str
    evidence: tuple[Evidence, ...]


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of the decision steps; a field left open has its reason in `open`.

    `os_id` is the ID of os-release(5), empty where that was not seen.
    """

    os_family: OsFamily = OsFamily.UNKNOWN
    os_id: str = ""
    gke: Answer = Answer.UNKNOWN
    gce: Answer = Answer.UNKNOWN
    runtime: RuntimeName = RuntimeName.UNKNOWN
    image_type: ImageType = ImageType.UNKNOWN
    findings: dict[str, tuple[Finding, ...]] = {}
    contradictions: tuple[Contradiction, ...] = ()
    open: dict[str, Reason] = {}
