"""COS's update engine: whether it is there, runs, and has already written another image to the other slot.

Whether a running engine may update is said by the instance's metadata (`cos-update-strategy`), which is not read here.
"""

from enum import StrEnum
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.process_list import UPDATE_ENGINE, listed
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.model.evidence import Evidence, PathEvidence, ProcessEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT
PATH: Final = "/usr/sbin/update_engine"
DONE_PATH: Final = "/var/lib/update_engine/prefs/update-completed-on-boot-id"
_BOOT_PATH: Final = "/proc/sys/kernel/random/boot_id"


class EngineState(StrEnum):
    """`none` where the image has no such program."""

    NONE = "none"
    OFF = "off"
    RUNS = "runs"
    UPDATED = "updated"


class UpdateEngine(msgspec.Struct, frozen=True, kw_only=True):
    """The engine; `updated` means that the next reboot starts what it has written since this boot."""

    state: EngineState
    evidence: tuple[Evidence, ...]


def collect(host: Host) -> UpdateEngine:
    """Look for the program, what it has done, and its process; raises ReadError where one of them stays open."""
    found = host.absent(host.stat, PATH)
    if found is None:
        return UpdateEngine(state=EngineState.NONE, evidence=(PathEvidence(path=PATH, type="none"),))
    done = host.absent(host.first_line, DONE_PATH)
    if done is not None and done.text == host.first_line(_BOOT_PATH).text:
        return UpdateEngine(state=EngineState.UPDATED, evidence=(done.evidence,))
    seen = listed(host)
    running = [process for process in seen.processes if process.name == UPDATE_ENGINE]
    if running:
        first = running[0]
        text = " ".join(first.argv)[:EVIDENCE_CAP]
        return UpdateEngine(
            state=EngineState.RUNS, evidence=(ProcessEvidence(pid=first.pid, name=first.name, text=text),)
        )
    if not seen.complete:
        detail = "not every process was captured, and no update engine is among them"
        raise ReadError("/proc", Reason(code=Code.NOT_CAPTURED, detail=detail, needs="the process list, as root"))
    return UpdateEngine(state=EngineState.OFF, evidence=(PathEvidence(path=PATH, type=found.kind.value),))
