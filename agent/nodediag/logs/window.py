"""Times as `journalctl --since` takes them, see systemd.time(7): a span back from now, or a date."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from nodediag.errors import UsageError

_SPAN: Final = re.compile(r"-?(\d+)\s*(s|sec|m|min|h|hour|hours|d|day|days|w|week|weeks)(?:\s+ago)?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST: Final = timedelta(days=36500)


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
        return max(now - back, datetime(1970, 1, 1, tzinfo=UTC))
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
