"""What containerd needs to connect pods: a CNI configuration, and the programs of the plugins that it names.

containerd takes the first file by name in conf_dir; see the CNI specification and containerd's docs/cri/config.md.
"""

from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts import plain
from nodediag.facts.runtime import ContainerdConfig
from nodediag.host.answer import PathStat, PathType
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.model.evidence import Evidence, FileEvidence, PathEvidence
from nodediag.model.reason import Code, Reason

CONF_DIR: Final = "/etc/cni/net.d"
BIN_DIR: Final = "/opt/cni/bin"
_ENDINGS: Final = (".conf", ".conflist", ".json")
_EXECUTABLE: Final = 0o111
_OCTAL: Final = 8
_MOST: Final = 50


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that the configuration names, and whether it is there."""

    path: str
    there: bool
    evidence: Evidence


class CniProgram(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin that the CNI configuration names: where its program is, empty where it is in none of the folders."""

    name: str
    path: str
    executable: bool
    evidence: Evidence


class Cni(msgspec.Struct, frozen=True, kw_only=True):
    """The folders, the configurations in order, and the programs of the first; `broken` is why that one is none."""

    conf_dir: Folder
    bin_dirs: tuple[Folder, ...]
    configurations: tuple[str, ...] = ()
    broken: str = ""
    programs: tuple[CniProgram, ...] = ()
    evidence: Evidence
    incomplete: Reason | msgspec.UnsetType = msgspec.UNSET


def derive(host: Host, config: ContainerdConfig) -> Cni:
    """Look at what the configuration names; raises ReadError where its folder cannot be read."""
    conf_dir = config.value("cri.cni.conf_dir", CONF_DIR)
    names = host.absent(host.list, conf_dir)
    found = tuple(name for name in names or () if name.endswith(_ENDINGS))[:_MOST]
    said = config.get("cri.cni.conf_dir")
    evidence = said.evidence if said is not None else PathEvidence(path=conf_dir, type="directory")
    folders, incomplete = _bin_dirs(host, config)
    folder = Folder(path=conf_dir, there=names is not None, evidence=evidence)
    if not found:
        return Cni(conf_dir=folder, bin_dirs=folders, evidence=evidence, incomplete=incomplete)
    path = f"{conf_dir}/{found[0]}"
    try:
        named, broken = parse(host.text(path), path), ""
    except ParseError as error:
        named, broken = (), error.reason.detail
    programs, unseen = _programs(host, named, tuple(folder.path for folder in folders), path)
    return Cni(
        conf_dir=folder,
        bin_dirs=folders,
        configurations=found,
        broken=broken,
        programs=programs,
        evidence=FileEvidence(path=path, line=0, text=", ".join(named)[:EVIDENCE_CAP]),
        incomplete=incomplete if unseen is msgspec.UNSET else unseen,
    )


def _bin_dirs(host: Host, config: ContainerdConfig) -> tuple[tuple[Folder, ...], Reason | msgspec.UnsetType]:
    said = [one for key in ("cri.cni.bin_dir", "cri.cni.bin_dirs") if (one := config.get(key)) is not None]
    named: list[tuple[str, Evidence]] = [
        (path, one.evidence) for one in said for path in one.values if path.startswith("/")
    ]
    folders: list[Folder] = []
    reason: Reason | msgspec.UnsetType = msgspec.UNSET
    for path, evidence in named[:_MOST] or [(BIN_DIR, PathEvidence(path=BIN_DIR, type="directory"))]:
        try:
            there = host.absent(host.stat, path) is not None
        except ReadError as error:
            reason, there = error.reason, True
        folders.append(Folder(path=path, there=there, evidence=evidence))
    return tuple(folders), reason


def parse(text: str, path: str) -> tuple[str, ...]:
    """Give the plugins that a configuration names, those for addresses too; raises ParseError for what is none."""
    loaded = plain.from_json(text.encode("utf-8", "surrogatepass"), path)
    plugins = plain.items_at(loaded, "plugins") or [loaded]
    pairs = ((plain.word_at(one, "type"), plain.word_at(one, "ipam", "type")) for one in plugins)
    named = tuple(dict.fromkeys(name for pair in pairs for name in pair if name))[:_MOST]
    if not named:
        raise ParseError(path, None, "a CNI configuration, which names the type of each plugin")
    return named


def _programs(
    host: Host, named: tuple[str, ...], folders: tuple[str, ...], conf: str
) -> tuple[tuple[CniProgram, ...], Reason | msgspec.UnsetType]:
    """Look for the programs; one whose folder cannot be seen is left out, with the reason."""
    found: list[CniProgram] = []
    reason: Reason | msgspec.UnsetType = msgspec.UNSET
    for name in named:
        if "/" in name:
            continue
        try:
            path, seen = _program(host, name, folders)
        except ReadError as error:
            reason = error.reason
            continue
        evidence: Evidence = FileEvidence(path=conf, line=0, text=f'"type": "{name}"'[:EVIDENCE_CAP])
        if seen is not None:
            evidence = PathEvidence(path=path, type=seen.kind.value, mode=seen.mode)
        executable = seen is not None and seen.kind is PathType.FILE and bool(int(seen.mode, _OCTAL) & _EXECUTABLE)
        found.append(CniProgram(name=name, path=path, executable=executable, evidence=evidence))
    return tuple(found), reason


def _program(host: Host, name: str, folders: tuple[str, ...]) -> tuple[str, PathStat | None]:
    for folder in folders:
        path = f"{folder}/{name}"
        try:
            return path, host.stat(path)
        except ReadError as error:
            if error.reason.code is not Code.ABSENT:
                raise
    return "", None
