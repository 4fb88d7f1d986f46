"""What systemd says of its units, its jobs and the boot, see org.freedesktop.systemd1(5).

Where it cannot be asked, as in a pod that was given no socket, the cgroups of the node's processes still tell which
services have some: of those it is known that they are active, and of all others nothing.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.host.answer import SystemdAnswer
from nodediag.host.answer_parts import Job, UnitState
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.evidence import DbusEvidence, Evidence, FileEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT  # it is asked by a path
_PROC: Final = "/proc"
_MOST_PROCESSES: Final = 20_000
_NOT_SYSTEM: Final = ("kubepods", "machine", "user")
_SERVICE: Final = re.compile(r"[^/]+\.service")
_NO_UNIT: Final = ("not-found", "inactive")  # others only name it
_STARTING: Final = frozenset({"initializing", "starting"})


class How(StrEnum):
    """How units are known: systemd was asked, or the processes' cgroups were read."""

    DBUS = "dbus"
    CGROUPS = "cgroups"


class Unit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One unit in systemd's words; what was not asked of it is left out.

    `restarts` are systemd's own since somebody last started it: a planned stop or restart is not among them.
    """

    name: str
    load: str = ""
    active: str
    sub: str = ""
    job: str = ""
    restarts: int | msgspec.UnsetType = msgspec.UNSET
    result: str = ""
    exit_status: int = 0
    changed: datetime | msgspec.UnsetType = msgspec.UNSET
    started: datetime | msgspec.UnsetType = msgspec.UNSET
    seen: FileEvidence | msgspec.UnsetType = msgspec.UNSET  # where a process of it was


class Startup(msgspec.Struct, frozen=True, kw_only=True):
    """How far the boot is; a stage that was not gone through, or is not over, takes 0."""

    state: str
    finished: bool
    uptime_ms: int
    kernel_ms: int
    initrd_ms: int
    userspace_ms: int


class Units(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The units; `reason` is there where systemd itself could not be asked, and then `units` are not all."""

    how: How
    reason: Reason | msgspec.UnsetType = msgspec.UNSET
    asked: datetime | msgspec.UnsetType = msgspec.UNSET
    socket: str = ""
    version: str = ""
    startup: Startup | msgspec.UnsetType = msgspec.UNSET
    jobs: tuple[Job, ...] = ()
    units: tuple[Unit, ...]

    def at(self, name: str) -> Unit | None:
        """Give the unit of that name."""
        return next((unit for unit in self.units if unit.name == name), None)

    def evidence(self, unit: Unit) -> Evidence:
        """Give what was said of a unit, or where a process of it was seen."""
        if unit.seen is not msgspec.UNSET:
            return unit.seen
        text = " ".join(filter(None, (unit.load, unit.active, unit.sub, unit.result)))
        return DbusEvidence(path=self.socket, name=unit.name, text=text)


def collect(host: Host) -> Units:
    """Ask systemd, or see which services have processes; raises ReadError where neither tells anything."""
    try:
        return from_systemd(host.units())
    except ReadError as error:
        if error.reason.code is Code.ABSENT:  # systemd always has a socket of its own
            raise
        found = _with_processes(host)
        if not found:
            raise
        return Units(how=How.CGROUPS, reason=error.reason, units=found)


def from_systemd(answer: SystemdAnswer) -> Units:
    """Take the answer apart: microseconds become times."""
    finished = bool(answer.finished_us) and answer.state not in _STARTING
    userspace_us = answer.userspace_us
    startup = Startup(
        state=answer.state,
        finished=finished,
        uptime_ms=answer.uptime_us // 1000,
        kernel_ms=(answer.initrd_us or userspace_us) // 1000,
        initrd_ms=max(userspace_us - answer.initrd_us, 0) // 1000 if answer.initrd_us else 0,
        userspace_ms=max(answer.finished_us - userspace_us, 0) // 1000 if finished else 0,
    )
    return Units(
        how=How.DBUS,
        asked=_time(answer.asked_us),
        socket=answer.socket,
        version=answer.version,
        startup=startup,
        jobs=answer.jobs,
        units=tuple(_unit(unit) for unit in answer.units if (unit.load, unit.active) != _NO_UNIT),
    )


def service_of(path: str) -> str:
    """Give the service whose cgroup a path is or is below, empty where it is none of the system's.

    From inside a cgroup namespace a path outside it begins with `..`, see cgroup_namespaces(7).
    """
    names = [name for name in path.split("/") if name not in {"", ".."}]
    for name in names:
        if _SERVICE.fullmatch(name):
            return name
        if not name.endswith(".slice") or name.startswith(_NOT_SYSTEM):
            return ""
    return ""


def _unit(state: UnitState) -> Unit:
    return Unit(
        name=state.name,
        load=state.load,
        active=state.active,
        sub=state.sub,
        job=state.job,
        restarts=state.restarts,
        result=state.result,
        exit_status=state.exit_status,
        changed=_time(state.changed_us),
        started=_time(state.started_us),
    )


def _time(us: int) -> datetime | msgspec.UnsetType:
    """Give a time, unset for never and for what no calendar holds."""
    try:
        return datetime.fromtimestamp(us / 1_000_000, UTC) if us else msgspec.UNSET
    except (ValueError, OverflowError, OSError):
        return msgspec.UNSET


def _with_processes(host: Host) -> tuple[Unit, ...]:
    try:
        pids = [name for name in host.list(_PROC) if name.isascii() and name.isdecimal()]
    except ReadError:
        return ()
    found = {unit.name: unit for pid in pids[:_MOST_PROCESSES] for unit in _of_process(host, pid)}
    return tuple(found[name] for name in sorted(found))


def _of_process(host: Host, pid: str) -> Iterator[Unit]:
    path = f"{_PROC}/{pid}/cgroup"
    try:
        lines = host.lines(path)
    except ReadError:
        return
    for line in lines:
        hierarchy, _, rest = line.text.partition(":")
        controllers, _, cgroup = rest.partition(":")
        if hierarchy == "0" or controllers == "name=systemd":
            name = service_of(cgroup)
            if name:
                yield Unit(name=name, active="active", seen=line.evidence)
