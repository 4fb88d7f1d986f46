"""The container runtimes that run on the node itself, and from which file: /proc/PID/exe, see proc_pid_exe(5)."""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.process_list import RUNTIMES, listed
from nodediag.facts.stray_processes import in_container
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.model.evidence import ProcessEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.CGROUP  # which tells the node's from those inside containers
_DELETED: Final = " (deleted)"
_MOST: Final = 20


class RuntimeProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A running runtime; `replaced` says that its file has been removed or replaced since it was started."""

    name: str
    path: str
    replaced: bool
    evidence: ProcessEvidence


class RuntimePrograms(msgspec.Struct, frozen=True, kw_only=True):
    """Those on the node itself, by pid."""

    programs: tuple[RuntimeProgram, ...]


def collect(host: Host) -> RuntimePrograms:
    """Find them; raises ReadError where one may be missing, or did not show its program."""
    seen = listed(host)
    named = [one for one in seen.processes if one.name in RUNTIMES]
    if not seen.complete or not all(one.program for one in named):
        detail = "not every container runtime was seen with the program it runs"
        needs = "the links /proc/PID/exe of all processes: root on the node itself"
        raise ReadError("/proc", Reason(code=Code.NOT_CAPTURED, detail=detail, needs=needs))
    found = [one for one in named if not in_container(one)]
    return RuntimePrograms(
        programs=tuple(
            RuntimeProgram(
                name=one.name,
                path=one.program.removesuffix(_DELETED),
                replaced=one.program.endswith(_DELETED),
                evidence=ProcessEvidence(pid=one.pid, name=one.name, text=one.program[:EVIDENCE_CAP]),
            )
            for one in found
        )[:_MOST]
    )
