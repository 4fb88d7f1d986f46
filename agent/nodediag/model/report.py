"""The report: nodediag's public contract. Field order here is key order there; its JSON Schema is made from these."""

from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, Literal, Self, TypeVar

import msgspec

from nodediag.model.image import Answer, Finding, ImageType, OsFamily, RuntimeName
from nodediag.model.logs import LogResult
from nodediag.model.outcome import CheckResult, Verdict
from nodediag.model.reason import BlindSpot

F = TypeVar("F")

SCHEMA: Final = "nodediag.report/1"


class Origin(StrEnum):
    """Through what we look at the node."""

    LIVE = "live"
    POD = "pod"
    TOOLBOX = "toolbox"
    TREE = "tree"
    RECORDING = "recording"
    SOSREPORT = "sosreport"
    NONE = "none"


FOLDERS: Final = frozenset({Origin.TREE, Origin.SOSREPORT})  # some of a node's files, saved


class Scope(StrEnum):
    """Whether every check was selected."""

    FULL = "full"
    PARTIAL = "partial"


class DataAge(msgspec.Struct, frozen=True, kw_only=True):
    """The date of the newest file of a kind of data, and its age when the node was looked at."""

    date: str
    age_days: int


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """Which nodediag judged, with which data; `data` has its kinds: profiles, signatures, issues, gke_versions."""

    version: str
    data_digest: str
    data: dict[str, DataAge] = {}


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Checks by outcome, problems that count by severity; `waived` is there when some do not count."""

    outcomes: dict[str, int]
    severities: dict[str, int]
    waived: int | msgspec.UnsetType = msgspec.UNSET


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How the node was seen, and what could not be seen."""

    origin: Origin
    root: str
    uid: int
    blind_spots: tuple[BlindSpot, ...]
    blind_spots_total: int | msgspec.UnsetType = msgspec.UNSET


class Os(msgspec.Struct, frozen=True, kw_only=True):
    """The operating system, in os-release(5)'s words; "unknown" where not known, "none" where it has no such field."""

    family: OsFamily
    id: str
    name: str
    version: str
    build: str
    milestone: str


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """Where the node runs."""

    gke: Answer
    gce: Answer
    gke_version: str


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """The runtime the kubelet uses."""

    name: RuntimeName
    version: str
    endpoint: str


class Kubelet(msgspec.Struct, frozen=True, kw_only=True):
    """The running kubelet."""

    version: str


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """The running kernel."""

    release: str


class Cgroup(msgspec.Struct, frozen=True, kw_only=True):
    """The cgroup version the kubelet finds: `v1` (legacy and hybrid), `v2`, `unknown`."""

    version: str


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Who the node is. No nulls: what is not known says "unknown", what there is none of says "none"."""

    name: str
    hostname: str
    machine_id: str
    boot_id: str
    booted_at: str
    arch: str
    zone: str
    instance_id: str
    os: Os
    platform: Platform
    image_type: ImageType
    runtime: Runtime
    kubelet: Kubelet
    kernel: Kernel
    cgroup: Cgroup
    evidence: dict[str, tuple[Finding, ...]]


class Departure(msgspec.Struct, frozen=True, kw_only=True):
    """Where the profile follows real nodes and the document says otherwise; `document` is its row, or "none"."""

    path: str
    document: str
    says: str


class StorageSupport(msgspec.Struct, frozen=True, kw_only=True):
    """What Google says of a volume type on this image, beside what `facts.storage` says that kernel and tools can."""

    volume: str
    supported: str
    since_milestone: int | msgspec.UnsetType = msgspec.UNSET
    document: str


class LayoutRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the profile asks of a path; what is left out it does not ask. An optional path need not be there."""

    path: str
    writable: bool | msgspec.UnsetType = msgspec.UNSET
    executable: bool | msgspec.UnsetType = msgspec.UNSET
    suid: bool | msgspec.UnsetType = msgspec.UNSET
    devices: bool | msgspec.UnsetType = msgspec.UNSET
    persistence: str = ""
    on: str = ""
    optional: bool = False
    document: str = ""


class ProfileUsed(msgspec.Struct, frozen=True, kw_only=True):
    """The profile the node was judged by; `digest` covers it and all it extends."""

    name: str
    version: str
    digest: str
    date: str
    document: str
    source: str
    departures: tuple[Departure, ...]
    storage: tuple[StorageSupport, ...] = ()
    layout: tuple[LayoutRule, ...] = ()


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of a bundle's node when the bundle was made, and by which version."""

    verdict: Verdict
    version: str


class Report(msgspec.Struct, Generic[F], frozen=True, kw_only=True):
    """One diagnosis, whole; generic over the facts so that this room need not know them."""

    schema: Literal["nodediag.report/1"] = SCHEMA
    observed_at: datetime
    generated_at: datetime
    tool: Tool
    captured: Captured | msgspec.UnsetType = msgspec.UNSET
    verdict: Verdict
    verdict_because: tuple[str, ...]
    scope: Scope
    counts: Counts
    view: View
    node: Node
    profile: ProfileUsed | msgspec.UnsetType = msgspec.UNSET
    checks: tuple[CheckResult, ...]
    logs: LogResult
    facts: F
    duration_ms: dict[str, int]

    def timeless(self) -> Self:
        """Give that of a recording as of when the node was looked at: made again it is the same."""
        if self.view.origin is not Origin.RECORDING:
            return self
        return msgspec.structs.replace(self, generated_at=self.observed_at, duration_ms={}, captured=msgspec.UNSET)
