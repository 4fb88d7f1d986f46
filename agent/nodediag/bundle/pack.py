"""A bundle: one tar, packed with gzip, that says of each of its files what it is. Equal files give equal bytes."""

import gzip
import io
import tarfile
import zlib
from bisect import bisect_right
from datetime import datetime
from hashlib import sha256
from typing import Final, Literal

import msgspec

from nodediag.bundle.rescan import scan
from nodediag.host.recording import REPORT
from nodediag.redact import MARK

MANIFEST: Final = "manifest.json"
_LEVEL: Final = 6
_MOST_REPORT_BYTES: Final = 16 * 1024 * 1024
_MODE: Final = 0o600


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the bundle; `source` says where it is from, `left_out` how many of its lines there was no room for."""

    path: str
    data: bytes
    source: str
    left_out: int = 0


class Listed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the manifest says of a file; `masked` counts the secrets that were masked in it."""

    path: str
    source: str
    size_bytes: int
    sha256: str
    left_out: int = 0
    masked: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`manifest.json`: which version packed what, and as of when; `cut` names the files that are not whole."""

    bundle: Literal[1] = 1
    version: str
    observed_at: datetime
    cut: tuple[str, ...]
    files: tuple[Listed, ...]


class Survivor(msgspec.Struct, frozen=True):
    """A secret that was about to be given away: in which file, at which line, of which kind."""

    path: str
    line: int
    kind: str


def packed(folder: str, members: list[Member], version: str, at: datetime) -> bytes:
    """Give the bundle's bytes; everything in it lies in one folder."""
    manifest = Manifest(
        version=version,
        observed_at=at,
        cut=tuple(member.path for member in members if member.left_out),
        files=tuple(_listed(member) for member in members),
    )
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=_LEVEL, mtime=0, filename="") as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        written = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
        for path, data in ((MANIFEST, written), *((member.path, member.data) for member in members)):
            entry = tarfile.TarInfo(f"{folder}/{path}")
            entry.size, entry.mode, entry.mtime = len(data), _MODE, int(at.timestamp())
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def fitting(lines: bytes, room_bytes: int) -> tuple[bytes, int]:
    """Give the first lines that are no larger than that once packed, and how many are left out."""
    every = lines.splitlines(keepends=True)
    counts = range(len(every) + 1)
    fits = bisect_right(counts, room_bytes, key=lambda count: len(zlib.compress(b"".join(every[:count]), _LEVEL))) - 1
    return b"".join(every[: max(fits, 0)]), len(every) - max(fits, 0)


def report_in(bundle: bytes) -> bytes | None:
    """Give the report of a bundle, None for what is no bundle."""
    try:
        with tarfile.open(fileobj=io.BytesIO(bundle), mode="r|gz") as archive:
            for entry in archive:
                file = archive.extractfile(entry) if entry.size <= _MOST_REPORT_BYTES else None
                if file is not None and entry.name.partition("/")[2] == REPORT:
                    return file.read()
    except (tarfile.TarError, zlib.error, EOFError, OSError):
        return None
    return None


def survivors(bundle: bytes) -> tuple[Survivor, ...]:
    """Look for secrets in a bundle as it would be given away."""
    found: list[Survivor] = []
    with tarfile.open(fileobj=io.BytesIO(bundle), mode="r:gz") as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            if file is not None:
                found += [Survivor(entry.name, one.line, one.kind) for one in scan(file.read())]
    return tuple(found)


def _listed(member: Member) -> Listed:
    return Listed(
        path=member.path,
        source=member.source,
        size_bytes=len(member.data),
        sha256=sha256(member.data).hexdigest(),
        left_out=member.left_out,
        masked=member.data.count(MARK),
    )
