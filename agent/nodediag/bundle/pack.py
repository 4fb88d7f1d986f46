"""A bundle: one tar, packed with gzip, that says of each of its files what it is. Equal files give equal bytes."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from types import TracebackType
from typing import IO, Final, Literal, Self

import msgspec

from nodediag.bundle.rescan import scan
from nodediag.host import archive
from nodediag.host.recording import REPORT
from nodediag.redact import MARK

MANIFEST: Final = "manifest.json"
_LEVEL: Final = 6
_MOST_REPORT_BYTES: Final = 16 * 1024 * 1024
_MODE: Final = 0o600
_SPARE_BYTES: Final = 1024  # what a manifest that names a cut, and the end of the archive take more
_PIECE_BYTES: Final = 16 * 1024


class Redaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Secrets of one kind that were masked where they came in: how often the rule of that id masked something.

    `path` is the file of the bundle, `of` what it tells of: the node's path, or a question to the node. It is counted
    before a file is cut for its size. Not counted is what stood masked on the node.
    """

    path: str
    of: str = ""
    kind: str
    count: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the bundle; `source` says where it is from, `left_out` how many of its lines there was no room for.

    `at` is when it was read or made, `took_us` how long it took to read, where these are known.
    """

    path: str
    data: bytes
    source: str
    left_out: int = 0
    at: datetime | msgspec.UnsetType = msgspec.UNSET
    took_us: int | msgspec.UnsetType = msgspec.UNSET
    redactions: tuple[Redaction, ...] = ()


class Listed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the manifest says of a file; `masked` counts the marks that stand for secrets in it.

    `at` is when the node was asked, for a file of many answers when first; what the diagnosis made is of its own time.
    `took_us` is how long the node took to answer: for a file of many answers the sum of those that are known.
    """

    path: str
    source: str
    size_bytes: int
    sha256: str
    at: datetime | msgspec.UnsetType = msgspec.UNSET
    took_us: int | msgspec.UnsetType = msgspec.UNSET
    left_out: int = 0
    masked: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`manifest.json`: which version packed what, and as of when; `cut` names the files that are not whole.

    `redactions` lists what was masked where the node's answers, its journal and the files that options name came in.
    The report and `logs.json` quote these: there the marks are counted, in `files`.
    """

    bundle: Literal[1] = 1
    version: str
    observed_at: datetime
    cut: tuple[str, ...]
    files: tuple[Listed, ...]
    redactions: tuple[Redaction, ...] = ()

    def counts(self, path: str) -> dict[str, int]:
        """Give what was masked in a file, by the rule's id."""
        return {one.kind: one.count for one in self.redactions if one.path == path}

    def said_of(self, member: Member) -> Member:
        """Give a file that is packed again with what this manifest says of it."""
        listed = next((one for one in self.files if one.path == member.path), None)
        if listed is None:
            return member
        found = tuple(one for one in self.redactions if one.path == member.path)
        return msgspec.structs.replace(
            member, at=listed.at, took_us=listed.took_us, left_out=listed.left_out, redactions=found
        )


class Survivor(msgspec.Struct, frozen=True):
    """A secret that was about to be given away: in which file, at which line, of which kind."""

    path: str
    line: int
    kind: str


class Packing:
    """A bundle that is being written, file by file, to where it will stand; everything in it lies in one folder.

    The manifest comes last: only then it is known what there was room for.
    """

    def __init__(self, out: IO[bytes], folder: str, version: str, at: datetime) -> None:
        self._out = out
        self._folder = folder
        self._version = version
        self._at = at
        self._listed: list[Listed] = []
        self._redactions: list[Redaction] = []
        self._squeezed = gzip.GzipFile(fileobj=out, mode="wb", compresslevel=_LEVEL, mtime=0, filename="")
        self._archive = tarfile.open(fileobj=self._squeezed, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - see exit

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the manifest and the end, unless there was an error."""
        if kind is None:
            self._write(MANIFEST, _encoded(self.manifest))
            self._archive.close()
        self._squeezed.close()

    @property
    def manifest(self) -> Manifest:
        """What is in it so far."""
        cut = tuple(one.path for one in self._listed if one.left_out)
        return Manifest(
            version=self._version,
            observed_at=self._at,
            cut=cut,
            files=tuple(self._listed),
            redactions=tuple(self._redactions),
        )

    def add(self, members: Iterable[Member]) -> None:
        """Add files."""
        for member in members:
            self._write(member.path, member.data)
            self._listed.append(_listed(member))
            self._redactions += member.redactions

    def size_bytes(self) -> int:
        """Tell how large the bundle is at most, were it to end here."""
        self._squeezed.flush()
        return self._out.tell() + len(zlib.compress(_encoded(self.manifest))) + _SPARE_BYTES

    def _write(self, path: str, data: bytes) -> None:
        entry = tarfile.TarInfo(f"{self._folder}/{path}")
        entry.size, entry.mode, entry.mtime = len(data), _MODE, int(self._at.timestamp())
        self._archive.addfile(entry, io.BytesIO(data))


def fitting(lines: bytes, room_bytes: int) -> tuple[bytes, int]:
    """Give the first lines that are no larger than that once packed, and how many are left out."""
    packer = zlib.compressobj(_LEVEL)
    kept = size = 0
    for piece_bytes in (_PIECE_BYTES, 1):
        while kept < len(lines):
            end = lines.find(b"\n", kept + piece_bytes - 1) + 1 or len(lines)
            tried = packer.copy()
            more = len(tried.compress(lines[kept:end])) + len(tried.flush(zlib.Z_SYNC_FLUSH))
            if size + more > room_bytes:
                break
            packer, kept, size = tried, end, size + more
    return lines[:kept], lines.count(b"\n", kept)


def report_in(bundle: bytes) -> bytes | None:
    """Give the report of a bundle, None for what is no bundle."""
    try:
        with archive.opened(io.BytesIO(bundle)) as tar:
            for entry in tar:
                file = tar.extractfile(entry) if entry.size <= _MOST_REPORT_BYTES else None
                if file is not None and entry.name.partition("/")[2] == REPORT:
                    return file.read()
    except (*archive.BROKEN, MemoryError, OSError):
        return None
    return None


def survivors(bundle: IO[bytes]) -> tuple[Survivor, ...]:
    """Look for secrets in a bundle as it would be given away."""
    found: list[Survivor] = []
    bundle.seek(0)
    with tarfile.open(fileobj=bundle, mode="r|gz") as tar:
        for entry in tar:
            file = tar.extractfile(entry)
            if file is not None:
                found += [Survivor(entry.name, one.line, one.kind) for one in scan(file.read())]
    return tuple(found)


def _encoded(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def _listed(member: Member) -> Listed:
    return Listed(
        path=member.path,
        source=member.source,
        size_bytes=len(member.data),
        sha256=sha256(member.data).hexdigest(),
        at=member.at,
        took_us=member.took_us,
        left_out=member.left_out,
        masked=member.data.count(MARK),
    )
