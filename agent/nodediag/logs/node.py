"""The journal of the node that is diagnosed: being read, told by a recording, or not asked for."""

from typing import Final, Protocol

import msgspec

from nodediag.errors import ReadError, UsageError
from nodediag.host.host import Taken
from nodediag.host.nowhere import REASON as NOWHERE
from nodediag.host.work import Work
from nodediag.logs.scanned import Scanned
from nodediag.logs.window import Window
from nodediag.model.image import OsFamily
from nodediag.model.logs import LogResult
from nodediag.model.reason import BlindSpot, Code, Reason

NEEDS: Final = "the node's journal, below /var/log/journal or /run/log/journal"
WHAT: Final = "the journal"
LOGS: Final = "logs.json"  # in a recording
NOT_ASKED: Final = BlindSpot(
    what=WHAT,
    reason=Reason(code=Code.NOT_ASKED, detail="this run did not ask for it", needs="a run without --no-logs"),
)
_UNKEPT: Final = "the journal was not read when this was recorded"


class Excerpted(msgspec.Struct, frozen=True):
    """The lines that a bundle takes along, how many secrets were masked in them by rule, how long reading all took."""

    lines: bytes = b""
    masked: dict[str, int] = {}
    took_us: int | msgspec.UnsetType = msgspec.UNSET


NOTHING: Final = Excerpted()


class Logs(Protocol):
    """What the journal of a node tells, however that is known."""

    def judged(self, family: OsFamily) -> LogResult:
        """Give what it means on an image; it is waited for here."""

    def excerpt(self) -> Excerpted:
        """Give the lines that a bundle takes along, where they were asked for; once it is judged."""

    def close(self) -> None:
        """Let go of whatever still reads."""


class ReadLogs:
    """A node's journal files, read in a child that begins at once; made before the parent grows, it stays small.

    Of a folder with some of a node's files `saved` says when these were, where that is known. With `excerpt` a part of
    the journal is kept.
    """

    def __init__(  # noqa: PLR0913 - what is read, and how
        self,
        folder: str,
        signatures: dict[str, str],
        window: Window,
        *,
        budget_s: float,
        saved: Taken | None,
        excerpt: bool = False,
    ) -> None:
        self._window = window
        self._scanned: Scanned | None = None

        def work() -> bytes:
            from nodediag.logs.collect import scan_files  # noqa: PLC0415 - only the child needs the engine

            return scan_files(folder, signatures, window, budget_s=budget_s, saved=saved, excerpt=excerpt)

        self._work = Work(WHAT, work, budget_s=budget_s)

    def judged(self, family: OsFamily) -> LogResult:
        """Wait for the child, and let it go."""
        try:
            scanned = msgspec.msgpack.decode(self._work.result(), type=Scanned)
        except ReadError as error:
            return unread(self._window, error.reason)
        self._work.close()
        self._scanned = scanned
        return scanned.judged(family)

    def excerpt(self) -> Excerpted:
        """Give what the child kept."""
        from nodediag.logs.excerpt import unpacked  # noqa: PLC0415 - only a bundle wants it

        if self._scanned is None:
            return NOTHING
        return Excerpted(unpacked(self._scanned.excerpt), self._scanned.masked, self._scanned.took_us)

    def close(self) -> None:
        """Let the child go."""
        self._work.close()


class KeptLogs(msgspec.Struct, frozen=True):
    """What is known already: by a recording, or that nothing was asked for."""

    result: LogResult

    def judged(self, family: OsFamily) -> LogResult:
        """Give it: on which image it was found is long decided."""
        del family
        return self.result

    def excerpt(self) -> Excerpted:
        """Give none: nothing was read."""
        return NOTHING

    def close(self) -> None:
        """Nothing reads."""


def not_asked(window: Window) -> KeptLogs:
    """Give what a run without logs knows."""
    return KeptLogs(unread(window, NOT_ASKED.reason))


def not_captured(window: Window) -> KeptLogs:
    """Give what is known where no node is looked at."""
    return KeptLogs(unread(window, NOWHERE))


def kept(data: bytes | None, window: Window, *, asked: bool) -> KeptLogs:
    """Give what a recording holds, or of what time it is where the logs are not asked for, now or when it was made.

    A recording that is older than the keeping of that time has none. Raises UsageError where it is none of ours.
    """
    try:
        held = not_asked(window).result if data is None else msgspec.json.decode(data, type=LogResult)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{LOGS} of the recording is not what `report --record` writes: {error}") from error
    if asked and held.losses != (NOT_ASKED,):
        return KeptLogs(held)
    unkept = BlindSpot(what=WHAT, reason=Reason(code=Code.NOT_CAPTURED, detail=_UNKEPT, needs=NEEDS))
    return KeptLogs(LogResult.unread(held.since, held.until, (unkept if asked else NOT_ASKED,)))


def encoded(result: LogResult) -> bytes:
    """Give what a recording keeps of the journal."""
    return msgspec.json.encode(result)


def unread(window: Window, reason: Reason) -> LogResult:
    """Give the result of a journal that was not read, with the one reason."""
    query = window.query(())
    return LogResult.unread(query.since, query.until, (BlindSpot(what=WHAT, reason=reason),))
