"""How cloud-init fared in this boot: /run/cloud-init/result.json and status.json, as its documentation has them."""

from enum import StrEnum
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

NAMESPACE: Final = Namespace.MOUNT
RESULT_PATH: Final = "/run/cloud-init/result.json"
STATUS_PATH: Final = "/run/cloud-init/status.json"
DISABLED_PATHS: Final = ("/run/cloud-init/disabled", "/etc/cloud/cloud-init.disabled")
UPTIME_PATH: Final = "/proc/uptime"
_MOST: Final = 20


class CloudInitState(StrEnum):
    """`none` where it has left no trace in this boot."""

    DONE = "done"
    FAILED = "failed"
    RUNNING = "running"
    DISABLED = "disabled"
    NONE = "none"


class CloudInit(msgspec.Struct, frozen=True, kw_only=True):
    """What it says of itself; `uptime_s` is there while it runs, where it is known."""

    state: CloudInitState
    stage: str = ""
    datasource: str = ""
    errors: tuple[str, ...] = ()
    uptime_s: float | msgspec.UnsetType = msgspec.UNSET
    evidence: tuple[FileEvidence, ...] = ()


class _Result(msgspec.Struct, frozen=True):
    datasource: str | None = None
    errors: tuple[str, ...] = ()


class _ResultFile(msgspec.Struct, frozen=True):
    v1: _Result


class _Status(msgspec.Struct, frozen=True):
    stage: str | None = None
    datasource: str | None = None


class _StatusFile(msgspec.Struct, frozen=True):
    v1: _Status


def collect(host: Host) -> CloudInit:
    """Read the result; without one, how far it has come."""
    result = host.absent(host.text, RESULT_PATH)
    if result is not None:
        return parse_result(result)
    status = host.absent(host.text, STATUS_PATH)
    if status is not None:
        return msgspec.structs.replace(parse_status(status), uptime_s=_uptime(host))
    for path in DISABLED_PATHS:
        if host.absent(host.stat, path) is not None:
            evidence = FileEvidence(path=path, line=0, text="")
            return CloudInit(state=CloudInitState.DISABLED, evidence=(evidence,))
    return CloudInit(state=CloudInitState.NONE)


def parse_result(text: str) -> CloudInit:
    """Parse result.json, which is written at the end."""
    try:
        told = msgspec.json.decode(text, type=_ResultFile).v1
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ParseError(RESULT_PATH, text, "cloud-init's result, version 1") from error
    said = "; ".join(told.errors) or f"datasource {told.datasource}, no errors"
    return CloudInit(
        state=CloudInitState.FAILED if told.errors else CloudInitState.DONE,
        datasource=told.datasource or "",
        errors=tuple(error[:EVIDENCE_CAP] for error in told.errors[:_MOST]),
        evidence=(FileEvidence(path=RESULT_PATH, line=0, text=said[:EVIDENCE_CAP]),),
    )


def parse_status(text: str) -> CloudInit:
    """Parse status.json, which tells the stage it is in."""
    try:
        told = msgspec.json.decode(text, type=_StatusFile).v1
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ParseError(STATUS_PATH, text, "cloud-init's status, version 1") from error
    stage = told.stage or "none"
    evidence = FileEvidence(path=STATUS_PATH, line=0, text=f"stage {stage}"[:EVIDENCE_CAP])
    return CloudInit(state=CloudInitState.RUNNING, stage=stage, datasource=told.datasource or "", evidence=(evidence,))


def _uptime(host: Host) -> float | msgspec.UnsetType:
    try:
        return float(host.first_line(UPTIME_PATH).text.split()[0])
    except (ReadError, ValueError, IndexError) as error:
        if isinstance(error, ReadError) and error.reason.code is Code.TIMED_OUT:
            raise
        return msgspec.UNSET
