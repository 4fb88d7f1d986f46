"""Pressure stall information: how long work waited for CPU, memory or I/O, see psi in the kernel's admin guide."""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

NAMESPACE: Final = Namespace.MOUNT  # a container may have its own numbers mounted over these files
PATH: Final = "/proc/pressure"
RESOURCES: Final = ("cpu", "memory", "io")
_SHARE: Final = r"[0-9]{1,3}\.[0-9]{1,6}"
_LINE: Final = re.compile(
    rf"(?P<kind>some|full) avg10=(?P<avg10>{_SHARE}) avg60=(?P<avg60>{_SHARE}) avg300=(?P<avg300>{_SHARE})"
    r" total=(?P<total>[0-9]{1,20})"
)
_NOT_KEPT: Final = frozenset({Code.ABSENT, Code.UNSUPPORTED})
_MOST: Final = (1 << 63) - 1


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """Per cent of the last 10, 60 and 300 seconds in which `some` of the work waited, or all of it (`full`)."""

    resource: str
    kind: str
    avg10: float
    avg60: float
    avg300: float
    total_us: int
    evidence: FileEvidence

    @property
    def lasting(self) -> float:
        """The least of the three windows: what was so for minutes and still is."""
        return min(self.avg10, self.avg60, self.avg300)


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """`kept` is false where the kernel was built or started without it (`psi=0`)."""

    kept: bool
    stalls: tuple[Stall, ...] = ()


def collect(host: Host) -> Pressure:
    """Read all three files; raises ReadError where one that is there cannot be read."""
    stalls: list[Stall] = []
    for resource in RESOURCES:
        try:
            stalls += parse(host.lines(f"{PATH}/{resource}"), resource)
        except ReadError as error:
            if error.reason.code not in _NOT_KEPT:
                raise
    return Pressure(kept=bool(stalls), stalls=tuple(stalls))


def parse(lines: tuple[Line, ...], resource: str) -> list[Stall]:
    """Parse one file; a kernel before 5.13 has no `full` for the CPU."""
    found = []
    for line in lines:
        match = _LINE.fullmatch(line.text)
        if match is None:
            wanted = "`some avg10=0.00 avg60=0.00 avg300=0.00 total=0`"
            raise ParseError(f"{line.path}:{line.number}", line.text, wanted)
        found.append(
            Stall(
                resource=resource,
                kind=match["kind"],
                avg10=float(match["avg10"]),
                avg60=float(match["avg60"]),
                avg300=float(match["avg300"]),
                total_us=min(int(match["total"]), _MOST),
                evidence=line.evidence,
            )
        )
    if not found:
        raise ParseError(f"{PATH}/{resource}", "", "a line `some` and a line `full`")
    return found
