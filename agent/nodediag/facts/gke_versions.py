"""Google's published map from GKE versions to COS images, `{"creation_time", "entries": [{"gke_version", "image"}]}`.

It stands at https://www.gstatic.com/gke-image-maps/gke-to-cos.json and is renewed about weekly; we are given a copy.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.facts import plain
from nodediag.model.evidence import InputEvidence

OPTION: Final = "--gke-versions"
FILE: Final = "gke-versions.json"  # in --data's folder
_WANTED: Final = '{"creation_time": "...", "entries": [{"gke_version": "...", "image": "cos-..."}]}'
_MOST_ENTRIES: Final = 100_000


class MapEntry(msgspec.Struct, frozen=True):
    """One line of the map."""

    gke_version: str
    image: str


class VersionMap(msgspec.Struct, frozen=True, kw_only=True):
    """The whole map, as a file holds it."""

    path: str
    created: datetime
    entries: tuple[MapEntry, ...]


class GkeVersions(msgspec.Struct, frozen=True, kw_only=True):
    """What the map says of one node: the entries of its version; how old the map was when the node was seen."""

    path: str
    created: datetime
    age_days: int
    total: int
    newest: str
    entries: tuple[MapEntry, ...]

    def evidence(self, text: str) -> InputEvidence:
        """Quote the map."""
        return InputEvidence(option=OPTION, path=self.path, text=text)


class _File(msgspec.Struct):
    creation_time: str
    entries: list[MapEntry]


def read(path: str, text: str) -> VersionMap:
    """Read the map; raises ParseError."""
    place = f"{OPTION} {path}"
    try:
        raw = msgspec.json.decode(text.encode("utf-8", "surrogatepass"), type=_File)
        created = datetime.fromisoformat(raw.creation_time)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ParseError(place, None, f"{_WANTED}; {error}") from error
    if not raw.entries or len(raw.entries) > _MOST_ENTRIES:
        raise ParseError(place, None, f"{_WANTED}, with 1 to {_MOST_ENTRIES} entries")
    entries = tuple(MapEntry(plain.clean(one.gke_version), plain.clean(one.image)) for one in raw.entries)
    return VersionMap(path=path, created=_utc(created, place), entries=entries)


def _utc(time: datetime, place: str) -> datetime:
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (OverflowError, ValueError) as error:
        raise ParseError(place, None, f"{_WANTED}; {error}") from error
