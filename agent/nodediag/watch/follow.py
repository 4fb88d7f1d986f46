"""The follower: reads what the journal gets between diagnoses, and tells of a critical signature within seconds.

It looks every few seconds whether there is more, which costs less than being told of each entry, and needs none of the
node's inotify watches. Where it reached to is a cursor, so neither a clock step nor its own death loses an entry. It
runs in a child: libsystemd maps the files, see journal/native.py.
"""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from nodediag.host import journal_files, own
from nodediag.host.child import Tell
from nodediag.journal.journal import KERNEL, wall_time
from nodediag.journal.native import Tail
from nodediag.logs.units import UNITS
from nodediag.model.digest import fingerprint
from nodediag.model.image import OsFamily
from nodediag.model.outcome import Subject
from nodediag.signatures.load import merge
from nodediag.watch.changes import CHECK, SIGNATURE
from nodediag.watch.lookout import Lookout, Sighting
from nodediag.watch.told import Beat, Found, Place

PAUSE_S: Final = 4.0
BEAT_S: Final = 30.0
_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT_S: Final = 1.0
_MOST_AT_ONCE: Final = 5000
_MOST_TEXT: Final = 300
_SLACK_US: Final = 3_600_000_000  # by how much clocks may have stepped while files were rotated
_TIME: Final = re.compile(r"(?:^|;)t=([0-9a-f]{1,16})(?:;|$)")

Signatures = Callable[[], dict[str, str]]


def follow(tell: Tell, place: Place, signatures: Signatures, cursor: str, since_us: int) -> None:
    """Follow the journal below a folder from a cursor, or a time, until we are killed."""
    own.be_gentle()
    lookout = Lookout(merge(signatures()), OsFamily(place.family))
    follower = Follower(tell, place.folder, lookout, cursor, since_us)
    while True:
        time.sleep(follower.step())


class Follower:
    """Reads step by step; `tell` gets what is found, and now and then where it reached to."""

    def __init__(self, tell: Tell, folder: str, lookout: Lookout, cursor: str, since_us: int) -> None:
        self._tell = tell
        self._folder = folder
        self._folders = journal_files.Folders(folder)
        self._lookout = lookout
        self._units = frozenset(UNITS)
        self._since_us = since_us
        self._stamps = self._folders.stamps()
        self._tail = Tail(journal_files.find(folder), cursor=cursor, since_us=_time_us(cursor) or since_us)
        self._entries = 0
        self._beaten = float("-inf")
        self._is_new = True

    def step(self) -> float:
        """Read once, tell of what was found, and give how long to wait before the next step."""
        self._reopen_if_changed()
        entries, count = self._tail.entries(self._units, _MOST_AT_ONCE)
        self._entries += count
        was_open = self._lookout.is_open
        for unit, entry in entries:
            self._lookout.add(unit, entry)
        if was_open and not any(unit == KERNEL for unit, _ in entries):
            self._lookout.settle()  # nothing has been added to it for a moment
        sightings = self._lookout.sightings()
        for sighting in sightings:
            self._tell(msgspec.json.encode(_found(sighting)))
        if sightings or time.monotonic() - self._beaten >= BEAT_S:
            self._beat()
        if count == _MOST_AT_ONCE:
            return 0.0
        return _MOMENT_S if self._lookout.is_open else PAUSE_S

    @property
    def cursor(self) -> str:
        """Where it has read to."""
        return self._tail.cursor

    def _reopen_if_changed(self) -> None:
        """Open the files anew when one came, went or was renamed, and once more: a new one may not be whole yet."""
        stamps = self._folders.stamps()
        is_changed = stamps != self._stamps
        is_blind = not self._tail.files and time.monotonic() - self._beaten >= BEAT_S
        if not (is_changed or self._is_new or is_blind):
            return
        self._stamps = stamps
        self._is_new = is_changed
        cursor = self._tail.cursor
        self._tail.close()
        since_us = _time_us(cursor) or self._since_us
        self._tail = Tail(journal_files.find(self._folder), cursor=cursor, since_us=since_us)

    def _beat(self) -> None:
        self._beaten = time.monotonic()
        beat = Beat(cursor=self._tail.cursor, entries=self._entries, files=self._tail.files)
        self._entries = 0
        self._tell(msgspec.json.encode(beat))


def _time_us(cursor: str) -> int:
    """Give the time of a cursor's entry, less what clocks may step; 0 where it has none."""
    found = _TIME.search(cursor)
    return max(0, int(found[1], 16) - _SLACK_US) if found is not None else 0


def _found(sighting: Sighting) -> Found:
    from nodediag.redact import redact_text  # noqa: PLC0415 - who finds nothing need not have it

    signature, entry = sighting.signature, sighting.entry
    return Found(
        signature=signature.id,
        fingerprint=fingerprint(CHECK, Subject(SIGNATURE, signature.id)),
        title=signature.title,
        time=(wall_time(entry.time_us) or _NO_TIME).replace(microsecond=0),
        unit=sighting.unit,
        text=redact_text(sighting.text.decode("utf-8", "backslashreplace"))[:_MOST_TEXT],
        subjects=sighting.subjects,
    )
