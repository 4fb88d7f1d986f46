"""What the journal told: the report's `logs`."""

from datetime import datetime
from typing import Self

import msgspec

from nodediag.model.evidence import JournalEvidence
from nodediag.model.outcome import Severity
from nodediag.model.reason import BlindSpot


class LogSample(msgspec.Struct, frozen=True, kw_only=True):
    """One entry, cut to a kilobyte; `cursor` is empty where the entry has none."""

    time: str
    unit: str
    cursor: str
    text: str

    @property
    def evidence(self) -> JournalEvidence:
        """What a problem quotes of it."""
        return JournalEvidence(cursor=self.cursor, time=self.time, unit=self.unit, text=self.text)


class LogRelation(msgspec.Struct, frozen=True, kw_only=True):
    """What happened on purpose shortly before a failure began: a context finding, and how long before."""

    id: str
    title: str
    time: str
    after_ms: int


class LogFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A signature that matched: how often, when, about what, and whether it is still so.

    `follows` is what it came shortly after, so that a planned stop is not taken for a fault.
    """

    id: str
    condition: str
    title: str
    severity: Severity
    count: int
    first: str
    last: str
    active: bool
    subjects: tuple[str, ...]
    units: tuple[str, ...]
    samples: tuple[LogSample, ...]
    cause: str
    remedy: str
    source: str
    follows: tuple[LogRelation, ...] = ()


class UnitLogs(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of one unit by level; `cut` is how many were left out beyond the bound."""

    entries: int
    levels: dict[str, int]
    first: str
    last: str
    cut: int


class ErrorShape(msgspec.Struct, frozen=True, kw_only=True):
    """Errors that no signature names, alike but for numbers, ids and paths."""

    unit: str
    count: int
    shape: str
    sample: LogSample


class LogFile(msgspec.Struct, frozen=True, kw_only=True):
    """A journal file, by its header: what it says it holds."""

    path: str
    entries: int
    first: str
    last: str
    state: str


class AbruptEnd(msgspec.Struct, frozen=True, kw_only=True):
    """A boot that ended without a shutdown: a crash, a reset, a power loss. `lines` are its last ones."""

    boot: str
    last: str
    lines: tuple[LogSample, ...]


class LogResult(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `reached` is the oldest entry seen: the journal may not go back as far as was asked.

    `reader` says how it was read; it is empty where it was not, and `losses` says why.
    """

    reader: str
    since: datetime
    until: datetime
    reached: str
    entries: int
    files: tuple[LogFile, ...]
    units: dict[str, UnitLogs]
    context: tuple[LogFinding, ...]
    signatures: tuple[LogFinding, ...]
    shapes: tuple[ErrorShape, ...]
    losses: tuple[BlindSpot, ...]
    abrupt_ends: tuple[AbruptEnd, ...] = ()

    @classmethod
    def unread(cls, since: datetime, until: datetime, losses: tuple[BlindSpot, ...]) -> Self:
        """Give the result of a journal that could not be read."""
        return cls(
            reader="", since=since, until=until, reached="", entries=0, files=(), units={}, signatures=(), context=(),
            shapes=(), losses=losses,
        )  # fmt: skip
