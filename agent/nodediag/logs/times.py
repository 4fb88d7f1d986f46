"""Times of the journal as a report gives them."""

from nodediag.journal.journal import wall_time


def said(time_us: int) -> str:
    """Give RFC 3339; empty for a time that is not known."""
    if time_us <= 0:
        return ""
    at = wall_time(time_us)
    return "" if at is None else at.isoformat(timespec="microseconds").replace("+00:00", "Z")
