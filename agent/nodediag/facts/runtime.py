"""containerd's configuration as a whole: what all its files come to, key by key, with the line of each."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts import containerd_files, containerd_toml
from nodediag.facts.containerd_files import Broken, Files
from nodediag.facts.containerd_toml import (
    CRI,
    SPLIT_SINCE,
    STILL_OLD,
    File,
    Place,
    Toml,
    ignored,
    in_one_place,
)
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT
_MOST: Final = 500
_LOOKED_FOR: Final = frozenset({"bin_dir", "bin_dirs", "sandbox_image", "sandbox", "SystemdCgroup"})


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a key is set to, a value for each entry of a list; keys of the CRI plugin begin with `cri.`."""

    key: str
    values: tuple[str, ...]
    evidence: FileEvidence

    @property
    def value(self) -> str:
        """The value, the first of a list."""
        return self.values[0] if self.values else ""


class ContainerdConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the files say; `present` is false where there is none and containerd's defaults hold.

    `path` is that of the first file, `broken` why containerd would not start with them, `passed_over` are lines that it
    does not heed. `incomplete` is why more may hold than is known here.
    """

    present: bool
    path: str = containerd_files.PATH
    files: tuple[str, ...] = ()
    version: int = 0
    root: str = ""
    cni_bin_dir: str = ""
    sandbox_image: str = ""
    systemd_cgroup: str = ""
    lines: dict[str, FileEvidence] = {}
    settings: tuple[Setting, ...] = ()
    settings_total: int = 0
    broken: tuple[Broken, ...] = ()
    passed_over: tuple[FileEvidence, ...] = ()
    incomplete: Reason | msgspec.UnsetType = msgspec.UNSET

    def named(self, pattern: str) -> tuple[Setting, ...]:
        """Give the settings whose key a pattern matches, where `*` stands for anything."""
        return tuple(setting for setting in self.settings if fnmatchcase(setting.key, pattern))

    def get(self, key: str) -> Setting | None:
        """Give one setting."""
        return next((setting for setting in self.settings if setting.key == key), None)

    def value(self, key: str, default: str) -> str:
        """Give what a key is set to, or what holds where it is not."""
        setting = self.get(key)
        return setting.value if setting is not None and setting.value else default


def collect(host: Host) -> ContainerdConfig:
    """Read the files that containerd reads when it starts."""
    path = containerd_files.path_of(host)
    try:
        return compose(containerd_files.read(host, path))
    except ReadError as error:
        if error.reason.code is Code.ABSENT:
            return ContainerdConfig(present=False, path=path)
        raise


def parse(text: str, path: str = containerd_files.PATH) -> ContainerdConfig:
    """Parse one file; raises ParseError where it is no TOML (containerd would not start then)."""
    return compose(Files(path=path, files=(containerd_toml.parse(path, text),)))


def compose(read: Files) -> ContainerdConfig:
    """Give what files come to."""
    first = read.files[0] if read.files else None
    modern = first is not None and first.version >= SPLIT_SINCE
    tables = read.tables(key_by_key=modern)
    places = {in_one_place(place): found for file in read.files for place, found in _heeded(file)}
    settings = [
        Setting(key=_name(place), values=values, evidence=_evidence(place, places, read.path))
        for place, values in _leaves(tables, ())
    ]
    return ContainerdConfig(
        present=True,
        path=read.path,
        files=tuple(file.path for file in read.files),
        version=first.version if first is not None else 0,
        root=_top(tables, "root"),
        cni_bin_dir=_find(tables, ("bin_dir", "bin_dirs")),
        sandbox_image=_find(tables, ("sandbox_image", "sandbox")),
        systemd_cgroup=_find(tables, ("SystemdCgroup",)),
        lines=_lines(read.files),
        settings=tuple(settings[:_MOST]),
        settings_total=len(settings),
        broken=read.broken,
        passed_over=tuple(found for file in read.files for found in _passed_over(file)),
        incomplete=_incomplete(read, sure=modern or read.tables(key_by_key=True) == tables),
    )


def _incomplete(read: Files, *, sure: bool) -> Reason | msgspec.UnsetType:
    if read.broken:
        return Reason(code=Code.UNPARSABLE, detail=f"containerd would not start with this: {read.broken[0].why}")
    if read.unread is not msgspec.UNSET or sure:
        return read.unread
    detail = (
        f"{read.path} and a file it imports configure one plugin: containerd 2 takes both together, containerd 1 the"
        " later one alone, and the file is of a version that both read"
    )
    return Reason(code=Code.UNSUPPORTED, detail=detail, needs="each plugin configured in one file")


def _heeded(file: File) -> Iterator[tuple[Place, FileEvidence]]:
    passed_over = set(_passed_over(file))
    return ((place, found) for place, found in file.places.items() if found not in passed_over)


def _passed_over(file: File) -> Iterator[FileEvidence]:
    """Give the lines of a file of version 3 that configure the CRI plugin by its old name, which is split since."""
    for place, found in file.places.items():
        match place:
            case ("plugins", plugin, key, *_) if ignored(file.version, plugin) and key not in STILL_OLD:
                yield found


def _leaves(value: Toml, place: Place) -> Iterator[tuple[Place, tuple[str, ...]]]:
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _leaves(held, (*place, key))
    elif isinstance(value, list):
        yield place, tuple(_text(one) for one in value[:_MOST])
    else:
        yield place, (_text(value),)


def _text(value: Toml) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return str(value)[:EVIDENCE_CAP]
    except ValueError:  # Python writes no integer of thousands of digits
        return ""


def _name(place: Place) -> str:
    return ".".join(place[1:] if place[:2] == ("plugins", CRI) else place)


def _evidence(place: Place, places: dict[Place, FileEvidence], path: str) -> FileEvidence:
    """Find the line of a key, or the nearest one above it; the file as a whole where it is written in another way."""
    for length in range(len(place), 0, -1):
        if place[:length] in places:
            return places[place[:length]]
    return FileEvidence(path=path, line=0, text=_name(place)[:EVIDENCE_CAP])


def _top(table: Toml, name: str) -> str:
    value = table.get(name) if isinstance(table, dict) else ""
    return value if isinstance(value, str) else ""


def _find(value: Toml, names: tuple[str, ...]) -> str:
    """Give the first of some keys that stands anywhere in the tables, as text; empty where none does."""
    if not isinstance(value, dict):
        return ""
    for name in names:
        found = value.get(name)
        if isinstance(found, list):
            found = found[0] if found else ""
        if found is not None and not isinstance(found, dict):
            return _text(found)
    return next((found for table in value.values() if (found := _find(table, names))), "")


def _lines(files: tuple[File, ...]) -> dict[str, FileEvidence]:
    """Keep the lines that set the keys we look for, as evidence."""
    found: dict[str, FileEvidence] = {}
    for file in files:
        for place, evidence in file.places.items():
            if place[-1] in _LOOKED_FOR:
                found.setdefault(place[-1], evidence)
    return found
