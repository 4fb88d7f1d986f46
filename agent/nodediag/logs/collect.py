"""The journal of a node, from its files to what it tells; the part that runs in a child."""

from time import monotonic_ns
from typing import Final

import msgspec

from nodediag.host import journal_files, own
from nodediag.host.host import Taken
from nodediag.journal.journal import Journal, Query, Source, wall_time
from nodediag.journal.pick import pick
from nodediag.journal.printed import printed
from nodediag.journal.reach import of_boot, short
from nodediag.logs.excerpt import Excerpt
from nodediag.logs.matcher import Matcher
from nodediag.logs.node import NEEDS, WHAT
from nodediag.logs.scan import Scan
from nodediag.logs.scanned import Scanned
from nodediag.logs.units import UNITS
from nodediag.logs.window import Window
from nodediag.model.logs import LogResult
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.signatures.load import merge

_READING: Final = 0.8  # of the time; the rest is for what was read till then


def scan_files(  # noqa: PLR0913 - what is read, and how
    folder: str,
    signatures: dict[str, str],
    window: Window,
    *,
    budget_s: float = 60.0,
    saved: Taken | None = None,
    excerpt: bool = False,
) -> bytes:
    """Read and judge the journal files below a root; what it came to is packed, for the way to the parent.

    Of a folder with some of a node's files `saved` says when these were; it may hold what journalctl printed instead.
    """
    start = monotonic_ns()
    since_us, _ = window.query(()).window_us
    found = journal_files.find(folder)
    journal = pick(found, since_us=0 if saved else since_us, budget_s=budget_s * _READING)
    if saved and not journal.sources():
        journal = printed(folder, saved, window.now) or journal
    asked = _as_of(journal.sources(), window) if saved and saved.at is None else window
    query = asked.query(UNITS)
    if journal.sources():
        matcher, kept = Matcher(merge(signatures)), Excerpt() if excerpt else None
        own.give_back()  # what it took to compile them
        scanned = scan(journal, matcher, query, kept)
        took_us = (monotonic_ns() - start) // 1000
        masked = {} if kept is None else kept.counts()
        return msgspec.msgpack.encode(msgspec.structs.replace(scanned, took_us=took_us, masked=masked))
    code = Code.NOT_CAPTURED if saved else Code.ABSENT
    absent = Reason(code=code, detail=f"no journal file below {' or '.join(journal_files.FOLDERS)}", needs=NEEDS)
    losses = journal.blind_spots() or (BlindSpot(what=WHAT, reason=absent),)
    result = LogResult.unread(query.since, query.until, losses)
    return msgspec.msgpack.encode(Scanned(result=result, on_image={}))


def scan(journal: Journal, matcher: Matcher, query: Query, excerpt: Excerpt | None = None) -> Scanned:
    """Judge what a journal tells of the boot and the time asked for, and say what of them it does not hold."""
    meant = of_boot(journal, query)
    if isinstance(meant, BlindSpot):
        lost = LogResult.unread(query.since, query.until, (*journal.blind_spots(), meant))
        return Scanned(result=lost, on_image={})
    scanned = Scan(matcher, excerpt).run(journal, meant)
    losses = (*short(journal.sources(), query), *scanned.result.losses)
    result = msgspec.structs.replace(scanned.result, losses=losses)
    packed = excerpt.packed(journal) if excerpt is not None else b""
    return msgspec.structs.replace(scanned, result=result, excerpt=packed)


def _as_of(sources: tuple[Source, ...], window: Window) -> Window:
    """Let a window end with the newest entry."""
    newest_us = max((source.last_us for source in sources), default=0)
    newest = wall_time(newest_us) if newest_us > 0 else None
    return window if newest is None else msgspec.structs.replace(window, now=newest)
