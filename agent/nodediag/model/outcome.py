"""What a check can say: its outcome, and the problems it found, each with the evidence it rests on."""

from datetime import date
from enum import StrEnum

import msgspec

from nodediag.model.evidence import Evidence
from nodediag.model.reason import Reason

Value = str | int | float | bool | tuple[str, ...]


class Severity(StrEnum):
    """How urgent a problem is: now or within hours, this week, or only worth knowing."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Outcome(StrEnum):
    """How a check ended; `unknown` means it could not look, `broken` that nodediag has a bug."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"
    NOT_SELECTED = "not_selected"
    BROKEN = "broken"


class Verdict(StrEnum):
    """The one word about the whole node."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class Subject(msgspec.Struct, frozen=True):
    """What a problem is about, such as the path `/var` or the partition `sda3`."""

    kind: str
    name: str


class Requirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The line of a profile that was not met; `document` is the founding document's row it departs from or follows."""

    profile: str
    key: str
    why: str
    source: str
    document: str = ""


class Waiver(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody's word that a problem is known and borne to the end of a day, UTC; then the problem counts again."""

    owner: str
    reason: str
    expires: date
    expired: bool = False


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is not as it should be. `fingerprint` is made by the check's runner.

    `cause` names what it rests on where other problems may rest on it too, as on a device that has failed.
    """

    fingerprint: str = ""
    severity: Severity
    subject: Subject
    message: str
    expected: str
    observed: str
    values: dict[str, Value] = {}
    requirement: Requirement | msgspec.UnsetType = msgspec.UNSET
    remedy: str = ""
    waiver: Waiver | msgspec.UnsetType = msgspec.UNSET
    cause: Subject | msgspec.UnsetType = msgspec.UNSET
    evidence: tuple[Evidence, ...]
    truncated: bool = False

    @property
    def counts(self) -> bool:
        """Whether it counts to verdict and exit status: no waiver that is still in force is on it."""
        return self.waiver is msgspec.UNSET or self.waiver.expired


class CheckResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one check ended; `problems_total` is there when more were found than are listed."""

    id: str
    title: str
    outcome: Outcome
    reason: Reason | msgspec.UnsetType = msgspec.UNSET
    problems: tuple[Problem, ...]
    problems_total: int | msgspec.UnsetType = msgspec.UNSET
