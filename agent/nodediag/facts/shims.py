"""The shims of containerd, a process for each pod, and those whose pod is gone.

A shim's working folder is the bundle of its pod (containerd's core/runtime/v2, docs/runtime-v2.md); containerd removes
it when the pod's task has been deleted, and the shim ends then. In the bundle `init.pid` names the pod's first process.
"""

from enum import StrEnum
from itertools import pairwise
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.process_list import SHIMS, listed
from nodediag.host.answer import Process
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.host.processes import pid_of
from nodediag.model.evidence import ProcessEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.PID
_DELETED: Final = " (deleted)"
_MOST: Final = 100
_MOST_LOOKED_AT: Final = 500
_INIT_PID: Final = "init.pid"


class Left(StrEnum):
    """What is gone while the shim lives on."""

    BUNDLE = "bundle"
    PROCESS = "process"


class Shim(msgspec.Struct, frozen=True, kw_only=True):
    """A shim that was left over: `id` is that of the pod's container, `gone` what it should stand beside."""

    pid: int
    namespace: str
    id: str
    gone: Left
    evidence: ProcessEvidence


class Shims(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are, and the first hundred by pid of those left over; some of them may not be `seen`."""

    total: int
    left: tuple[Shim, ...]
    left_total: int
    unseen: Reason | msgspec.UnsetType = msgspec.UNSET


def collect(host: Host) -> Shims:
    """Look at each; raises ReadError where not every process was seen, or shims do not show their folders."""
    seen = listed(host)
    if not seen.complete:
        detail = "not every process was seen"
        raise ReadError("/proc", Reason(code=Code.NOT_CAPTURED, detail=detail, needs="the process list, as root"))
    shims = [one for one in seen.processes if one.name.startswith(SHIMS) and "-id" in one.argv and one.state != "Z"]
    found: list[Shim] = []
    unseen: Reason | msgspec.UnsetType = msgspec.UNSET
    for process in shims[:_MOST_LOOKED_AT]:
        try:
            gone = _gone(host, process)
        except ReadError as error:
            if error.reason.code is Code.NOT_PERMITTED:  # of none, then
                raise
            unseen = error.reason
            continue
        if gone is not None and _lives(host, process.pid):
            found.append(_shim(process, gone))
    return Shims(total=len(shims), left=tuple(found[:_MOST]), left_total=len(found), unseen=unseen)


def _gone(host: Host, process: Process) -> Left | None:
    """Tell what of its pod is gone; nothing of a shim that has ended meanwhile."""
    try:
        folder = host.working_folder(process.pid)
    except ReadError as error:
        if error.reason.code is Code.ABSENT:
            return None
        raise
    if folder.endswith(_DELETED):
        return Left.BUNDLE
    told = host.absent(host.text, f"{folder}/{_INIT_PID}")
    pid = pid_of(told.strip()) if told is not None else None
    if pid is None:  # a task that is being made, or a runtime that keeps no such file
        return None
    return None if _lives(host, pid) else Left.PROCESS


def _lives(host: Host, pid: int) -> bool:
    return host.absent(host.stat, f"/proc/{pid}/stat") is not None


def _shim(process: Process, gone: Left) -> Shim:
    text = " ".join(process.argv)[:EVIDENCE_CAP]
    return Shim(
        pid=process.pid,
        namespace=_option(process.argv, "-namespace"),
        id=_option(process.argv, "-id"),
        gone=gone,
        evidence=ProcessEvidence(pid=process.pid, name=process.name, text=text),
    )


def _option(argv: tuple[str, ...], name: str) -> str:
    return next((after for word, after in pairwise(argv) if word == name), "")
