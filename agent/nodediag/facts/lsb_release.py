"""lsb-release: Ubuntu's `DISTRIB_*`, ChromeOS's `CHROMEOS_*`, or what `lsb_release -a` printed into a sosreport."""

from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts.os_release import assignment
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

NAMESPACE: Final = Namespace.MOUNT
PATH: Final = "/etc/lsb-release"
_PRINTED: Final = ("/sos_commands/release/lsb_release_-a", "/sos_commands/release/lsb_release", "/lsb-release")
_NAMES: Final = {"Distributor ID": "DISTRIB_ID", "Description": "DISTRIB_DESCRIPTION", "Release": "DISTRIB_RELEASE"}


class LsbRelease(msgspec.Struct, frozen=True, kw_only=True):
    """The fields by name, and the line each was read from."""

    fields: dict[str, str]
    lines: dict[str, FileEvidence]


def collect(host: Host) -> LsbRelease:
    """Read the file; only where it was not captured, what was printed of it. The file's own error stands for all."""
    missing: list[ReadError] = []
    for path in (PATH, *_PRINTED):
        try:
            return parse(host.lines(path))
        except ReadError as error:
            if error.reason.code is not Code.NOT_CAPTURED:
                raise
            missing.append(error)
    raise missing[0]


def parse(lines: tuple[Line, ...]) -> LsbRelease:
    """Parse either form; raises ParseError where there is neither."""
    fields: dict[str, str] = {}
    evidence: dict[str, FileEvidence] = {}
    for line in lines:
        name, value = assignment(line.text)
        if not name:
            printed, _, value = line.text.partition(":")
            name = _NAMES.get(printed.strip(), "")
        if name:
            fields[name] = value.strip()
            evidence[name] = line.evidence
    if not fields:
        raise ParseError(lines[0].path if lines else PATH, lines[0].text if lines else "", "lsb-release fields")
    return LsbRelease(fields=fields, lines=evidence)
