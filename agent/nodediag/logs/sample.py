"""An entry as a report shows it."""

from typing import Final

from nodediag.journal.journal import Entry
from nodediag.logs.times import said
from nodediag.model.logs import LogSample
from nodediag.redact import redact_text

MOST_TEXT: Final = 1024


def sample(unit: str, entry: Entry, text: bytes, cursor: str) -> LogSample:
    """Keep an entry, with its message or the whole report that it begins: redacted, then cut."""
    shown = redact_text(text.decode("utf-8", "backslashreplace"))[:MOST_TEXT]
    return LogSample(time=said(entry.time_us), unit=unit, cursor=cursor, text=shown)
