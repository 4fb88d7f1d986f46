"""The image an instance was made from, `projects/PROJECT/global/images/NAME`, and what GKE writes into such a name.

COS: `gke-<version without dots>-gke<n>-cos[-arm64][-lm]-<milestone>-<build with dashes>[-v<date>][-c][-cgpv1]` and
`-(pre|nvda)`.
Ubuntu: `ubuntu-gke-<release>-<major>-<minor>-[<architecture>-]v<date>`, with neither patch version nor runtime. The
version's digits stand together: one for the major, two for the minor, the rest for the patch version.
"""

import re
from typing import Final

import msgspec

from nodediag.model.image import OsFamily

PROJECT: Final = r"gke-node-images|ubuntu-os-gke-cloud(?:-private|-devel)?|gke-windows-node-images"
_PATH: Final = r"projects/([^/]+)/global/images/([^/]+)"
_COS: Final = (
    r"gke-(\d)(\d{2})(\d{1,3})-gke(\d{1,12})-cos(?:-arm64)?(?:-lm)?-(\d{2,4})-(\d{1,6})-(\d{1,6})-(\d{1,6})"
    r"(?:-v(\d{6}))?((?:-[a-z0-9]+)*)"
)
_UBUNTU: Final = r"ubuntu-gke-(\d{2})(\d{2})-(?:(\d)-(\d{2})|[a-z]+)(?:-(?:amd64|arm64))?-v(\d{8})([a-z0-9-]*)"
_MAP_IMAGE: Final = r"cos-(\d{2,4})-(\d{1,6})-(\d{1,6})-(\d{1,6})"


class SourceImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image's name taken apart; what such a name does not hold, or a name of another form, stays empty."""

    project: str
    name: str
    family: OsFamily = OsFamily.UNKNOWN
    gke_version: str = ""
    milestone: str = ""
    build: str = ""
    release: str = ""
    marks: tuple[str, ...] = ()

    @property
    def of_gke(self) -> bool:
        """Tell whether GKE named it, in a project of GKE's."""
        return bool(re.fullmatch(PROJECT, self.project))


def parse(path: str) -> SourceImage | None:
    """Take an image's path apart; None for what is none."""
    match = re.fullmatch(_PATH, path)
    if match is None:
        return None
    project, name = match[1], match[2]
    if cos := re.fullmatch(_COS, name):
        version = f"{cos[1]}.{int(cos[2])}.{cos[3]}-gke.{cos[4]}"
        return SourceImage(
            project=project, name=name, family=OsFamily.COS, gke_version=version, milestone=cos[5],
            build=f"{cos[6]}.{cos[7]}.{cos[8]}", marks=tuple(cos[10].split("-")[1:]),
        )  # fmt: skip
    if ubuntu := re.fullmatch(_UBUNTU, name):
        return SourceImage(project=project, name=name, family=OsFamily.UBUNTU, release=f"{ubuntu[1]}.{ubuntu[2]}")
    return SourceImage(project=project, name=name, family=_by_project(project))


def map_build(image: str) -> tuple[str, str] | None:
    """Give milestone and build of `cos-121-18867-199-52`, as Google's map of versions names an image."""
    match = re.fullmatch(_MAP_IMAGE, image)
    return (match[1], f"{match[2]}.{match[3]}.{match[4]}") if match else None


def _by_project(project: str) -> OsFamily:
    if project == "gke-windows-node-images":
        return OsFamily.WINDOWS
    return OsFamily.UBUNTU if project.startswith("ubuntu-os-gke-cloud") else OsFamily.UNKNOWN
