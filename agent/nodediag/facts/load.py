"""The load averages and the number of threads, see proc_loadavg(5), and how many CPUs share the load."""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence

NAMESPACE: Final = Namespace.MOUNT  # a container may have its own numbers mounted over this file
PATH: Final = "/proc/loadavg"
CPUS_PATH: Final = "/sys/devices/system/cpu/online"
_LINE: Final = re.compile(
    r"(?P<one>[0-9]{1,9}\.[0-9]{2}) (?P<five>[0-9]{1,9}\.[0-9]{2}) (?P<fifteen>[0-9]{1,9}\.[0-9]{2})"
    r" (?P<running>[0-9]{1,9})/(?P<threads>[0-9]{1,9}) [0-9]{1,10}"
)
_RANGE: Final = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Runnable and uninterruptible threads, averaged over 1, 5 and 15 minutes; `threads` counts all of the kernel's."""

    avg1: float
    avg5: float
    avg15: float
    running: int
    threads: int
    cpus: int | msgspec.UnsetType = msgspec.UNSET
    evidence: FileEvidence


def collect(host: Host) -> Load:
    """Read both; CPUs are left out where they were not seen."""
    found = parse(host.first_line(PATH))
    try:
        return msgspec.structs.replace(found, cpus=parse_cpus(host.first_line(CPUS_PATH)))
    except (ReadError, ParseError):
        return found


def parse(line: Line) -> Load:
    """Parse /proc/loadavg."""
    match = _LINE.fullmatch(line.text.strip())
    if match is None:
        raise ParseError(line.path, line.text, "a line as in proc_loadavg(5)")
    return Load(
        avg1=float(match["one"]),
        avg5=float(match["five"]),
        avg15=float(match["fifteen"]),
        running=int(match["running"]),
        threads=int(match["threads"]),
        evidence=line.evidence,
    )


def parse_cpus(line: Line) -> int:
    """Count the CPUs of a list such as `0-3,8`."""
    ranges = [_RANGE.fullmatch(part) for part in line.text.strip().split(",")]
    count = sum(int(found[2] or found[1]) - int(found[1]) + 1 for found in ranges if found is not None)
    if None in ranges or count < 1:
        raise ParseError(line.path, line.text, "a list of CPUs as `0-3,8`")
    return count
