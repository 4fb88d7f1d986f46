"""Open files of the whole kernel and how many there may be: /proc/sys/fs/file-nr, see proc_sys_fs(5)."""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence

NAMESPACE: Final = Namespace.MOUNT  # a container may have its own numbers mounted over these files
PATH: Final = "/proc/sys/fs/file-nr"
_LINE: Final = re.compile(r"([0-9]{1,19})\s+[0-9]{1,19}\s+([0-9]{1,19})")


class FileHandles(msgspec.Struct, frozen=True, kw_only=True):
    """Those that are allocated, and the limit (file-max); both capped at what JSON's readers take for a number."""

    allocated: int
    most: int
    evidence: FileEvidence


def collect(host: Host) -> FileHandles:
    """Read the file."""
    return parse(host.first_line(PATH))


def parse(line: Line) -> FileHandles:
    """Parse `ALLOCATED FREE MAX`; the second is always 0."""
    found = _LINE.fullmatch(line.text.strip())
    if found is None:
        raise ParseError(line.path, line.text, "three numbers as in proc_sys_fs(5)")
    allocated, most = (min(int(number), 1 << 53) for number in found.groups())
    return FileHandles(allocated=allocated, most=most, evidence=line.evidence)
