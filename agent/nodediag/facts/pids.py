"""How many threads the kernel allows, see proc_sys_kernel(5): `threads-max`, and `pid_max`, an id for each thread.

From 6.14 on each PID namespace has a pid_max of its own, and reading it tells that of the reader.
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts.fact import Fact, known
from nodediag.facts.kernel import Kernel
from nodediag.host.answer import Sharing
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

THREADS_PATH: Final = "/proc/sys/kernel/threads-max"
PID_PATH: Final = "/proc/sys/kernel/pid_max"
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_RELEASE: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
_PER_NAMESPACE: Final = (6, 14)


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A number that the kernel sets, and where it stands."""

    most: int
    evidence: FileEvidence


class Pids(msgspec.Struct, frozen=True, kw_only=True):
    """`pid_max` is left out, with the reason, where what we would read is our own namespace's."""

    threads_max: Limit
    pid_max: Limit | msgspec.UnsetType = msgspec.UNSET
    pid_max_reason: Reason | msgspec.UnsetType = msgspec.UNSET


def derive(host: Host, kernel: Fact[Kernel]) -> Pids:
    """Read both."""
    threads = limit(host.first_line(THREADS_PATH))
    reason = _elsewhere(host, known(kernel))
    if reason is None:
        try:
            return Pids(threads_max=threads, pid_max=limit(host.first_line(PID_PATH)))
        except (ReadError, ParseError) as error:
            reason = error.reason
    return Pids(threads_max=threads, pid_max_reason=reason)


def limit(line: Line) -> Limit:
    """Parse a file that holds one number."""
    if not _NUMBER.fullmatch(line.text):
        raise ParseError(line.path, line.text, "a number")
    return Limit(most=int(line.text), evidence=line.evidence)


def _elsewhere(host: Host, kernel: Kernel | None) -> Reason | None:
    """Give the reason not to believe pid_max, where there is one."""
    release = _RELEASE.match(kernel.release) if kernel is not None else None
    if release is not None and (int(release[1]), int(release[2])) < _PER_NAMESPACE:
        return None
    try:
        sharing = host.namespaces().sharing.get(Namespace.PID, Sharing.UNKNOWN)
    except ReadError as error:
        return error.reason
    if sharing is Sharing.SAME:
        return None
    detail = f"{PID_PATH} tells the limit of our PID namespace, which may not be that of the node's PID 1"
    return Reason(code=Code.OTHER_NAMESPACE, detail=detail, needs="to run on the node itself, or with hostPID")
