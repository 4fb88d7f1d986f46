"""Processes that do not get on: zombies, which nobody has asked for their end, and those in uninterruptible sleep."""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.process_list import listed
from nodediag.host.answer import Process
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.host.processes import BLOCKED, ZOMBIE
from nodediag.model.evidence import ProcessEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.PID
MOST: Final = 50


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """A process that has not waited for children of its own; its name is empty where it was not seen."""

    pid: int
    name: str
    zombies: int
    evidence: ProcessEvidence


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are at this moment, and who: parents of zombies by their number, and the blocked by pid."""

    zombies: int
    parents: tuple[Parent, ...]
    blocked: int
    blocked_processes: tuple[ProcessEvidence, ...]


def collect(host: Host) -> Processes:
    """List them; raises ReadError where not every process was seen with its state."""
    seen = listed(host)
    if not seen.complete or not all(process.state for process in seen.processes):
        detail = "not every process was seen with its state"
        raise ReadError("/proc", Reason(code=Code.NOT_CAPTURED, detail=detail, needs="the process list, as root"))
    by_pid = {process.pid: process for process in seen.processes}
    children: dict[int, list[Process]] = {}
    for process in seen.processes:
        if process.state == ZOMBIE:
            children.setdefault(process.ppid, []).append(process)
    parents = sorted(children, key=lambda pid: (-len(children[pid]), pid))
    blocked = [process for process in seen.processes if process.state == BLOCKED]
    return Processes(
        zombies=sum(map(len, children.values())),
        parents=tuple(_parent(pid, by_pid.get(pid), children[pid]) for pid in parents[:MOST]),
        blocked=len(blocked),
        blocked_processes=tuple(_evidence(process) for process in blocked[:MOST]),
    )


def _parent(pid: int, parent: Process | None, zombies: list[Process]) -> Parent:
    evidence = _evidence(parent) if parent is not None else _evidence(zombies[0])
    return Parent(pid=pid, name=parent.name if parent is not None else "", zombies=len(zombies), evidence=evidence)


def _evidence(process: Process) -> ProcessEvidence:
    words = " ".join(process.argv).strip() or f"[{process.name}]"
    return ProcessEvidence(pid=process.pid, name=process.name, text=f"{process.state} {words}"[:EVIDENCE_CAP])
