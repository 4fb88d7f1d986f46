"""What was asked of a journal and what it can tell: which boot is meant, and whether it goes back far enough."""

import re
from typing import Final

import msgspec

from nodediag.errors import UsageError
from nodediag.journal.journal import Journal, Query, Source, wall_time
from nodediag.model.reason import BlindSpot, Code, Reason

_BOOT: Final = re.compile(r"[+-]?[0-9]{1,6}|[0-9a-f]{32}")
_BOOT_ID_LENGTH: Final = 32
_AT_BOOT_US: Final = 120_000_000  # a journal that begins within two minutes of a boot begins with it


def boot(option: str, text: str) -> str:
    """Check what `--boot` was given, as journalctl takes it: 0, -1 and so on, 1 for the first one, or an id."""
    said = text.strip().lower().replace("-", "", 4 if len(text.strip()) > _BOOT_ID_LENGTH else 0)
    if _BOOT.fullmatch(said) is None:
        raise UsageError(f"{option} {text!r}: wanted 0 for the last boot, -1 for the one before, or a boot's id")
    return said


def of_boot(journal: Journal, query: Query) -> Query | BlindSpot:
    """Put the id of the boot that is meant into a query, or say that the journal does not hold it."""
    if not query.boot:
        return query
    boots = journal.boots()
    if len(query.boot) == _BOOT_ID_LENGTH:
        meant = query.boot if query.boot in boots else ""
    else:
        offset = int(query.boot)
        place = offset - 1 if offset > 0 else len(boots) - 1 + offset
        meant = boots[place] if 0 <= place < len(boots) else ""
    if meant:
        return msgspec.structs.replace(query, boot=meant)
    reason = Reason(code=Code.ABSENT, detail=f"the journal holds {len(boots)} boots, and not the one asked for")
    return BlindSpot(what=f"boot {query.boot}", reason=reason)


def short(sources: tuple[Source, ...], query: Query) -> tuple[BlindSpot, ...]:
    """Say so when the journal does not go back as far as was asked: what it does not hold, it does not tell of."""
    since_us, _ = query.window_us
    held = [source for source in sources if source.entries and source.first_us > 0]
    if since_us <= 0 or not held:
        return ()
    machine = max(held, key=lambda source: source.last_us).machine
    oldest = min((source for source in held if source.machine == machine), key=lambda source: source.first_us)
    if oldest.first_us <= since_us:
        return ()
    detail = f"asked from {_time(since_us)}, the oldest entry is of {_time(oldest.first_us)}; {_why(oldest, since_us)}"
    return (BlindSpot(what="the beginning of the window", reason=Reason(code=Code.ABSENT, detail=detail)),)


def _why(oldest: Source, since_us: int) -> str:
    if oldest.first_number > 1:
        return f"it has the number {oldest.first_number}: those before it were rotated away or deleted"
    if oldest.first_uptime_us > _AT_BOOT_US:
        up_us = oldest.first_us - oldest.first_uptime_us
        asked = "before the window" if up_us <= since_us else "within the window"
        return f"the machine was up since {_time(up_us)}, {asked}, and what it logged until then is lost"
    if oldest.first_number == 1:
        return "the journal begins there, with a boot; whether the machine was up before cannot be told"
    return "whether the machine was up before cannot be told"


def _time(time_us: int) -> str:
    at = wall_time(time_us)
    return f"{time_us} us" if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")
