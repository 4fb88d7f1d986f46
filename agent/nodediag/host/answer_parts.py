"""What some answers are made of: units and jobs, a runtime's conditions and handlers, chains, files, sizes; when."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Microseconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]

Masked: TypeAlias = dict[str, int] | msgspec.UnsetType  # how many secrets, by the rule's id, where there were any


class Timing(msgspec.Struct, frozen=True):
    """When a question was put to a node, and how long the answer took."""

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    took_us: Count


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


class Hook(StrEnum):
    """Where in a packet's way a chain stands: what is for this machine, what it passes on, what it sends itself."""

    INPUT = "input"
    FORWARD = "forward"
    OUTPUT = "output"


class Policy(StrEnum):
    """What becomes of a packet that no rule of a chain decides on."""

    ACCEPT = "accept"
    DROP = "drop"


class BaseChain(msgspec.Struct, frozen=True, kw_only=True):
    """A chain that packets come to by themselves; `program` is that of the kernel: ip_tables or nf_tables.

    The family is `ip`, `ip6`, or `inet` for both.
    """

    program: str
    family: str
    table: str
    chain: str
    hook: Hook
    policy: Policy


class FileBelow(msgspec.Struct, frozen=True):
    """A file that was found: its path below the folder, and its bytes."""

    path: str
    data: bytes


class Size(msgspec.Struct, frozen=True):
    """What an entry takes of the disk, with all that lies below it; its path is that below the folder."""

    path: str
    bytes: Count
    files: Count


class Login(StrEnum):
    """How a kubeconfig logs in; a program is one that client-go runs to be given a certificate or token."""

    CERTIFICATE = "certificate"
    TOKEN = "token"  # noqa: S105 - its name, not one
    PASSWORD = "password"  # noqa: S105 - its name, not one
    PROGRAM = "program"
    NONE = "none"
