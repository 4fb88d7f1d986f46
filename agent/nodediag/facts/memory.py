"""Memory and swap: /proc/meminfo and /proc/swaps, see proc_meminfo(5), and how often the OOM killer struck (vmstat)."""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence

NAMESPACE: Final = Namespace.MOUNT  # a container may have its own numbers mounted over these files
PATH: Final = "/proc/meminfo"
SWAPS_PATH: Final = "/proc/swaps"
VMSTAT_PATH: Final = "/proc/vmstat"
_LINE: Final = re.compile(r"(?P<name>[A-Za-z0-9_()]{1,40}):\s+(?P<number>[0-9]{1,15})(?P<unit> kB)?")
_OOM_KILLS: Final = re.compile(r"^oom_kill ([0-9]{1,15})$", re.MULTILINE | re.ASCII)
_MOST_SWAPS: Final = 32
_WANTED: Final = "lines as in proc_meminfo(5), MemTotal and MemFree among them"
_IN_USE: Final = ("AnonPages", "Cached", "Buffers", "SwapCached")
_KIB: Final = 1024


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """`available_bytes` is the kernel's estimate; `beyond_working_set_bytes` what the kubelet calls available.

    The kubelet takes the working set of the root cgroup from the whole: anonymous memory and files, but for those that
    nobody used of late. Swaps are named where there are any; `oom_kills` counts since boot.
    """

    total_bytes: int
    free_bytes: int
    available_bytes: int
    beyond_working_set_bytes: int
    hugetlb_bytes: int = 0  # set aside for huge pages, used or not
    swap_total_bytes: int
    swap_free_bytes: int
    swaps: tuple[str, ...] = ()
    oom_kills: int | msgspec.UnsetType = msgspec.UNSET
    evidence: dict[str, FileEvidence] = {}


def collect(host: Host) -> Memory:
    """Read them; raises ParseError where MemTotal or MemFree is missing."""
    found = parse(host.lines(PATH))
    swaps = _swaps(host) if found.swap_total_bytes else ()
    return msgspec.structs.replace(found, swaps=swaps, oom_kills=_oom_kills(host))


def parse(lines: tuple[Line, ...]) -> Memory:
    """Parse /proc/meminfo; kernels before 3.14 have no estimate of their own, theirs is free memory and file pages."""
    held: dict[str, tuple[int, Line]] = {}
    for line in lines:
        match = _LINE.fullmatch(line.text.strip())
        if match is not None:
            held[match["name"]] = (int(match["number"]) * (_KIB if match["unit"] else 1), line)
    if not {"MemTotal", "MemFree"} <= held.keys():
        raise ParseError(PATH, lines[0].text if lines else "", _WANTED)

    def of(name: str, otherwise: int = 0) -> int:
        return held[name][0] if name in held else otherwise

    total, free, idle = of("MemTotal"), of("MemFree"), of("Inactive(file)")
    working_set = max(0, sum(of(name) for name in _IN_USE) - idle)
    told = ("MemTotal", "MemFree", "MemAvailable", "Inactive(file)", "SwapTotal")
    return Memory(
        total_bytes=total,
        free_bytes=free,
        available_bytes=of("MemAvailable", free + of("Cached") + of("Buffers")),
        beyond_working_set_bytes=max(0, total - working_set),
        hugetlb_bytes=max(of("Hugetlb"), of("HugePages_Total") * of("Hugepagesize")),
        swap_total_bytes=of("SwapTotal"),
        swap_free_bytes=of("SwapFree"),
        evidence={name: held[name][1].evidence for name in told if name in held},
    )


def _swaps(host: Host) -> tuple[str, ...]:
    try:
        lines = host.lines(SWAPS_PATH)[1:]
    except ReadError:
        return ()
    return tuple(line.text.split()[0] for line in lines if line.text.strip())[:_MOST_SWAPS]


def _oom_kills(host: Host) -> int | msgspec.UnsetType:
    try:
        found = _OOM_KILLS.search(host.text(VMSTAT_PATH))
    except ReadError:
        return msgspec.UNSET
    return int(found[1]) if found is not None else msgspec.UNSET
