"""A signature: one known failure, how its log lines are recognised, what it means, what to do."""

from typing import Final

import msgspec

from nodediag.model.image import OsFamily
from nodediag.model.outcome import Severity

_SPANS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


_PLANNED_STOP: Final = "context-planned-stop"


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One record of a signature file; a journal entry that matches one of `patterns` is an occurrence of it.

    Patterns are RE2 over the bytes of the message, not anchored, case-sensitive unless they say `(?i)`.
    """

    id: str
    condition: str  # the failure's name; several signatures may tell of one condition
    title: str
    severity: Severity
    patterns: tuple[str, ...]
    units: tuple[str, ...] = ()  # sources, see logs/sources.py; none means any
    levels: tuple[str, ...] = ()  # of the message: fatal error warning info debug unknown; none means any
    unless: tuple[str, ...] = ()  # a message that also matches one of these does not count
    extract: tuple[str, ...] = ()  # named groups give the subjects: pod, container, image, volume, device, ...
    cleared_by: tuple[
        str, ...
    ] = ()  # a later message that says the fault is over; a named group: of that subject alone
    over: tuple[str, ...] = ()  # ids of broader signatures that say nothing more once this one has matched
    minimum: int = 1  # occurrences within `window` from which on it has the severity above; below it is info
    window: str = "24h"
    reset_by_planned_stop: bool = False  # occurrences before a planned stop of the unit do not count
    over_after: str = ""  # it repeats while it lasts: over once its unit has gone on logging for so long without it
    ends_with_boot: bool = False  # a state of the running kernel: a newer boot in which it was not seen has ended it
    loses: bool = (
        False  # what it tells of is missing from the journal: also a loss; `unit` and `count` are whose and how much
    )
    vague: int = 0  # 1 says what failed but not why, 2 only what was met, 3 only whose error it is: gives way to less
    block: str = ""  # its lines are part of a report of many lines, see logs/blocks.py; `trace` is part of any
    on_cos: Severity | msgspec.UnsetType = msgspec.UNSET  # where the image gives the same words another meaning
    on_ubuntu: Severity | msgspec.UnsetType = msgspec.UNSET
    cause: str
    remedy: str
    source: str
    samples: tuple[str, ...]
    near_misses: tuple[str, ...]
    file: str = ""  # set when it is loaded

    @property
    def on_image(self) -> dict[OsFamily, Severity]:
        """Its severity where the image gives the words another meaning."""
        pairs = {OsFamily.COS: self.on_cos, OsFamily.UBUNTU: self.on_ubuntu}
        return {family: severity for family, severity in pairs.items() if isinstance(severity, Severity)}

    @property
    def window_us(self) -> int:
        """How long `window` is."""
        return int(self.window[:-1]) * _SPANS[self.window[-1]] * 1_000_000

    @property
    def over_after_us(self) -> int:
        """How long `over_after` is, 0 where it has none."""
        return int(self.over_after[:-1]) * _SPANS[self.over_after[-1]] * 1_000_000 if self.over_after else 0

    @property
    def is_planned_stop(self) -> bool:
        """Whether it tells that a program was stopped on purpose, which makes its restarts no failures."""
        return self.condition == _PLANNED_STOP

    @property
    def is_context(self) -> bool:
        """Whether it tells of no failure, but of what may explain others: a drain, a maintenance event."""
        return self.id.startswith("context.")


class SignatureFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of signatures, and when it was last looked through."""

    date: str = ""
    signature: tuple[Signature, ...]
