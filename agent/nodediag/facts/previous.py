"""The counters that an earlier report holds, for `--previous`."""

import msgspec

from nodediag.errors import UsageError
from nodediag.facts.counters import Counters


class _Fact(msgspec.Struct, frozen=True):
    """The counters as a report holds them; `total` is there where some were cut."""

    value: Counters | msgspec.UnsetType = msgspec.UNSET
    total: dict[str, int] = {}


class _Kept(msgspec.Struct, frozen=True):
    """What a report holds of its facts, as far as rates need it."""

    counters: _Fact = _Fact()


class _Report(msgspec.Struct, frozen=True):
    schema: str
    facts: _Kept


def read(path: str, text: str) -> Counters | msgspec.UnsetType:
    """Take the counters out of a report; unset where it has not all of them. Raises UsageError for another file."""
    try:
        report = msgspec.json.decode(text, type=_Report)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise UsageError(f"--previous {path}: wanted a report of nodediag as JSON, or a recording: {error}") from error
    if not report.schema.startswith("nodediag.report/"):
        raise UsageError(f"--previous {path}: wanted a report of nodediag, found one of {report.schema[:80]!r}")
    return msgspec.UNSET if report.facts.counters.total else report.facts.counters.value
