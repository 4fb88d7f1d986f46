"""Which machine this is: machine-id(5)."""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.evidence import FileEvidence

NAMESPACE: Final = Namespace.MOUNT
PATH: Final = "/etc/machine-id"
_FORM: Final = re.compile(r"[0-9a-f]{32}")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's id: 32 hexadecimal digits."""

    id: str
    evidence: FileEvidence


def collect(host: Host) -> Machine:
    """Read the id; an image before its first boot has none."""
    line = host.first_line(PATH)
    if not _FORM.fullmatch(line.text):
        raise ParseError(PATH, line.text, "32 hexadecimal digits as in machine-id(5)")
    return Machine(id=line.text, evidence=line.evidence)
