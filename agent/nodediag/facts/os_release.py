"""The operating system's name for itself: os-release(5), and lsb-release where an older tool wrote it."""

import shlex
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

NAMESPACE: Final = Namespace.MOUNT
PATHS: Final = ("/etc/os-release", "/usr/lib/os-release")


class OsRelease(msgspec.Struct, frozen=True, kw_only=True):
    """The fields by name, and the line each was read from."""

    path: str
    fields: dict[str, str]
    lines: dict[str, FileEvidence]

    @property
    def id(self) -> str:
        """The machine-readable name; the manual's default is `linux`."""
        return self.fields.get("ID", "linux")

    def evidence(self, key: str) -> FileEvidence:
        """Give the line of a field, or the file as a whole where it has none."""
        return self.lines.get(key, FileEvidence(path=self.path, line=0, text=f"(no {key})"))


def collect(host: Host) -> OsRelease:
    """Read os-release; the second place counts only when the first is not there."""
    try:
        lines = host.lines(PATHS[0])
    except ReadError as error:
        if error.reason.code not in {Code.ABSENT, Code.NOT_CAPTURED}:
            raise
        try:
            lines = host.lines(PATHS[1])
        except ReadError:
            raise error from None
    return parse(lines)


def parse(lines: tuple[Line, ...]) -> OsRelease:
    """Parse shell assignments; raises ParseError where there is none."""
    fields: dict[str, str] = {}
    evidence: dict[str, FileEvidence] = {}
    for line in lines:
        key, equals, value = line.text.strip().partition("=")
        if equals and key.replace("_", "").isalnum() and key.isascii():
            fields[key] = unquote(value)
            evidence[key] = line.evidence
    path = lines[0].path if lines else PATHS[0]
    if not fields:
        raise ParseError(path, lines[0].text if lines else "", "assignments as in os-release(5)")
    return OsRelease(path=path, fields=fields, lines=evidence)


def unquote(value: str) -> str:
    """Undo shell quoting; a value whose quotes do not close is taken as it stands."""
    try:
        return "".join(shlex.split(value)) if value[:1] in {'"', "'"} else value.strip()
    except ValueError:
        return value.strip()
