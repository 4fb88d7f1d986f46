"""Journal files read through libsystemd; the one place that knows systemd-python's private calls (235 is pinned).

`_next`, `_get` and `_get_realtime` convert nothing and are five times as fast as the library's public iterator. See
sd_journal_next(3), sd_journal_get_data(3), sd_journal_add_match(3). libsystemd maps files into memory: one that is cut
short while it is read kills the reader with SIGBUS, so this runs in a child process only.
"""

from collections.abc import Iterator
from typing import Final

from systemd import _reader

from nodediag.host.journal_files import Found
from nodediag.journal import header
from nodediag.journal.journal import KERNEL, Entry, Query, Source
from nodediag.model.reason import BlindSpot, Code, Reason

_BATCH: Final = 128
_THRESHOLD_BYTES: Final = 64 * 1024
_BEING_WRITTEN: Final = "online"
_SYSTEMD_COREDUMP: Final = "fc2e22bc6ee647b6b90729ab34a250b1"


class NativeJournal:
    """Some journal files as one journal; host opened them inside the node's root. What cannot be opened is left out."""

    name = "libsystemd"

    def __init__(self, found: Found) -> None:
        self._spots = list(found.refused)
        self._sources: list[Source] = []
        self._paths: list[str] = []
        for file in found.files:
            source = header.parse(file.head, file.name)
            if source is None:
                self._refuse(file.name, "it has no journal header")
            elif self._whole(file.path, source):
                self._paths.append(file.path)
                self._sources.append(source)

    def _whole(self, path: str, source: Source) -> bool:
        """Look whether libsystemd opens a file, and reaches both ends that its header names: it tells of no damage."""
        try:
            reader = _reader._Reader(flags=0, files=[path])  # noqa: SLF001 - see above
        except (OSError, ValueError, SystemError) as error:
            self._refuse(source.path, f"it cannot be opened: {error}")
            return False
        if source.entries and source.state != _BEING_WRITTEN:
            for seek, step, wanted in (
                (reader.seek_head, reader._next, source.first_us),  # noqa: SLF001 - see above
                (reader.seek_tail, reader._previous, source.last_us),  # noqa: SLF001 - see above
            ):
                seek()
                if not step() or reader._get_realtime() != wanted:  # noqa: SLF001 - see above
                    self._refuse(source.path, f"damaged: of its {source.entries} entries not all can be reached")
                    break
        return True

    def _refuse(self, name: str, why: str) -> None:
        reason = Reason(code=Code.UNPARSABLE, detail=f"{name}: {why}")
        self._spots.append(BlindSpot(what=name, reason=reason))

    def batches(self, unit: str, query: Query) -> Iterator[list[Entry]]:
        """Give the entries of a unit in the window, in the journal's order."""
        reader = self._opened(unit)
        since, until = int(query.since.timestamp() * 1e6), int(query.until.timestamp() * 1e6)
        reader.seek_realtime(since)
        following, field, clock = reader._next, reader._get, reader._get_realtime  # noqa: SLF001 - see above
        batch: list[Entry] = []
        while following():
            time_us = clock()
            if not since <= time_us <= until:
                continue
            try:
                message = field("MESSAGE")
            except KeyError:
                message = b""
            try:
                priority = field("PRIORITY")
            except KeyError:
                priority = b""
            batch.append(Entry(time_us, message, priority[0] - 48 if priority else None))
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _opened(self, unit: str) -> "_reader._Reader":
        reader = _reader._Reader(flags=0, files=self._paths)  # noqa: SLF001 - see above
        reader.data_threshold = _THRESHOLD_BYTES
        if unit == KERNEL:
            reader.add_match(f"_TRANSPORT={KERNEL}")
            return reader
        for position, matches in enumerate(_matches(unit)):
            if position:
                reader.add_disjunction()
            for match in matches:
                reader.add_match(match)
        return reader

    def units(self) -> tuple[str, ...]:
        """Name the units that have entries of their own, and kernel."""
        reader = _reader._Reader(flags=0, files=self._paths)  # noqa: SLF001 - see above
        return (KERNEL, *sorted(str(unit) for unit in reader.query_unique("_SYSTEMD_UNIT")))

    def sources(self) -> tuple[Source, ...]:
        """Give each file's header."""
        return tuple(self._sources)

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Name the files that could not be opened, and those that are damaged."""
        return tuple(self._spots)

    def cursor(self, unit: str, entry: Entry) -> str:
        """Find an entry again by its time, and give its cursor; a second reader, so only for samples."""
        reader = self._opened(unit)
        reader.seek_realtime(entry.time_us)
        while reader._next():  # noqa: SLF001 - see above
            if reader._get_realtime() > entry.time_us:  # noqa: SLF001 - see above
                break
            try:
                same = reader._get("MESSAGE") == entry.message  # noqa: SLF001 - see above
            except KeyError:
                same = not entry.message
            if same and reader._get_realtime() == entry.time_us:  # noqa: SLF001 - see above
                return str(reader._get_cursor())  # noqa: SLF001 - see above
        return ""


def _matches(unit: str) -> tuple[tuple[str, ...], ...]:
    """Give what `journalctl -u` looks for: own entries, PID 1's and others' about the unit, its coredumps."""
    return (
        (f"_SYSTEMD_UNIT={unit}",),
        ("_PID=1", f"UNIT={unit}"),
        ("_UID=0", f"OBJECT_SYSTEMD_UNIT={unit}"),
        (f"MESSAGE_ID={_SYSTEMD_COREDUMP}", "_UID=0", f"COREDUMP_UNIT={unit}"),
    )
