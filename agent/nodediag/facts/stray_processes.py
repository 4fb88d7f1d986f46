"""Processes outside any container whose program, or script, lies where the image has none: on a writable disk.

/proc/PID/exe tells the program, /proc/PID/cgroup whether a container runtime made the process: from another cgroup
namespace that file tells only a part of the path.
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.process_list import WRITABLE, listed
from nodediag.host.answer import Process
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.host.processes import INTERPRETERS, script_of
from nodediag.model.evidence import ProcessEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.CGROUP
_CONTAINER: Final = re.compile(
    r"kubepods|/docker/|docker-[0-9a-f]{12}|libpod|/lxc|cri-containerd|crio-|/machine\.slice|/[0-9a-f]{64}(?:/|$)",
    re.MULTILINE,
)
_FOLDERS: Final = tuple(folder + "/" for folder in WRITABLE)
_DELETED: Final = " (deleted)"
_MOST: Final = 100


class Stray(msgspec.Struct, frozen=True, kw_only=True):
    """A process; `program` is the path of its program, or of the script that an interpreter runs for it."""

    pid: int
    program: str
    evidence: ProcessEvidence


class StrayProcesses(msgspec.Struct, frozen=True, kw_only=True):
    """The first hundred by pid, and how many there are."""

    processes: tuple[Stray, ...]
    total: int


def collect(host: Host) -> StrayProcesses:
    """Find them; raises ReadError where not every process showed its program."""
    seen = listed(host)
    if not seen.complete or not seen.programs:
        detail = "not every process was seen with the program it runs"
        needs = "the links /proc/PID/exe of all processes: root on the node itself"
        raise ReadError("/proc", Reason(code=Code.NOT_CAPTURED, detail=detail, needs=needs))
    found = [
        Stray(pid=process.pid, program=program, evidence=_evidence(process))
        for process in seen.processes
        if (program := program_of(process)).startswith(_FOLDERS) and not in_container(process)
    ]
    return StrayProcesses(processes=tuple(found[:_MOST]), total=len(found))


def program_of(process: Process) -> str:
    """Give the path of what a process runs: a script that lies on a writable disk, else its program."""
    program = process.program.removesuffix(_DELETED)
    if program.startswith(_FOLDERS):
        return program
    script = script_of(process.argv)
    interprets = program.rpartition("/")[2].startswith(INTERPRETERS)
    return script if interprets and script.startswith(_FOLDERS) else program


def in_container(process: Process) -> bool:
    """Tell a process that a container runtime made, by its cgroup."""
    return _CONTAINER.search(process.cgroup) is not None


def _evidence(process: Process) -> ProcessEvidence:
    text = " ".join(process.argv).strip() or process.program
    return ProcessEvidence(pid=process.pid, name=process.name, text=text[:EVIDENCE_CAP])
