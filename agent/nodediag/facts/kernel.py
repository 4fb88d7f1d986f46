"""The running kernel: its release, and what has tainted it (tainted-kernels in the kernel's admin guide)."""

import re
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.evidence import Evidence, FileEvidence, UnameEvidence
from nodediag.model.reason import Code

NAMESPACE: Final[Namespace | None] = None  # one kernel for all
TAINT_PATH: Final = "/proc/sys/kernel/tainted"
VERSION_PATH: Final = "/proc/version"
_RELEASE_PATH: Final = "/proc/sys/kernel/osrelease"
_IMAGE: Final = re.compile(r"\bvmlinuz-(\S+)")
_MASK: Final = re.compile(r"[0-9]{1,20}")  # 64 bits
_TAINTS: Final = (
    "proprietary module", "module force-loaded", "out of specification system", "module force-unloaded",
    "machine check", "bad page", "taint requested by user space", "died (oops or bug)", "ACPI table overridden",
    "warning", "staging driver", "firmware workaround", "out-of-tree module", "unsigned module", "soft lockup",
    "live patched", "auxiliary taint", "built with struct randomization", "in-kernel test",
    "fwctl mutated the device",
)  # fmt: skip


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel; `machine` and `version` are "unknown" where only the release was kept."""

    release: str
    version: str
    machine: str
    taints: tuple[str, ...]
    taints_known: bool
    evidence: Evidence


def collect(host: Host) -> Kernel:
    """Ask the kernel, or take what a capture kept of it."""
    taint = _taint(host)
    try:
        name = host.uname()
    except ReadError as error:
        if error.reason.code is not Code.NOT_CAPTURED:
            raise
        release, evidence = _kept(host, error)
        return Kernel(
            release=release, version="unknown", machine="unknown",
            taints=decode(taint or 0), taints_known=taint is not None, evidence=evidence,
        )  # fmt: skip
    text = f"{name.sysname} {name.release} {name.version} {name.machine}"
    return Kernel(
        release=name.release, version=name.version, machine=name.machine,
        taints=decode(taint or 0), taints_known=taint is not None, evidence=UnameEvidence(text=text),
    )  # fmt: skip


def decode(mask: int) -> tuple[str, ...]:
    """Name the bits of the taint mask; one that is newer than this list keeps its number."""
    bits = (bit for bit in range(mask.bit_length()) if mask >> bit & 1)
    return tuple(_TAINTS[bit] if bit < len(_TAINTS) else f"bit {bit}" for bit in bits)


def _taint(host: Host) -> int | None:
    try:
        text = host.first_line(TAINT_PATH).text
    except ReadError:
        return None
    return int(text) if _MASK.fullmatch(text) else None


def _kept(host: Host, missing: ReadError) -> tuple[str, FileEvidence]:
    """Find the release in the files a capture may hold: osrelease, version, or the image that was booted."""
    for path in (_RELEASE_PATH, VERSION_PATH, "/proc/cmdline"):
        try:
            line = host.first_line(path)
        except ReadError:
            continue
        words = line.text.split()
        if path == _RELEASE_PATH and words:
            return words[0], line.evidence
        if path == VERSION_PATH and words[:2] == ["Linux", "version"] and words[2:]:
            return words[2], line.evidence
        if image := _IMAGE.search(line.text):
            return image[1], line.evidence
    raise missing
