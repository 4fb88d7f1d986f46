"""The sections of a profile: a file is a `ProfileFile`; with what it extends laid under it, it is a `Profile`."""

import datetime as dt
from enum import StrEnum
from typing import Literal

import msgspec

from nodediag.model.image import Answer, ImageType, OsFamily
from nodediag.model.outcome import Severity
from nodediag.profiles.issue import Issue


class Persistence(StrEnum):
    """Whether what is written at a path is there after a reboot."""

    STATEFUL = "stateful"
    STATELESS = "stateless"


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which image a profile is for; the profile whose every key agrees, with the most keys, is taken."""

    image_type: ImageType | msgspec.UnsetType = msgspec.UNSET
    os_family: OsFamily | msgspec.UnsetType = msgspec.UNSET
    os_id: str | msgspec.UnsetType = msgspec.UNSET  # the ID of os-release, for a system that has no family here
    gke: Answer | msgspec.UnsetType = msgspec.UNSET


class PathRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must hold at a path, judged on the options that are in effect there. A key left out asks nothing."""

    writable: bool | msgspec.UnsetType = msgspec.UNSET
    executable: bool | msgspec.UnsetType = msgspec.UNSET
    suid: bool | msgspec.UnsetType = msgspec.UNSET
    devices: bool | msgspec.UnsetType = msgspec.UNSET
    persistence: Persistence | msgspec.UnsetType = msgspec.UNSET
    on: str = ""  # another path: both must lie on one file system
    optional: bool = False  # judged only where it is a mount of its own
    severity: Severity | msgspec.UnsetType = msgspec.UNSET
    why: str
    source: str
    document: str = ""
    departs: str = ""
    remedy: str = ""


class ExpectedMounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mounts that may be there beyond the layout; in `paths` a `*` stands for anything, slashes too."""

    paths: tuple[str, ...]
    why: str
    source: str


class RootRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The verified root: the device-mapper device, and the partitions that may stand below it."""

    verity: str
    slots: tuple[str, ...]
    slot_numbers: tuple[int, ...]
    why: str
    source: str
    document: str = ""
    remedy: str = ""


class CgroupRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cgroup version fits which releases of the image, by VERSION_ID, both ends included."""

    version: int
    since: str = ""
    until: str = ""
    why: str
    source: str
    remedy: str = ""


class KubeletRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a node of this image must run a kubelet, or only where there are signs of one."""

    always: bool
    why: str
    source: str
    remedy: str = ""


class EvictionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A threshold that holds where the kubelet was told none: a quantity or a percentage, below which it evicts."""

    value: str
    why: str
    source: str


class UnitRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must hold of a unit: it runs, and no mask keeps it from starting.

    `enabled` is for what is enabled once rather than started by something at each boot. An optional unit is judged only
    where the node has it. `own` are the files about it, with `*`, that the image or its scripts bring.
    """

    enabled: bool = False
    optional: bool = False
    own: tuple[str, ...] = ()
    severity: Severity | msgspec.UnsetType = msgspec.UNSET
    why: str
    source: str
    document: str = ""
    remedy: str = ""


class FailedUnitsRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units whose failure says nothing of the node; in `names` a `*` stands for anything."""

    names: tuple[str, ...]
    why: str
    source: str


class ThresholdRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where on a measured value is a problem; the key names what is measured, data/linux.toml says in what.

    Of a share or an average, `minimum` is of how many at least it must be; `spares` are names that are not judged, with
    `*` for anything, and `spares_why` says why they are not.
    """

    info: float | msgspec.UnsetType = msgspec.UNSET
    warning: float | msgspec.UnsetType = msgspec.UNSET
    critical: float | msgspec.UnsetType = msgspec.UNSET
    least: float | msgspec.UnsetType = msgspec.UNSET  # for what must not be lower: a warning
    minimum: float = 0.0
    spares: tuple[str, ...] = ()
    spares_why: str = ""
    why: str
    source: str
    remedy: str = ""


class FlappingRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many restarts of systemd's own, the last of them how recent, are too many."""

    restarts: int
    within_minutes: int
    why: str
    source: str
    remedy: str = ""


class StartupRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a boot may take, and how long any job after it."""

    boot_minutes: int
    job_minutes: int
    why: str
    source: str
    document: str = ""
    remedy: str = ""


class JournaldRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the journal is kept over a reboot, and by how much it may be larger than journald means it to be."""

    persistent: bool
    over_percent: int
    why: str
    source: str
    document: str = ""
    remedy: str = ""


class WaiverRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A problem that is known and borne: of one check, and of one subject where one is named, to the end of a day."""

    check: str
    subject: str = ""
    owner: str
    reason: str
    expires: dt.date


class SourceRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The projects from which images of this kind come; `internal` ones are for their makers alone."""

    projects: tuple[str, ...]
    internal: tuple[str, ...] = ()
    why: str
    source: str
    document: str = ""
    remedy: str = ""


class ConditionRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A NodeCondition: its good status, and the conditions of signatures that tell of the same in the journal.

    `exact` means that such a failure in the journal and a good status cannot both be true.
    """

    good: Literal["True", "False"]
    severity: Severity
    journal: tuple[str, ...] = ()
    exact: bool = False
    why: str
    source: str
    remedy: str = ""


class Applicable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The checks, or groups of them, that can be asked of a node of this image at all."""

    checks: tuple[str, ...]
    why: str


class Supported(StrEnum):
    """Google's words for a volume type on an image: `no` cannot work, `not` is untested and promised to nobody."""

    FULL = "full"
    LIMITED = "limited"
    NOT = "not"
    NO = "no"


class StorageRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Google's table says of a volume type; below `since_milestone` of COS it is not supported."""

    title: str
    supported: Supported
    since_milestone: int | msgspec.UnsetType = msgspec.UNSET
    why: str
    source: str
    document: str = ""
    departs: str = ""
    remedy: str = ""


class StateRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a thing may be: a word or name that one of `want` matches, where a `*` stands for anything.

    The key is the check's id, the files in data/ have its words. `since` and `until` are as in CgroupRule.
    """

    want: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    severity: Severity | msgspec.UnsetType = msgspec.UNSET
    why: str
    source: str
    document: str = ""
    departs: str = ""
    remedy: str = ""


class ArgumentRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Kernel arguments, `name` or `name=value` with `*` for anything, all of which must stand there or none may."""

    arguments: tuple[str, ...]
    present: bool
    severity: Severity | msgspec.UnsetType = msgspec.UNSET
    why: str
    source: str
    document: str = ""
    remedy: str = ""


class DeprecatedKeyRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys of containerd's configuration, as `key` or `key=value` with `*`, and the versions between which they count.

    `condition` is the NodeCondition under which GKE tells of them. One that `needs_version` is asked of no containerd
    whose version is not known.
    """

    keys: tuple[str, ...]
    condition: str
    since: str
    ends: str
    needs_version: bool = False
    severity: Severity | msgspec.UnsetType = msgspec.UNSET
    why: str
    source: str
    remedy: str = ""


class OwnKeysRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the image's own scripts write into containerd's configuration, as `key` or `key=value` with `*`."""

    keys: tuple[str, ...]
    why: str
    source: str


class SkewRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How new a runtime, or the kernel, must be for kubelets from `since` to `until` (minor versions, both included).

    `least` has a version for each branch that is still maintained; a branch that is newer than all of them is new
    enough, one that is older than all is too old.
    """

    of: Literal["containerd", "docker", "kernel"]
    since: str = ""
    until: str = ""
    with_cgroup_2: bool = False
    least: tuple[str, ...]
    severity: Severity
    why: str
    source: str
    remedy: str = ""


class ProfileFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile as it is written; see the files in data/ for what each key is for."""

    name: str
    version: str
    date: str
    document: str
    source: str
    extends: str = ""
    match: Match | msgspec.UnsetType = msgspec.UNSET
    essential: tuple[str, ...] = ()
    severity: dict[str, Severity] = {}
    without: tuple[str, ...] = ()
    paths: dict[str, PathRule] = {}
    expected_mounts: tuple[ExpectedMounts, ...] = ()
    root: RootRule | msgspec.UnsetType = msgspec.UNSET
    cgroup: tuple[CgroupRule, ...] = ()
    kubelet: KubeletRule | msgspec.UnsetType = msgspec.UNSET
    eviction: dict[str, EvictionRule] = {}
    thresholds: dict[str, ThresholdRule] = {}
    units: dict[str, UnitRule] = {}
    failed_units: tuple[FailedUnitsRule, ...] = ()
    flapping: FlappingRule | msgspec.UnsetType = msgspec.UNSET
    startup: StartupRule | msgspec.UnsetType = msgspec.UNSET
    journald: JournaldRule | msgspec.UnsetType = msgspec.UNSET
    waivers: tuple[WaiverRule, ...] = ()
    image_source: SourceRule | msgspec.UnsetType = msgspec.UNSET
    conditions: dict[str, ConditionRule] = {}
    applicable: Applicable | msgspec.UnsetType = msgspec.UNSET
    storage: dict[str, StorageRule] = {}
    states: dict[str, StateRule] = {}
    cmdline: tuple[ArgumentRule, ...] = ()
    deprecated_keys: dict[str, DeprecatedKeyRule] = {}
    own_keys: tuple[OwnKeysRule, ...] = ()
    skew: dict[str, SkewRule] = {}


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A profile with all it extends laid under it; `digest` covers them all."""

    name: str
    version: str
    date: str
    document: str
    source: str
    digest: str
    fits: bool = True  # false for the base profile where no image profile fits
    match: Match | msgspec.UnsetType = msgspec.UNSET
    essential: tuple[str, ...] = ()
    severity: dict[str, Severity] = {}
    paths: dict[str, PathRule] = {}
    expected_mounts: tuple[ExpectedMounts, ...] = ()
    root: RootRule | msgspec.UnsetType = msgspec.UNSET
    cgroup: tuple[CgroupRule, ...] = ()
    kubelet: KubeletRule | msgspec.UnsetType = msgspec.UNSET
    eviction: dict[str, EvictionRule] = {}
    thresholds: dict[str, ThresholdRule] = {}
    units: dict[str, UnitRule] = {}
    failed_units: tuple[FailedUnitsRule, ...] = ()
    flapping: FlappingRule | msgspec.UnsetType = msgspec.UNSET
    startup: StartupRule | msgspec.UnsetType = msgspec.UNSET
    journald: JournaldRule | msgspec.UnsetType = msgspec.UNSET
    waivers: tuple[WaiverRule, ...] = ()
    judged_on: dt.date = dt.date.max  # the day on which a waiver must still hold; where none is said, none does
    judged_at: dt.datetime = dt.datetime.max.replace(tzinfo=dt.UTC)  # the moment, by which certificates are judged
    image_source: SourceRule | msgspec.UnsetType = msgspec.UNSET
    conditions: dict[str, ConditionRule] = {}
    applicable: Applicable | msgspec.UnsetType = msgspec.UNSET
    storage: dict[str, StorageRule] = {}
    issues: tuple[Issue, ...] = ()  # known issues of any image; each says itself which it is of
    states: dict[str, StateRule] = {}
    cmdline: tuple[ArgumentRule, ...] = ()
    deprecated_keys: dict[str, DeprecatedKeyRule] = {}
    own_keys: tuple[OwnKeysRule, ...] = ()
    skew: dict[str, SkewRule] = {}
