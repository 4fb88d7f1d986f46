"""The files of containerd's configuration: the one it is started with and those it imports, laid over each other.

containerd reads the files that `imports` names after the one that names them, each once: paths relative to that file's
folder, those with a `*` as patterns, whose files come in the order of their names. Of a plugin that two files configure
containerd 1 takes all from the later one; containerd 2 takes key by key (pull request 9982).
"""

import posixpath
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts import containerd_toml
from nodediag.facts.containerd_toml import SPLIT_SINCE, File, NoTomlError, Table, Toml, in_one_spelling, merged
from nodediag.facts.process_list import listed
from nodediag.facts.stray_processes import in_container
from nodediag.host.host import Host
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

PATH: Final = "/etc/containerd/config.toml"
_MOST_FILES: Final = 50
_OF_DOCKER: Final = "/docker/"
_MERGED: Final = ("plugins", "proxy_plugins", "stream_processors", "timeouts")


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """Why containerd would not start with its configuration."""

    path: str
    why: str
    evidence: FileEvidence


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """All that was read, in order; `unread` is why something that counts was not, `unsure` why its order is open."""

    path: str
    files: tuple[File, ...] = ()
    broken: tuple[Broken, ...] = ()
    unread: Reason | msgspec.UnsetType = msgspec.UNSET

    def tables(self, *, key_by_key: bool) -> Table:
        """Give what all files come to, in one spelling."""
        whole: Table = {}
        for file in self.files:
            over = in_one_spelling(file)
            whole = merged(whole, over) if key_by_key else _replaced(whole, over)
        return whole


def path_of(host: Host) -> str:
    """Give the path that the running containerd was started with, or the usual one."""
    try:
        seen = listed(host)
    except ReadError:
        return PATH
    for process in seen.processes:
        if process.name == "containerd" and not in_container(process):
            named = _option(process.argv)
            if named.startswith("/") and _OF_DOCKER not in named:  # Docker brings one of its own
                return named
    return PATH


def _option(argv: tuple[str, ...]) -> str:
    for word, after in zip(argv[1:], (*argv[2:], ""), strict=False):
        name, equals, value = word.partition("=")
        if name in {"--config", "-config", "-c"}:
            return value if equals else after
    return ""


def read(host: Host, path: str) -> Files:
    """Read the file and what it imports; raises ReadError and ParseError for the first one only."""
    pending = [(path, FileEvidence(path=path, line=0, text=path))]
    files: list[File] = []
    broken: list[Broken] = []
    unread: Reason | msgspec.UnsetType = msgspec.UNSET
    seen: set[str] = set()
    while pending:
        one, named = pending.pop(0)
        if one in seen:
            continue
        seen.add(one)
        if len(seen) > _MOST_FILES:
            unread = Reason(code=Code.TOO_LARGE, detail=f"{path} imports more than {_MOST_FILES} files")
            break
        try:
            file = containerd_toml.parse(one, host.text(one))
            broken += _too_new(file, files[0] if files else file)
            files.append(file)
            pending += _imports(host, file)
        except NoTomlError as error:
            broken.append(Broken(path=one, why=f"{one} is no TOML: {error.why}", evidence=error.evidence))
        except (ReadError, ParseError) as error:
            if not files:
                raise
            if error.reason.code is Code.ABSENT:
                why = f"{one}, which {files[0].path} imports, is not there"
                broken.append(Broken(path=one, why=why, evidence=named))
            else:
                unread = error.reason
    return Files(path=path, files=tuple(files), broken=tuple(broken), unread=unread)


def _too_new(file: File, first: File) -> list[Broken]:
    """Refuse a file of a later version than the first, as containerd 2 does."""
    if file.version <= first.version or first.version < SPLIT_SINCE:
        return []
    why = f"{file.path} is of version {file.version}, {first.path}, which imports it, of version {first.version}"
    evidence = file.places.get(("version",), FileEvidence(path=file.path, line=0, text="version"))
    return [Broken(path=file.path, why=why, evidence=evidence)]


def _imports(host: Host, file: File) -> list[tuple[str, FileEvidence]]:
    evidence = file.places.get(("imports",), FileEvidence(path=file.path, line=0, text="imports"))
    found: list[tuple[str, FileEvidence]] = []
    for name in file.imports[:_MOST_FILES]:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), name))
        paths = _matching(host, path) if "*" in path else (path,)
        found += [(one, evidence) for one in paths]
    return found


def _matching(host: Host, pattern: str) -> tuple[str, ...]:
    """Give the paths that a pattern stands for, as Go's filepath.Glob; raises ReadError for a folder not read."""
    found = ["/"]
    for part in pattern.strip("/").split("/"):
        if "*" not in part:
            found = [posixpath.join(folder, part) for folder in found]
            continue
        found = [
            posixpath.join(folder, name)
            for folder in found[:_MOST_FILES]
            for name in host.absent(host.list, folder) or ()
            if fnmatchcase(name, part)
        ]
    return tuple(found[: _MOST_FILES + 1])


def _replaced(under: Table, over: Table) -> Table:
    """Lay a file over another as containerd 1 does: of some tables each entry is replaced as a whole."""
    plain = {key: value for key, value in over.items() if key not in _MERGED}
    result = merged(under, plain)
    for name in _MERGED:
        sections: list[Toml] = [under.get(name, {}), over.get(name, {})]
        both = [section for section in sections if isinstance(section, dict) and section]
        if both:
            result[name] = {key: value for section in both for key, value in section.items()}
    return result
