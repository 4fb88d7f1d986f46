"""Which way of reading the journal this system allows."""

from collections.abc import Callable
from typing import Final

from nodediag.host.journal_files import Found
from nodediag.journal.journal import Journal

Way = Callable[[Found, int, float], Journal]


def pick(found: Found, *, since_us: int, budget_s: float) -> Journal:
    """Read by libsystemd where it is there and opens a file, else by journalctl; that one tells if it cannot either."""
    *others, last = WAYS
    for way in others:
        try:
            journal = way(found, since_us, budget_s)
        except ImportError:
            continue
        if journal.sources():
            return journal
    return last(found, since_us, budget_s)


def _libsystemd(found: Found, since_us: int, budget_s: float) -> Journal:
    from nodediag.journal.native import NativeJournal  # noqa: PLC0415 - libsystemd may not be there

    return NativeJournal(found, since_us=since_us, budget_s=budget_s)


def _journalctl(found: Found, since_us: int, budget_s: float) -> Journal:
    from nodediag.journal.journalctl import JournalctlJournal  # noqa: PLC0415 - rarely used

    return JournalctlJournal(found, since_us=since_us, budget_s=budget_s)


WAYS: Final[tuple[Way, ...]] = (_libsystemd, _journalctl)
