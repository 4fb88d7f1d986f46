"""The journal of a node, from its files to what it tells; the part that runs in a child."""

import msgspec

from nodediag.host import journal_files
from nodediag.journal.journal import Query
from nodediag.logs.matcher import Matcher
from nodediag.logs.scan import Scan
from nodediag.model.image import OsFamily
from nodediag.model.logs import LogResult
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.signatures.load import merge


def scan_files(root: str, signatures: dict[str, str], family: OsFamily, query: Query) -> bytes:
    """Read and judge the journal files below a root; what it came to is packed, for the way to the parent."""
    from nodediag.journal.native import NativeJournal  # noqa: PLC0415 - libsystemd only where it is used

    journal = NativeJournal(journal_files.find(root))
    if journal.sources():
        return msgspec.msgpack.encode(Scan(Matcher(merge(signatures)), family).run(journal, query))
    absent = Reason(code=Code.ABSENT, detail=f"no journal file below {' or '.join(journal_files.FOLDERS)} can be read")
    losses = journal.blind_spots() or (BlindSpot(what="the journal", reason=absent),)
    return msgspec.msgpack.encode(LogResult.unread(query.since, query.until, losses))


def unpack(packed: bytes) -> LogResult:
    """Undo the packing."""
    return msgspec.msgpack.decode(packed, type=LogResult)
