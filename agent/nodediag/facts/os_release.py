"""The operating system's name for itself: os-release(5)."""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

NAMESPACE: Final = Namespace.MOUNT
PATHS: Final = ("/etc/os-release", "/usr/lib/os-release")
_MISSING: Final = frozenset({Code.ABSENT, Code.NOT_CAPTURED})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SINGLE_QUOTED: Final = re.compile(r"'([^']*)'")
_DOUBLE_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r'\\(["$`\\])')


class OsRelease(msgspec.Struct, frozen=True, kw_only=True):
    """The fields by name, and the line each was read from."""

    path: str
    fields: dict[str, str]
    lines: dict[str, FileEvidence]

    @property
    def id(self) -> str:
        """The machine-readable name; the manual's default is `linux`."""
        return self.fields.get("ID") or "linux"

    def evidence(self, key: str) -> FileEvidence:
        """Give the line of a field, or the file as a whole where it has none."""
        return self.lines.get(key, FileEvidence(path=self.path, line=0, text=f"(no {key})"))


def collect(host: Host) -> OsRelease:
    """Read os-release; the second place counts only when the first is not there."""
    try:
        lines = host.lines(PATHS[0])
    except ReadError as first:
        if first.reason.code not in _MISSING:
            raise
        try:
            lines = host.lines(PATHS[1])
        except ReadError as second:
            if second.reason.code not in _MISSING:
                raise
            raise first from None
    return parse(lines)


def parse(lines: tuple[Line, ...]) -> OsRelease:
    """Parse shell assignments; raises ParseError where there is none."""
    fields: dict[str, str] = {}
    evidence: dict[str, FileEvidence] = {}
    for line in lines:
        name, value = assignment(line.text)
        if name:
            fields[name] = value
            evidence[name] = line.evidence
    path = lines[0].path if lines else PATHS[0]
    if not fields:
        raise ParseError(path, lines[0].text if lines else "", "assignments as in os-release(5)")
    return OsRelease(path=path, fields=fields, lines=evidence)


def assignment(text: str) -> tuple[str, str]:
    """Give the name and the unquoted value of a shell assignment; the name is empty where the line is none."""
    name, equals, value = text.strip().partition("=")
    return (name, unquote(value)) if equals and _NAME.fullmatch(name) else ("", "")


def unquote(value: str) -> str:
    """Undo shell quoting; a value whose quotes do not close is taken as it stands."""
    value = value.strip()
    if single := _SINGLE_QUOTED.fullmatch(value):
        return single[1]
    double = _DOUBLE_QUOTED.fullmatch(value)
    return _ESCAPED.sub(r"\1", double[1]) if double else value
