"""How earlier boots ended. One that ended without a shutdown crashed, was reset or lost power: its last lines tell."""

import re
from typing import Final

from nodediag.journal.journal import Entry, Journal, Query
from nodediag.logs.sample import sample
from nodediag.logs.times import said
from nodediag.model.logs import AbruptEnd

MOST_ENDS: Final = 4
_LOOKED_AT: Final = 64
_SHOWN: Final = 10
# What systemd, its shutdown helper and journald say when a machine goes down on purpose; systemd src/core/job.c,
# src/shutdown/shutdown.c, src/journal/journald-server.c, src/login/logind-action.c.
_SHUTDOWN: Final = re.compile(
    rb"""
    Journal\ stopped | Stopp(?:ed|ing)\ (?:target\ |Flush\ Journal) | Received\ SIGTERM\ from\ PID\ 1
    | Reached\ target\ .*(?:[Ss]hutdown|[Rr]eboot|[Pp]ower.?[Oo]ff|[Hh]alt|Final\ Step|Unmount\ All)
    | System\ is\ (?:rebooting|powering\ (?:off|down)|halting) | The\ system\ (?:is\ going\ down|will\ )
    | ^Shutting\ down\.$ | systemd-shutdown | reboot:\ (?:Restarting|Power|System\ halted)
    """,
    re.VERBOSE | re.MULTILINE,
)


def abrupt_ends(journal: Journal, query: Query) -> tuple[AbruptEnd, ...]:
    """Give the boots that ended in the window without a shutdown, the newest first; the newest boot is not over."""
    since_us, until_us = query.window_us
    ends: list[AbruptEnd] = []
    for boot in journal.boots()[:-1][-MOST_ENDS:][::-1]:
        if query.boot not in {"", boot}:
            continue
        lines = journal.ending(boot, _LOOKED_AT)
        if lines and since_us <= lines[-1][1].time_us <= until_us and not _shut_down(lines):
            shown = tuple(sample(unit, entry, entry.message, entry.cursor) for unit, entry in lines[-_SHOWN:])
            ends.append(AbruptEnd(boot=boot, last=said(lines[-1][1].time_us), lines=shown))
    return tuple(ends)


def _shut_down(lines: list[tuple[str, Entry]]) -> bool:
    return any(_SHUTDOWN.search(entry.message) for _, entry in lines)
