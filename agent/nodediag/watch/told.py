"""What the children of `watch` tell their parent: lines of JSON. Kept apart from their work, which it need not load."""

from datetime import datetime

import msgspec

from nodediag.model.changes import Sight
from nodediag.model.outcome import Severity, Verdict, Waiver


class Waived(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver on signatures that the journal may show to be critical; on all of them where none is named."""

    signature: str
    waiver: Waiver


class Judging(msgspec.Struct, frozen=True, kw_only=True):
    """How a profile judges the signatures that the journal may show to be critical: how grave, and which are waived."""

    severity: Severity = Severity.CRITICAL
    waived: tuple[Waived, ...] = ()


class Diagnosed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A diagnosis that came to an end, and what is to be said of it; `lost` is why its report could not be kept."""

    sight: Sight
    node: str
    verdict: Verdict
    because: tuple[str, ...]
    outcomes: dict[str, int]
    severities: dict[str, int]
    judging: Judging
    kept: str
    lost: str
    metrics: str
    duration_ms: int


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A piece of work that could not be done, with the exit status that the same verb would have ended with."""

    status: int
    why: str


class Place(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Where the node's files are, and whose system it runs."""

    folder: str
    family: str


class Found(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A signature that the journal has just shown to be critical on this node."""

    signature: str
    fingerprint: str
    title: str
    time: datetime
    unit: str
    text: str
    subjects: tuple[str, ...]


class Beat(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The follower lives; it has read so many entries since it last said so, up to a cursor, from so many files."""

    cursor: str
    entries: int
    files: int


class Kept(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The state was written, or why it was not."""

    lost: str


Told = Diagnosed | Failed | Place | Found | Beat | Kept
