"""The time asked for, in words that `journalctl --since` takes, see systemd.time(7): a span back, or a date."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from nodediag.errors import UsageError
from nodediag.journal.journal import Query
from nodediag.journal.reach import boot as boot_said

_SPAN: Final = re.compile(r"-?(\d+)\s*(s|sec|m|min|h|hour|hours|d|day|days|w|week|weeks)(?:\s+ago)?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = timedelta(days=36500)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What of a journal is asked for. Without `until` it ends `now`; without `since` it is the last `span`, or all.

    `now` is when the node was looked at; of a capture without a date of its own that is its newest entry's time. From
    there `since` and `until` count back, as with journalctl; `since` from `until` where that is a date.
    """

    now: datetime
    since: str = ""
    until: str = ""
    boot: str = ""
    span: str = ""

    def __post_init__(self) -> None:
        """Refuse words that mean no time; raises UsageError."""
        self.query(())

    def query(self, units: tuple[str, ...]) -> Query:
        """Ask for some units within it."""
        end = moment("--until", self.until, self.now) if self.until else self.now
        start = moment("--since", self.span, end) if self.span else _BEGINNING
        if self.since:
            start = moment("--since", self.since, self.now if _is_span(self.until) else end)
        return Query(units=units, since=start, until=end, boot=boot_said("--boot", self.boot) if self.boot else "")


def _is_span(text: str) -> bool:
    return _SPAN.fullmatch(text.strip().lower()) is not None


def moment(option: str, text: str, now: datetime) -> datetime:
    """Give the time that `--since` or `--until` means; raises UsageError."""
    said = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if said in named:
        return named[said]
    span = _SPAN.fullmatch(said)
    if span is not None:
        back = timedelta(seconds=min(int(span[1]) * _SECONDS[span[2][0]], int(_LONGEST.total_seconds())))
        return max(now - back, _BEGINNING)
    try:
        at = (
            datetime.fromtimestamp(float(said[1:]), UTC)
            if said.startswith("@")
            else datetime.fromisoformat(text.strip())
        )
    except (ValueError, OverflowError, OSError) as error:
        wanted = "wanted a span such as 24h, a date such as 2026-11-21 or 2026-11-21T12:00:00Z, today, yesterday"
        raise UsageError(f"{option} {text!r}: {wanted}") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
