"""The journal of a node, from its files to what it tells; the part that runs in a child."""

from typing import Final

import msgspec

from nodediag.host import journal_files
from nodediag.journal.journal import Journal, Query
from nodediag.journal.pick import pick
from nodediag.journal.reach import of_boot, short
from nodediag.logs.matcher import Matcher
from nodediag.logs.scan import Scan
from nodediag.model.image import OsFamily
from nodediag.model.logs import LogResult
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.signatures.load import merge

_READING: Final = 0.8  # of the time; the rest is for what was read till then


def scan_files(root: str, signatures: dict[str, str], family: OsFamily, query: Query, budget_s: float = 60.0) -> bytes:
    """Read and judge the journal files below a root; what it came to is packed, for the way to the parent."""
    since_us, _ = query.window_us
    journal = pick(journal_files.find(root), since_us=since_us, budget_s=budget_s * _READING)
    if journal.sources():
        return msgspec.msgpack.encode(scan(journal, Matcher(merge(signatures)), family, query))
    absent = Reason(code=Code.ABSENT, detail=f"no journal file below {' or '.join(journal_files.FOLDERS)} can be read")
    losses = journal.blind_spots() or (BlindSpot(what="the journal", reason=absent),)
    return msgspec.msgpack.encode(LogResult.unread(query.since, query.until, losses))


def scan(journal: Journal, matcher: Matcher, family: OsFamily, query: Query) -> LogResult:
    """Judge what a journal tells of the boot and the time asked for, and say what of them it does not hold."""
    meant = of_boot(journal, query)
    if isinstance(meant, BlindSpot):
        return LogResult.unread(query.since, query.until, (*journal.blind_spots(), meant))
    result = Scan(matcher, family).run(journal, meant)
    return msgspec.structs.replace(result, losses=(*short(journal.sources(), query), *result.losses))


def unpack(packed: bytes) -> LogResult:
    """Undo the packing."""
    return msgspec.msgpack.decode(packed, type=LogResult)
