"""Loaded kernel modules that taint the kernel, and what guards the loading: signatures and LoadPin.

See module signing and LoadPin in the kernel's admin guide. /proc/modules marks a module in brackets: P for a licence
that is not free, O for one from outside the kernel's tree, F for one loaded by force, E for one without a signature
that the kernel knows.
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final[Namespace | None] = None  # one kernel
PATH: Final = "/proc/modules"
ENFORCE_PATH: Final = "/sys/module/module/parameters/sig_enforce"
LSM_PATH: Final = "/sys/kernel/security/lsm"
CAP_BYTES: Final = 16 * 1024 * 1024
_LINE: Final = re.compile(r"(?P<name>\S+) [0-9]+ \S+ \S+ (?P<state>\S+) 0x[0-9a-f]+(?: \((?P<taints>[A-Z+-]+)\))?")
_MOST: Final = 50


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded module that taints the kernel, with the letters of its taints."""

    name: str
    taints: str
    evidence: FileEvidence

    @property
    def unsigned(self) -> bool:
        """Whether it has no signature that the kernel knows."""
        return "E" in self.taints


class Modules(msgspec.Struct, frozen=True, kw_only=True):
    """How many are loaded, the first 50 that taint, and the guards as the kernel itself tells them, where it does."""

    loaded: int
    tainting: tuple[Module, ...]
    tainting_total: int
    list_reason: Reason | msgspec.UnsetType = msgspec.UNSET  # why the list is not known
    enforced: FileEvidence | msgspec.UnsetType = msgspec.UNSET
    lsm: FileEvidence | msgspec.UnsetType = msgspec.UNSET


def collect(host: Host) -> Modules:
    """Read the list and the guards; a kernel without modules has no list."""
    try:
        lines = host.absent(lambda path: host.lines(path, cap_bytes=CAP_BYTES), PATH) or ()
        found = parse(lines)
    except (ReadError, ParseError) as error:
        found = Modules(loaded=0, tainting=(), tainting_total=0, list_reason=error.reason)
    found = msgspec.structs.replace(found, enforced=_line(host, ENFORCE_PATH), lsm=_line(host, LSM_PATH))
    if found.list_reason is not msgspec.UNSET and found.enforced is msgspec.UNSET and found.lsm is msgspec.UNSET:
        raise ReadError(PATH, found.list_reason)
    return found


def parse(lines: tuple[Line, ...]) -> Modules:
    """Parse the list; raises ParseError at the first line that is none."""
    tainting: list[Module] = []
    for line in lines:
        found = _LINE.fullmatch(line.text.strip())
        if found is None:
            raise ParseError(f"{line.path}:{line.number}", line.text, "a line as in proc_modules(5)")
        if found["taints"] and found["taints"].strip("+-"):
            tainting.append(Module(name=found["name"], taints=found["taints"], evidence=line.evidence))
    return Modules(loaded=len(lines), tainting=tuple(tainting[:_MOST]), tainting_total=len(tainting))


def _line(host: Host, path: str) -> FileEvidence | msgspec.UnsetType:
    try:
        return host.first_line(path).evidence
    except ReadError as error:
        if error.reason.code is Code.TIMED_OUT:
            raise
        return msgspec.UNSET
