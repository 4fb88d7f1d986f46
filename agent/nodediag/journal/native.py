"""Journal files read through libsystemd; the one place that knows systemd-python's private calls (235 is pinned).

`_next`, `_get` and `_get_realtime` convert nothing and are five times as fast as the library's public iterator. See
sd_journal_next(3), sd_journal_get_data(3), sd_journal_add_match(3). libsystemd maps files into memory: one that is cut
short while it is read kills the reader with SIGBUS, so this runs in a child process only.
"""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from systemd import _reader

from nodediag.host.journal_files import Found, JournalFile, close, room
from nodediag.journal import header
from nodediag.journal.form import parse
from nodediag.journal.journal import (
    BATCH,
    COREDUMP,
    KERNEL,
    MOST_MESSAGE_BYTES,
    UNKNOWN,
    Batch,
    Entry,
    Query,
    Source,
    left_out,
)
from nodediag.model.reason import BlindSpot, Code, Reason

_THRESHOLD_BYTES: Final = MOST_MESSAGE_BYTES + len("MESSAGE=")
_LONG_BYTES: Final = 4096
_HEAVY_BYTES: Final = 1 << 20
_COUNTED_AT_ONCE: Final = 4096
_PRIORITIES: Final = {str(number).encode(): number for number in range(8)}


class NativeJournal:
    """Some journal files as one journal; host opened them inside the node's root. What cannot be opened is left out."""

    name = "libsystemd"

    def __init__(self, found: Found, *, since_us: int = 0, budget_s: float = 60.0) -> None:
        self._until = monotonic() + budget_s
        self._cut: dict[str, int] = {}
        self._late: dict[str, BlindSpot] = {}
        self._finder: tuple[str, _reader._Reader] | None = None
        opened: list[JournalFile] = []
        closed: list[BlindSpot] = []
        for file in found.files:
            is_journal = parse(file.head) is not None
            why = _refused(file) if is_journal else ""
            if not why:
                opened.append(file)
                why = _damaged(file) if is_journal else ""
            if why:
                closed.append(header.spot(file.name, why))
        self._readable = header.look(
            Found(files=tuple(opened), refused=(*found.refused, *closed), machine=found.machine), since_us
        )
        self._paths = [file.path for file in self._readable.files]

    def batches(self, unit: str, query: Query) -> Iterator[Batch]:
        """Give the entries of a unit in the window, in the journal's order."""
        since, until = query.window_us
        beyond = self._cut[unit] = self._beyond(unit, query)
        reader = self._opened(unit, since, query.boot)
        while beyond and reader._next():  # noqa: SLF001 - see above
            beyond -= since <= reader._get_realtime() <= until  # noqa: SLF001 - see above
        for batch in self._read(reader, unit, since, until):
            yield batch
            if self._is_late(unit, batch.times[-1]):
                return
        if self._has_lost(reader):
            self._say_damaged(unit)

    def _read(self, reader: "_reader._Reader", unit: str, since: int, until: int) -> Iterator[Batch]:
        """Give what a reader that stands before it gives; this is where the time goes."""
        following, field, clock = reader._next, reader._get, reader._get_realtime  # noqa: SLF001 - see above
        batch, most, heavy = Batch(), BATCH, 0
        times, messages, priorities = batch.times, batch.messages, batch.priorities
        while following():
            time_us = clock()
            if not since <= time_us <= until:
                continue
            try:
                message = field("MESSAGE")
            except KeyError:
                message = b""
            except OSError:  # it cannot be unpacked
                self._say_damaged(unit)
                message = b""
            try:
                priority = field("PRIORITY")
            except KeyError:
                priority = b""
            if len(message) > _LONG_BYTES:
                message = message[:MOST_MESSAGE_BYTES]
                heavy += len(message)
                most = BATCH if heavy < _HEAVY_BYTES else 0
            times.append(time_us)
            messages.append(message)
            priorities.append(_PRIORITIES.get(priority))
            if len(times) >= most:
                yield batch
                batch, most, heavy = Batch(), BATCH, 0
                times, messages, priorities = batch.times, batch.messages, batch.priorities
        if batch:
            yield batch

    def _beyond(self, unit: str, query: Query) -> int:
        """Count by how much a unit is over its cap, if it can be at all."""
        if sum(source.entries for source in self._readable.sources) <= query.cap:
            return 0
        since, until = query.window_us
        reader = self._opened(unit, since, query.boot)
        count = 0
        while reader._next():  # noqa: SLF001 - see above
            time_us = reader._get_realtime()  # noqa: SLF001 - see above
            count += since <= time_us <= until
            if count % _COUNTED_AT_ONCE == 0 and self._is_late(unit, time_us):
                break
        return max(0, count - query.cap)

    def _is_late(self, unit: str, time_us: int) -> bool:
        """Tell whether the time is over, and say so: what was read till then counts."""
        if monotonic() < self._until:
            return False
        detail = f"{unit}: the time was over when its entries up to {time_us / 1e6:.0f} s after 1970 were read"
        self._late[unit] = BlindSpot(what=unit, reason=Reason(code=Code.TIMED_OUT, detail=detail))
        return True

    def _opened(self, unit: str, since_us: int, boot: str = "") -> "_reader._Reader":
        """Stand before a unit's first entry since a time.

        What others say of it is matched only where there is any: each match is looked up anew at every entry, and
        where a lookup meets damage libsystemd leaves the whole file out.
        """
        own, *others = _matches(unit)
        reader = self._fresh()
        if others:
            _stand(reader, others, since_us, boot)
            if not reader._next():  # noqa: SLF001 - see above
                others = []
            if self._has_lost(reader):
                reader = self._fresh()
            else:
                reader.flush_matches()
        _stand(reader, [own, *others], since_us, boot)
        return reader

    def _fresh(self) -> "_reader._Reader":
        reader = _reader._Reader(flags=0, files=self._paths)  # noqa: SLF001 - see above
        reader.data_threshold = _THRESHOLD_BYTES
        return reader

    def _has_lost(self, reader: "_reader._Reader") -> bool:
        """Tell whether libsystemd has left a file out, of which it says nothing but by the room that all take."""
        return bool(reader.get_usage() < room(self._readable.files))

    def _say_damaged(self, unit: str) -> None:
        detail = f"{unit}: a journal file is damaged, and what it holds of this unit could not all be read"
        self._late.setdefault(unit, BlindSpot(what=unit, reason=Reason(code=Code.UNPARSABLE, detail=detail)))

    def cut(self, unit: str) -> int:
        """Give how many entries of a unit were left out for the cap."""
        return self._cut.get(unit, 0)

    def units(self) -> tuple[str, ...]:
        """Name the units that have entries of their own, and kernel."""
        reader = _reader._Reader(flags=0, files=self._paths)  # noqa: SLF001 - see above
        return (
            KERNEL,
            *sorted(unit.decode("utf-8", "backslashreplace") for unit in reader.query_unique("_SYSTEMD_UNIT")),
        )

    def boots(self) -> tuple[str, ...]:
        """Give the ids of the boots by the time of their first entries, as `journalctl --list-boots` does."""
        reader = _reader._Reader(flags=0, files=self._paths)  # noqa: SLF001 - see above
        begun: list[tuple[int, str]] = []
        for value in reader.query_unique("_BOOT_ID"):
            boot = value.decode("ascii", "backslashreplace")
            reader.flush_matches()
            reader.add_match(f"_BOOT_ID={boot}")
            reader.seek_head()
            if reader._next():  # noqa: SLF001 - see above
                begun.append((reader._get_realtime(), boot))  # noqa: SLF001 - see above
        return tuple(boot for _, boot in sorted(begun))

    def ending(self, boot: str, most: int) -> list[tuple[str, Entry]]:
        """Give the last entries of a boot."""
        reader = _reader._Reader(flags=0, files=self._paths)  # noqa: SLF001 - see above
        reader.data_threshold = _THRESHOLD_BYTES
        reader.add_match(f"_BOOT_ID={boot}")
        reader.seek_tail()
        found: list[tuple[str, Entry]] = []
        while len(found) < most and reader._previous():  # noqa: SLF001 - see above
            entry = Entry(
                reader._get_realtime(),  # noqa: SLF001 - see above
                _field(reader, "MESSAGE")[:MOST_MESSAGE_BYTES],
                _PRIORITIES.get(_field(reader, "PRIORITY")),
                str(reader._get_cursor()),  # noqa: SLF001 - see above
            )
            found.append((_source(reader), entry))
        return found[::-1]

    def sources(self) -> tuple[Source, ...]:
        """Give each file's header."""
        return self._readable.sources

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Name the files that could not be opened, those that are damaged, and what was left out."""
        return (*self._readable.blind_spots, *self._late.values(), *left_out(self._cut))

    def cursor(self, unit: str, entry: Entry) -> str:
        """Find an entry again by its time, and give its cursor; a second reader, kept for the next one of that unit."""
        if self._finder is None or self._finder[0] != unit:
            self._finder = (unit, self._opened(unit, entry.time_us))
        reader = self._finder[1]
        reader.seek_realtime(entry.time_us)
        while reader._next():  # noqa: SLF001 - see above
            if reader._get_realtime() > entry.time_us:  # noqa: SLF001 - see above
                break
            try:
                same = reader._get("MESSAGE")[:MOST_MESSAGE_BYTES] == entry.message  # noqa: SLF001 - see above
            except KeyError:
                same = not entry.message
            if same and reader._get_realtime() == entry.time_us:  # noqa: SLF001 - see above
                return str(reader._get_cursor())  # noqa: SLF001 - see above
        return ""


class Tail:
    """What is appended to some journal files after a place in them, whichever unit it is of.

    The place is a cursor; where there is none yet, a time. Files that hold nothing newer are let go, so that journald's
    deleting them frees their room.
    """

    def __init__(self, found: Found, *, cursor: str = "", since_us: int = 0) -> None:
        self.cursor = cursor
        self.files = 0
        self._reader: _reader._Reader | None = None
        paths = [file.path for file in found.files if self._is_wanted(file, since_us) and not _refused(file)]
        if paths:
            self.files = len(paths)
            self._reader = _reader._Reader(flags=0, files=paths)  # noqa: SLF001 - see above
            self._reader.data_threshold = _THRESHOLD_BYTES
            self._seek(self._reader, cursor, since_us)
        close(found)

    @staticmethod
    def _is_wanted(file: JournalFile, since_us: int) -> bool:
        """Tell whether a file may hold what is new; those of users hold nothing of a unit of the system's."""
        head = parse(file.head)
        if head is None or file.name.rpartition("/")[2].startswith("user-"):
            return False
        is_over = head.is_archived or file.name.endswith(header.LEFT_DIRTY)
        return not is_over or head.last_us >= since_us

    def _seek(self, reader: "_reader._Reader", cursor: str, since_us: int) -> None:
        self._pending = False
        if not cursor:
            reader.seek_realtime(since_us)
            return
        reader.seek_cursor(cursor)
        self._pending = bool(reader._next()) and not reader.test_cursor(cursor)  # noqa: SLF001 - see above

    def entries(self, units: frozenset[str], most: int) -> tuple[list[tuple[str, Entry]], int]:
        """Give the entries of some units and the kernel among the next ones, and how many those were."""
        reader = self._reader
        if reader is None:
            return [], 0
        following, clock, place = reader._next, reader._get_realtime, reader._get_cursor  # noqa: SLF001 - see above
        wanted: list[tuple[str, Entry]] = []
        count = 0
        while count < most and (self._pending or following()):
            self._pending = False
            count += 1
            unit = _source(reader)
            if unit in units:
                message, level = _field(reader, "MESSAGE"), _PRIORITIES.get(_field(reader, "PRIORITY"))
                wanted.append((unit, Entry(clock(), message[:MOST_MESSAGE_BYTES], level, place())))
        if count:
            self.cursor = str(reader._get_cursor())  # noqa: SLF001 - see above
        return wanted, count

    def close(self) -> None:
        """Let the files go."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def _field(reader: "_reader._Reader", name: str) -> bytes:
    try:
        return bytes(reader._get(name))  # noqa: SLF001 - see above
    except KeyError:
        return b""


def _source(reader: "_reader._Reader") -> str:
    """Name what logged the entry a reader stands at: the kernel, a unit, or its own name for itself."""
    if _field(reader, "_TRANSPORT") == KERNEL.encode():
        return KERNEL
    name = _field(reader, "_SYSTEMD_UNIT") or _field(reader, "SYSLOG_IDENTIFIER")
    return name.decode("utf-8", "backslashreplace") or UNKNOWN


def _refused(file: JournalFile) -> str:
    """Look whether libsystemd opens a file, and say why not."""
    try:
        _reader._Reader(flags=0, files=[file.path])  # noqa: SLF001 - see above
    except (OSError, ValueError, SystemError) as error:
        return f"it cannot be opened: {error}"
    return ""


def _damaged(file: JournalFile) -> str:
    """Look whether the values in a file lead to entries: where its key or its table of hashes is damaged none does."""
    try:
        reader = _reader._Reader(flags=0, files=[file.path])  # noqa: SLF001 - see above
        boots = reader.query_unique("_BOOT_ID")
        for boot in boots:
            reader.add_match(b"_BOOT_ID=" + boot)
        found = reader._next() if boots else "_BOOT_ID" not in reader.enumerate_fields()  # noqa: SLF001 - see above
    except (OSError, ValueError, SystemError):
        return ""  # what can be read of it, is
    return "" if found else "damaged: its entries cannot be found by what they say"


def _stand(reader: "_reader._Reader", matches: Sequence[tuple[str, ...]], since_us: int, boot: str) -> None:
    """Stand before the first entry since a time that meets one of some matches, of one boot or of any."""
    for position, terms in enumerate(matches):
        if position:
            reader.add_disjunction()
        for term in terms:
            reader.add_match(term)
    if boot:
        reader.add_conjunction()
        reader.add_match(f"_BOOT_ID={boot}")
    reader.seek_realtime(since_us)


def _matches(unit: str) -> tuple[tuple[str, ...], ...]:
    """Give what `journalctl -u` looks for: own entries, PID 1's and others' about the unit, its coredumps."""
    if unit == KERNEL:
        return ((f"_TRANSPORT={KERNEL}",),)
    return (
        (f"_SYSTEMD_UNIT={unit}",),
        ("_PID=1", f"UNIT={unit}"),
        ("_UID=0", f"OBJECT_SYSTEMD_UNIT={unit}"),
        (f"MESSAGE_ID={COREDUMP}", "_UID=0", f"COREDUMP_UNIT={unit}"),
    )
