"""Times of the journal as a report gives them."""

from datetime import UTC, datetime


def said(time_us: int) -> str:
    """Give RFC 3339; empty for a time that is not known."""
    if time_us <= 0:
        return ""
    try:
        return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return ""
