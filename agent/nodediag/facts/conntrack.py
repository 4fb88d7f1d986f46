"""The table of tracked connections: how many entries PID 1's network namespace has, and how many there may be.

/proc/sys/net tells of the reader's namespace; /proc/1/net/stat/nf_conntrack tells of PID 1's, whoever reads it. The
limit is one for all namespaces (nf_conntrack-sysctl in the kernel's documents).
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts.pids import limit
from nodediag.host.answer import Sharing
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT  # not the network's: see above
STAT_PATH: Final = "/proc/1/net/stat/nf_conntrack"
COUNT_PATH: Final = "/proc/sys/net/netfilter/nf_conntrack_count"
MOST_PATH: Final = "/proc/sys/net/netfilter/nf_conntrack_max"
_HEX: Final = re.compile(r"[0-9a-f]{1,16}")
_MISSING: Final = frozenset({Code.ABSENT, Code.NOT_CAPTURED})


class Conntrack(msgspec.Struct, frozen=True, kw_only=True):
    """Entries and their limit; where the kernel tracks no connections there is neither."""

    tracked: bool
    entries: int = 0
    most: int = 0
    evidence: tuple[FileEvidence, ...] = ()


def collect(host: Host) -> Conntrack:
    """Read both; raises ReadError where the number of entries could be that of another namespace."""
    most_line = host.absent(host.first_line, MOST_PATH)
    if most_line is None:
        return Conntrack(tracked=False)
    most = limit(most_line)
    try:
        lines = host.lines(STAT_PATH)
    except ReadError as error:
        if error.reason.code not in _MISSING:
            raise
        count = _counted(host, error)
        return Conntrack(tracked=True, entries=count[0], most=most.most, evidence=(count[1], most.evidence))
    entries, line = parse(lines)
    return Conntrack(tracked=True, entries=entries, most=most.most, evidence=(line, most.evidence))


def parse(lines: tuple[Line, ...]) -> tuple[int, FileEvidence]:
    """Parse the statistics: a header, then a row a CPU, in hexadecimal; each row starts with the number of entries."""
    words = lines[1].text.split() if len(lines) > 1 else []
    if not lines or lines[0].text.split()[:1] != ["entries"] or not words or not _HEX.fullmatch(words[0]):
        raise ParseError(STAT_PATH, lines[0].text if lines else "", "a header `entries ...` and rows of hexadecimals")
    return int(words[0], 16), lines[1].evidence


def _counted(host: Host, missing: ReadError) -> tuple[int, FileEvidence]:
    """Take the reader's count where the reader's namespace is PID 1's: newer kernels may lack the statistics."""
    if host.namespaces().sharing.get(Namespace.NET, Sharing.UNKNOWN) is not Sharing.SAME:
        detail = f"{COUNT_PATH} tells of our network namespace, and {missing.reason.detail}"
        needs = "to run on the node itself, or with hostNetwork"
        raise ReadError(COUNT_PATH, Reason(code=Code.OTHER_NAMESPACE, detail=detail, needs=needs))
    found = limit(host.first_line(COUNT_PATH))
    return found.most, found.evidence
