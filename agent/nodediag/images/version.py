"""Versions of GKE, Kubernetes, COS and the kernel, compared as numbers: `v1.34.0-gke.1662000` has four parts."""

import re
from typing import Final

_FORM: Final = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:-gke\.(\d{1,12}))?(?:[-+].*)?")
_NUMBERS: Final = re.compile(r"v?[0-9]{1,12}(?:[.-](?:gke\.)?[0-9]{1,12})*")
_NUMBER: Final = re.compile(r"[0-9]+")


def parse_version(text: str) -> tuple[int, int, int, int] | None:
    """Give major, minor, patch and GKE's own number (0 where there is none); None for what is no version."""
    match = _FORM.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3] or 0), int(match[4] or 0))


def numbers(text: str) -> tuple[int, ...]:
    """Give the numbers a version begins with, to compare any with its like; empty for what is no version.

    A milestone with its build (121-18867.199.28) and a kernel's release (5.15.0-1048-gke) are read too.
    """
    match = _NUMBERS.match(text)
    return () if match is None else tuple(map(int, _NUMBER.findall(match[0])))
