"""What a journal is asked and what it gives, whichever way it is read."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

import msgspec

from nodediag.model.reason import BlindSpot

KERNEL = "kernel"


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted: the named units, and the kernel, between two times."""

    units: tuple[str, ...]
    since: datetime
    until: datetime
    boot: str = ""
    cap: int = 2_000_000  # entries a unit; beyond it the oldest are left out and that is said


class Entry(msgspec.Struct, frozen=True):
    """One entry. `time_us` counts from 1970; bytes of the message are as they were logged."""

    time_us: int
    message: bytes
    priority: int | None
    cursor: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A journal file: what its header says it holds, and whether it was closed cleanly."""

    path: str
    entries: int
    first_us: int
    last_us: int
    state: str


class Journal(Protocol):
    """A way to read the journal."""

    name: str

    def batches(self, unit: str, query: Query) -> Iterator[list[Entry]]:
        """Give the entries of one unit in order, some at a time; a unit means what `journalctl -u` means by it."""

    def units(self) -> tuple[str, ...]:
        """Name the units that have entries."""

    def sources(self) -> tuple[Source, ...]:
        """List the files read."""

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Say what could not be read."""

    def cursor(self, unit: str, entry: Entry) -> str:
        """Give the cursor of an entry, empty where it has none."""
