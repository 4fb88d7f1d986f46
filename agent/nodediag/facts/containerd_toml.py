"""One file of containerd's configuration: its tables in one spelling for all versions, and the line of each key.

Version 1 calls the CRI plugin `cri`, version 2 `io.containerd.grpc.v1.cri`; version 3, of containerd 2, has two of
it. Here all are `cri`. See containerd-config.toml(5) and containerd's docs/cri/config.md.
"""

import tomllib
from typing import Final, TypeAlias

import msgspec

from nodediag.errors import ParseError
from nodediag.host.host import EVIDENCE_CAP
from nodediag.model.evidence import FileEvidence

CRI: Final = "cri"
OLD_CRI: Final = "io.containerd.grpc.v1.cri"
SPLIT: Final = ("io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime")
SPLIT_SINCE: Final = 3  # the version of the file
STILL_OLD: Final = (  # what the old name still holds in a file of version 3: the server for exec and logs
    "disable_tcp_service", "stream_server_address", "stream_server_port", "stream_idle_timeout",
    "enable_tls_streaming", "x509_key_pair_streaming",
)  # fmt: skip
_MOST_DOTS: Final = 500  # tomllib takes quadratic time for a dotted key
_MOST_LINES: Final = 5000
_DEEPEST: Final = 50

Toml: TypeAlias = "dict[str, Toml] | list[Toml] | str | int | float | bool"
Table: TypeAlias = dict[str, Toml]
Place: TypeAlias = tuple[str, ...]


class NoTomlError(ParseError):
    """The text is no TOML: containerd would not start with it; `line` counts from 1, 0 for the file as a whole."""

    def __init__(self, path: str, line: int, text: str, why: str) -> None:
        super().__init__(path, text, f"TOML: {why}")
        self.evidence = FileEvidence(path=path, line=line, text=text[:EVIDENCE_CAP])
        self.why = why


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read: `tables` has the plugins' names as they are written, `places` the line of each key."""

    path: str
    version: int
    imports: tuple[str, ...]
    tables: Table
    places: dict[Place, FileEvidence]


def parse(path: str, text: str) -> File:
    """Parse a file; raises NoTomlError for what is none, ParseError for what we do not take apart."""
    crowded = next((line for line in text.split("\n") if line.count(".") > _MOST_DOTS), None)
    if crowded is not None:
        raise ParseError(path, crowded, f"TOML with at most {_MOST_DOTS} dots in a line")
    try:
        tables: Table = tomllib.loads(text)
    except RecursionError as error:
        raise ParseError(path, text.partition("\n")[0], f"TOML: {error}") from error
    except ValueError as error:
        raise _refused(path, text, str(error)) from error
    if _deeper(tables, _DEEPEST):
        raise ParseError(path, text.partition("\n")[0], f"TOML with at most {_DEEPEST} tables in each other")
    version, imports = tables.get("version"), tables.get("imports")
    return File(
        path=path,
        version=version if isinstance(version, int) and not isinstance(version, bool) else 1,
        imports=tuple(one for one in imports if isinstance(one, str)) if isinstance(imports, list) else (),
        tables=tables,
        places=_places(path, text),
    )


def _deeper(value: Toml, left: int) -> bool:
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(held) and (left == 0 or any(_deeper(one, left - 1) for one in held))


def _refused(path: str, text: str, why: str) -> NoTomlError:
    """Name the line that tomllib names at the end of what it says."""
    number = why.rpartition("(at line ")[2].partition(",")[0]
    lines = text.split("\n")
    line = int(number) if number.isdecimal() and int(number) <= len(lines) else 0
    return NoTomlError(path, line, lines[line - 1 if line else 0].strip(), why)


def in_one_spelling(file: File) -> Table:
    """Give the tables with the CRI plugin's under one name; what a file of version 3 says at the old name is left."""
    plugins = file.tables.get("plugins")
    if not isinstance(plugins, dict):
        return file.tables
    held: Table = {}
    rest: Table = {}
    for name, table in plugins.items():
        if name in {CRI, OLD_CRI, *SPLIT} and isinstance(table, dict):
            kept = {key: table[key] for key in table if key in STILL_OLD} if ignored(file.version, name) else table
            held = merged(held, kept)
        else:
            rest[name] = table
    return {**file.tables, "plugins": {**rest, CRI: held} if held else rest}


def ignored(version: int, plugin: str) -> bool:
    """Tell whether containerd passes over what a file of this version says of the CRI plugin by this name."""
    return version >= SPLIT_SINCE and plugin in {CRI, OLD_CRI}


def merged(under: Table, over: Table) -> Table:
    """Lay one table over another, key by key."""
    result = dict(under)
    for key, value in over.items():
        held = result.get(key)
        if isinstance(held, dict) and isinstance(value, dict):
            result[key] = merged(held, value)
        else:
            result[key] = value
    return result


def in_one_place(place: Place) -> Place:
    """Give a place in the tables as `in_one_spelling` has it."""
    if len(place) > 1 and place[0] == "plugins" and place[1] in {CRI, OLD_CRI, *SPLIT}:
        return ("plugins", CRI, *place[2:])
    return place


def _places(path: str, text: str) -> dict[Place, FileEvidence]:
    """Find the line of each key and header, as they are written; the first one counts."""
    found: dict[Place, FileEvidence] = {}
    table: Place = ()
    for number, line in enumerate(text.split("\n")[:_MOST_LINES], 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        header = words.startswith("[")
        place = _place(words if header else f"{words.partition('=')[0]}= 0") if header or "=" in words else ()
        if not place:
            continue
        table = place if header else table
        evidence = FileEvidence(path=path, line=number, text=words[:EVIDENCE_CAP])
        found.setdefault(place if header else (*table, *place), evidence)
    return found


def _place(words: str) -> Place:
    """Give the keys that a header or a key alone stands for; none where it is a part of something longer."""
    try:
        value: Toml = tomllib.loads(words)
    except (ValueError, RecursionError):
        return ()
    keys: list[str] = []
    while True:
        if isinstance(value, list):
            value = value[0] if value else 0
        if not isinstance(value, dict) or not value:
            return tuple(keys)
        key, value = next(iter(value.items()))
        keys.append(key)
