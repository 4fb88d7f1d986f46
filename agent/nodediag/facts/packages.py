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
FIELDS: Final = ("Package: ", "Status: ", "Version: ")
CAP_BYTES: Final = 64 * 1024 * 1024
_LIST_FIELDS: Final = 3  # state, name, version
_STATUS: Final = re.compile(r"^Status: (?P<want>\S+) (?P<flag>\S+) (?P<state>\S+)$", re.MULTILINE)
_SETTLED: Final = frozenset({"installed", "not-installed", "config-files"})
_MOST: Final = 50


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """An installed package."""

    name: str
    version: str
    evidence: FileEvidence


class Marked(msgspec.Struct, frozen=True, kw_only=True):
    """A package in another state than installed and well, as dpkg(1) names states: `hold ok installed`."""

    name: str
    status: str
    evidence: FileEvidence


class Packages(msgspec.Struct, frozen=True, kw_only=True):
    """Those of NAMES that are installed; `manager` is false on an image that has no dpkg.

    `unsettled` are all that are half-way or broken, `held` those that are kept back. `states` is false where the list
    does not tell them.
    """

    manager: bool
    installed: tuple[Package, ...]
    states: bool = True
    unsettled: tuple[Marked, ...] = ()
    held: tuple[Marked, ...] = ()


def collect(host: Host) -> Packages:
    """Read dpkg's status file, or the list a sosreport keeps."""
    try:
        text = host.text(STATUS_PATH, cap_bytes=CAP_BYTES, only=FIELDS)
        unsettled, held = parse_states(text)
        return Packages(manager=True, installed=parse_status(text), unsettled=unsettled, held=held)
    except ReadError as error:
        if error.reason.code is Code.ABSENT:
            return Packages(manager=False, installed=())
        if error.reason.code is not Code.NOT_CAPTURED:
            raise
        try:
            found = parse_list(host.lines(LIST_PATH, cap_bytes=CAP_BYTES))
            return Packages(manager=True, installed=found, states=False)
        except ReadError:
            raise error from None


def parse_status(text: str) -> tuple[Package, ...]:
    """Parse the status file: paragraphs of fields; raises ParseError for a text that has none."""
    if text.strip() and not text.startswith("Package: ") and "\nPackage: " not in text:
        raise ParseError(STATUS_PATH, text.partition("\n")[0], "paragraphs that start with 'Package:'")
    return tuple(_installed(text))


def parse_states(text: str) -> tuple[tuple[Marked, ...], tuple[Marked, ...]]:
    """Give the packages of the status file that are not settled, and those on hold; at most 50 of each."""
    unsettled: list[Marked] = []
    held: list[Marked] = []
    if text.count("\nStatus: install ok installed\n") == text.count("\nStatus: "):
        return (), ()
    for found in _STATUS.finditer(text):
        if found["state"] not in _SETTLED or found["flag"] != "ok":
            unsettled.append(_marked(text, found))
        elif found["want"] == "hold":
            held.append(_marked(text, found))
        if max(len(unsettled), len(held)) >= _MOST:
            break
    return tuple(unsettled), tuple(held)


def _marked(text: str, found: re.Match[str]) -> Marked:
    start = text.rfind("Package: ", 0, found.start())
    name = text[start:].partition("\n")[0].removeprefix("Package: ") if start >= 0 else "unknown"
    line = text.count("\n", 0, found.start()) + 1
    evidence = FileEvidence(path=STATUS_PATH, line=line, text=found[0][:EVIDENCE_CAP])
    return Marked(name=name[:EVIDENCE_CAP], status=found[0].removeprefix("Status: "), evidence=evidence)


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
