"""Which problems are open, by what has been said of them: what a restart must neither repeat nor lose.

There are two books: what has been decided, and what of it the sink has accepted. Only the second is saved, with the
journal's cursor that belongs to it, so a line that was not accepted is made again.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from nodediag.model.changes import Noted, Sight, changes
from nodediag.model.outcome import Subject, Waiver
from nodediag.watch.told import Found, Judging

CHECK: Final = "logs.critical"
SIGNATURE: Final = "signature"


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """A problem that is open, and when it began: the time of the look, or of the journal's entry, that first had it."""

    problem: Noted
    began_at: datetime


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept from one run to the next."""

    schema: Literal["nodediag.watch/0"] = "nodediag.watch/0"
    cursor: str = ""
    open: tuple[Open, ...] = ()
    judging: Judging = Judging()


class Began(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="problem_began"):
    """A problem that was not there before; `seen_by` is `diagnosis` or `journal`."""

    schema: Literal["nodediag.watch/0"] = "nodediag.watch/0"
    time: datetime
    node: str
    began_at: datetime
    seen_by: str
    problem: Noted
    text: str = ""
    subjects: tuple[str, ...] = ()


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="problem_ended"):
    """A problem that is over: a look that saw enough did not have it any more at `ended_at`."""

    schema: Literal["nodediag.watch/0"] = "nodediag.watch/0"
    time: datetime
    node: str
    began_at: datetime
    ended_at: datetime
    problem: Noted


Change = Began | Ended


class Book:
    """The problems that are open. `node` is its name, as far as it is known yet."""

    def __init__(self, state: State) -> None:
        self.node = "unknown"
        self.cursor = state.cursor
        self.judging = state.judging  # by the profile of the last diagnosis
        self._decided = {one.problem.fingerprint: one for one in state.open}
        self._accepted = dict(self._decided)

    def look(self, sight: Sight, now: datetime, young: Collection[str]) -> tuple[Change, ...]:
        """Give the changes that a diagnosis brings; `young` were found in the journal while it ran."""
        found = changes({mark: one.problem for mark, one in self._decided.items()}, sight, young)
        began = [self._began(problem, sight.observed_at, now, "diagnosis") for problem in found.began]
        ended = [
            Ended(time=now, node=self.node, began_at=one.began_at, ended_at=sight.observed_at, problem=one.problem)
            for one in (self._decided.pop(mark) for mark in found.ended)
        ]
        return (*began, *ended)

    def find(self, found: Found, now: datetime) -> tuple[Change, ...]:
        """Give the change that a signature brings; none where it is open already."""
        if found.fingerprint in self._decided:
            return ()
        problem = Noted(
            fingerprint=found.fingerprint,
            check=CHECK,
            severity=self.judging.severity,
            subject=Subject(SIGNATURE, found.signature),
            message=found.title,
            waiver=self._waiver(found.signature, now),
        )
        change = self._began(problem, found.time, now, "journal")
        return (msgspec.structs.replace(change, text=found.text, subjects=found.subjects),)

    def _waiver(self, signature: str, now: datetime) -> Waiver | msgspec.UnsetType:
        """Find the waiver on a signature as a diagnosis would: one that still holds before one that has expired."""
        today = now.astimezone(UTC).date()
        found = [
            msgspec.structs.replace(one.waiver, expired=today > one.waiver.expires)
            for one in self.judging.waived
            if one.signature in {"", signature}
        ]
        return min(found, key=lambda waiver: waiver.expired, default=msgspec.UNSET)

    def _began(self, problem: Noted, began_at: datetime, now: datetime, seen_by: str) -> Began:
        self._decided[problem.fingerprint] = Open(problem=problem, began_at=began_at)
        return Began(time=now, node=self.node, began_at=began_at, seen_by=seen_by, problem=problem)

    def accept(self, change: Change) -> None:
        """Take note that the sink has a change."""
        mark = change.problem.fingerprint
        if isinstance(change, Began):
            self._accepted[mark] = Open(problem=change.problem, began_at=change.began_at)
        else:
            self._accepted.pop(mark, None)

    def refuse(self, changes: Iterable[Change]) -> None:
        """Undo changes that there was no room for, so that the next look brings them again."""
        for change in changes:
            mark = change.problem.fingerprint
            if isinstance(change, Began):
                self._decided.pop(mark, None)
            else:
                self._decided[mark] = Open(problem=change.problem, began_at=change.began_at)

    @property
    def open(self) -> int:
        """How many problems are open."""
        return len(self._decided)

    def state(self) -> State:
        """Give what is to be saved."""
        return State(cursor=self.cursor, open=tuple(self._accepted.values()), judging=self.judging)
