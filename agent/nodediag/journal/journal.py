"""What a journal is asked and what it gives, whichever way it is read."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from nodediag.model.reason import BlindSpot, Code, Reason

KERNEL: Final = "kernel"
UNKNOWN: Final = "unknown"  # where an entry names neither a unit nor itself
BATCH: Final = 128
MOST_MESSAGE_BYTES: Final = 64 * 1024  # a longer message is cut there
COREDUMP: Final = "fc2e22bc6ee647b6b90729ab34a250b1"  # MESSAGE_ID of systemd-coredump's entries


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted: the named units, and the kernel, between two times, of one boot by its id or of all."""

    units: tuple[str, ...]
    since: datetime
    until: datetime
    boot: str = ""
    cap: int = 2_000_000  # entries a unit; beyond it the oldest are left out and that is said

    @property
    def window_us(self) -> tuple[int, int]:
        """Give the window as entries count time."""
        return int(self.since.timestamp() * 1e6), int(self.until.timestamp() * 1e6)


class Entry(msgspec.Struct, frozen=True):
    """One entry. `time_us` counts from 1970; bytes of the message are as they were logged."""

    time_us: int
    message: bytes
    priority: int | None
    cursor: str = ""


class Batch:
    """Some entries of a unit in their order, by their fields, since few are ever looked at one by one."""

    __slots__ = ("cursors", "messages", "priorities", "times")

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.times: list[int] = []
        self.messages: list[bytes] = []
        self.priorities: list[int | None] = []
        self.cursors: list[str] = []  # empty where they are not known
        for entry in entries:
            self.times.append(entry.time_us)
            self.messages.append(entry.message)
            self.priorities.append(entry.priority)
            self.cursors.append(entry.cursor)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, index: int) -> Entry:
        cursor = self.cursors[index] if self.cursors else ""
        return Entry(self.times[index], self.messages[index], self.priorities[index], cursor)

    def __iter__(self) -> Iterator[Entry]:
        fields = (self.times, self.messages, self.priorities)
        return map(Entry, *fields, self.cursors) if self.cursors else map(Entry, *fields)


def wall_time(time_us: int) -> datetime | None:
    """Give the time of an entry, None where no calendar has it: a journal may hold any number."""
    try:
        return datetime.fromtimestamp(time_us / 1e6, UTC)
    except (ValueError, OverflowError, OSError):
        return None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A journal file: what its header says it holds, and whether it was closed cleanly.

    `first_number` and `first_uptime_us` are of its first entry: its number in the whole journal, and how long the
    machine had been up; -1 where that is not known.
    """

    path: str
    entries: int
    first_us: int
    last_us: int
    state: str
    machine: str = ""
    first_number: int = -1
    first_uptime_us: int = -1


class Journal(Protocol):
    """A way to read the journal."""

    name: str

    def batches(self, unit: str, query: Query) -> Iterator[Batch]:
        """Give the entries of one unit in order, some at a time; a unit means what `journalctl -u` means by it."""

    def cut(self, unit: str) -> int:
        """Give how many entries of a unit were left out for its cap; known once its batches have been given."""

    def units(self) -> tuple[str, ...]:
        """Name the units that have entries."""

    def boots(self) -> tuple[str, ...]:
        """Give the ids of the boots that have entries, oldest first."""

    def ending(self, boot: str, most: int) -> list[tuple[str, Entry]]:
        """Give the last entries of a boot, whoever logged them, in order, each with its unit; cursors included."""

    def sources(self) -> tuple[Source, ...]:
        """List the files read."""

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Say what could not be read, so far."""

    def cursor(self, unit: str, entry: Entry) -> str:
        """Give the cursor of an entry, empty where it has none."""


def left_out(cut: dict[str, int]) -> tuple[BlindSpot, ...]:
    """Say of which units the oldest entries were left out."""
    return tuple(
        BlindSpot(
            what=unit,
            reason=Reason(
                code=Code.TOO_LARGE, detail=f"{unit}: its {count} oldest entries were left out, there are too many"
            ),
        )
        for unit, count in cut.items()
        if count
    )
