"""What some answers of a host are made of: systemd's units and jobs, the conditions and handlers of a runtime."""

from typing import Annotated, TypeAlias

import msgspec

Microseconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class UnitState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One unit, in systemd's words; times are since 1970, 0 for never.

    `restarts` are those that systemd made by itself since somebody last started it, asked of services that run or
    should. The last four are asked of units that failed, were restarted, or are between two states.
    """

    name: str
    load: str
    active: str
    sub: str
    job: str = ""
    restarts: Annotated[int, msgspec.Meta(ge=0)] | msgspec.UnsetType = msgspec.UNSET
    result: str = ""
    exit_status: int = 0
    changed_us: Microseconds = 0
    started_us: Microseconds = 0


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job that systemd has not finished: `start` of a unit, `waiting` or `running`."""

    unit: str
    type: str
    state: str


class RuntimeCondition(msgspec.Struct, frozen=True):
    """A condition of the runtime: RuntimeReady, NetworkReady, or one of its own."""

    type: str
    status: bool
    reason: str
    message: str


class RuntimeHandler(msgspec.Struct, frozen=True):
    """What a pod may ask for by a RuntimeClass; the default one has no name."""

    name: str
    recursive_read_only_mounts: bool
    user_namespaces: bool
