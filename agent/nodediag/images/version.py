"""Versions of GKE and Kubernetes, compared as numbers: `v1.34.0-gke.1662000` has four parts."""

import re
from typing import Final

_FORM: Final = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:-gke\.(\d{1,12}))?(?:[-+].*)?")


def parse_version(text: str) -> tuple[int, int, int, int] | None:
    """Give major, minor, patch and GKE's own number (0 where there is none); None for what is no version."""
    match = _FORM.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0), int(match[4] or 0))
