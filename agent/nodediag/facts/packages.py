"""Versions of the few packages that tell images apart, from dpkg's own database, see dpkg-query(1)."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

NAMESPACE: Final = Namespace.MOUNT
STATUS_PATH: Final = "/var/lib/dpkg/status"
LIST_PATH: Final = "/sos_commands/dpkg/dpkg_-l"
NAMES: Final = frozenset({"containerd", "containerd.io", "docker.io", "docker-ce", "kubelet", "cri-o"})
_PARAGRAPH: Final = re.compile(
    rf"^Package: (?P<name>{'|'.join(map(re.escape, sorted(NAMES)))})\n(?:.+\n?)*", re.MULTILINE
)
CAP_BYTES: Final = 64 * 1024 * 1024
_LIST_FIELDS: Final = 3  # state, name, version


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """An installed package."""

    name: str
    version: str
    evidence: FileEvidence


class Packages(msgspec.Struct, frozen=True, kw_only=True):
    """Those of NAMES that are installed; `manager` is false on an image that has no dpkg."""

    manager: bool
    installed: tuple[Package, ...]


def collect(host: Host) -> Packages:
    """Read dpkg's status file, or the list a sosreport keeps."""
    try:
        return Packages(manager=True, installed=parse_status(host.text(STATUS_PATH, cap_bytes=CAP_BYTES)))
    except ReadError as error:
        if error.reason.code is Code.ABSENT:
            return Packages(manager=False, installed=())
        if error.reason.code is not Code.NOT_CAPTURED:
            raise
        try:
            return Packages(manager=True, installed=parse_list(host.lines(LIST_PATH, cap_bytes=CAP_BYTES)))
        except ReadError:
            raise error from None


def parse_status(text: str) -> tuple[Package, ...]:
    """Parse the status file: paragraphs of fields; raises ParseError for a text that has none."""
    if text.strip() and not text.startswith("Package: ") and "\nPackage: " not in text:
        raise ParseError(STATUS_PATH, text.partition("\n")[0], "paragraphs that start with 'Package:'")
    return tuple(_installed(text))


def _installed(text: str) -> Iterator[Package]:
    """Give the packages whose paragraph says that they are installed; lines are counted once, from one to the next."""
    line, counted = 1, 0
    for match in _PARAGRAPH.finditer(text):
        line, counted = line + text.count("\n", counted, match.start()), match.start()
        yield from _one(match, line)


def _one(match: re.Match[str], first: int) -> Iterator[Package]:
    """Give the package of one paragraph, which starts at that line, if it is installed."""
    fields = dict(line.split(": ", 1) for line in match[0].split("\n") if ": " in line and not line.startswith(" "))
    if fields.get("Status", "").split()[-1:] == ["installed"] and "Version" in fields:
        line = first + match[0].count("\n", 0, match[0].index("\nVersion: ") + 1)
        evidence = FileEvidence(path=STATUS_PATH, line=line, text=f"Version: {fields['Version']}"[:EVIDENCE_CAP])
        yield Package(name=match["name"], version=fields["Version"].strip(), evidence=evidence)


def parse_list(lines: tuple[Line, ...]) -> tuple[Package, ...]:
    """Parse what `dpkg -l` prints; raises ParseError for a text without a package."""
    _expect(lines, "ii ", LIST_PATH)
    found = []
    for line in lines:
        fields = line.text.split()
        if len(fields) >= _LIST_FIELDS and fields[0] in {"ii", "hi"} and fields[1].partition(":")[0] in NAMES:
            name = fields[1].partition(":")[0]
            found.append(Package(name=name, version=fields[2], evidence=line.evidence))
    return tuple(found)


def _expect(lines: tuple[Line, ...], start: str, path: str) -> None:
    if lines and not any(line.text.startswith(start) for line in lines):
        raise ParseError(path, lines[0].text, f"lines that start with {start.strip()!r}")
