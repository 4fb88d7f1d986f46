from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import nodediag
from nodediag.journal.journal import Batch, Entry, Query, Source
from nodediag.logs.matcher import Matcher
from nodediag.logs.scan import Scan
from nodediag.model.image import OsFamily
from nodediag.model.logs import LogResult
from nodediag.model.reason import BlindSpot
from nodediag.signatures.load import merge

START = datetime(2026, 11, 21, tzinfo=UTC)
Line = tuple[str, float, str]
Told = Callable[[list[Line]], LogResult]


class Journal:
    """What a test tells: unit, seconds, text. A unit that ends with `!` is the one before, in another boot."""

    name = "told"

    def __init__(self, lines: list[Line], batch: int) -> None:
        self._batch = batch
        self._entries: dict[str, list[Entry]] = {}
        for unit, second, text in lines:
            time_us = int((START.timestamp() + second) * 1e6)
            cursor = f"s=1;i=2;b={('b' if unit.endswith('!') else 'a') * 32};t=3"
            urgent = text.startswith("<3>")
            entry = Entry(time_us, text.removeprefix("<3>").encode(), 3 if urgent else 6, cursor)
            self._entries.setdefault(unit.rstrip("!"), []).append(entry)

    def batches(self, unit: str, query: Query) -> Iterator[Batch]:
        del query
        entries = self._entries.get(unit, [])
        for start in range(0, len(entries), self._batch):
            yield Batch(entries[start : start + self._batch])

    def units(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def cut(self, unit: str) -> int:
        del unit
        return 0

    def boots(self) -> tuple[str, ...]:
        return ()

    def ending(self, boot: str, most: int) -> list[tuple[str, Entry]]:
        del boot, most
        return []

    def sources(self) -> tuple[Source, ...]:
        return ()

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        return ()

    def cursor(self, unit: str, entry: Entry) -> str:
        del unit
        return entry.cursor


@pytest.fixture(scope="session")
def matcher() -> Matcher:
    folder = Path(nodediag.__file__).parent / "signatures/data"
    return Matcher(merge({file.name: file.read_text() for file in sorted(folder.glob("*.toml"))}))


@pytest.fixture(params=[1, 7, 128])
def told(matcher: Matcher, request: pytest.FixtureRequest) -> Told:
    """Judge lines by the release's signatures, in batches of several sizes."""

    def judge(lines: list[Line]) -> LogResult:
        journal = Journal(lines, int(request.param))
        query = Query(units=journal.units(), since=START, until=START)
        return Scan(matcher).run(journal, query).judged(OsFamily.OTHER)

    return judge
