"""TOML to profiles. Every error names the file, the key, what was found and what was wanted."""

import re
from datetime import date
from functools import cached_property, reduce
from typing import Final

import msgspec

from nodediag import prepared
from nodediag.errors import ProfileError
from nodediag.host import package
from nodediag.model.digest import digest
from nodediag.profiles import mistake
from nodediag.profiles.issues import merge
from nodediag.profiles.profile import Match, Profile, ProfileFile

BASE: Final = "linux"
_DEEPEST: Final = 8
_BODY: Final = re.compile(r"^\[(?!match\])", re.MULTILINE)  # the first table but that of what a profile fits
_DATE: Final = re.compile(r'^date = "(\d{4}-\d{2}-\d{2})"$', re.MULTILINE)


def builtin() -> dict[str, str]:
    """Give the texts of the profiles that come with this release, by file name."""
    return package.texts("profiles/data")


def parse(file: str, text: str) -> ProfileFile:
    """Decode one profile; raises ProfileError."""
    try:
        raw: mistake.Toml = prepared.decode(text, dict)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProfileError(file, "", f"not TOML: {error}") from error
    try:
        parsed = msgspec.convert(raw, ProfileFile)
    except msgspec.ValidationError as error:
        raise mistake.explain(file, raw, error) from error
    if not parsed.name:
        raise ProfileError(file, "name", "found '', wanted a name")
    if "@" in parsed.name:
        raise ProfileError(file, "name", f"found {parsed.name!r}, wanted a name without @, which stands before a date")
    if not _is_date(parsed.date):
        raise ProfileError(file, "date", f"found {parsed.date!r}, wanted a date such as 2026-11-21")
    for path in (*parsed.paths, *(name for name in parsed.without if not _is_unit(name))):
        if not path.startswith("/") or (path != "/" and path.endswith("/")):
            raise ProfileError(file, f'paths."{path}"', "wanted an absolute path without a slash at its end")
    for unit in parsed.units:
        if not _is_unit(unit):
            raise ProfileError(file, f'units."{unit}"', "wanted a unit's whole name, such as `kubelet.service`")
    return parsed


def _is_unit(name: str) -> bool:
    return "/" not in name and bool(name.rpartition(".")[0])


class _Head(msgspec.Struct, frozen=True):
    """What a file must be chosen by."""

    name: str
    date: str
    match: Match | msgspec.UnsetType = msgspec.UNSET


class _File:
    """One file, of which no more is decoded than is asked for: most profiles are of other images than the node's."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text

    @cached_property
    def head(self) -> _Head:
        """Give what stands above the first table; a file that is written in another order is decoded whole."""
        body = _BODY.search(self.text)
        if body is not None and "\n[match]" not in self.text[body.start() :]:
            try:
                head = msgspec.toml.decode(self.text[: body.start()], type=_Head)
            except msgspec.DecodeError:
                pass
            else:
                return head
        return _Head(name=self.whole.name, date=self.whole.date, match=self.whole.match)

    @cached_property
    def whole(self) -> ProfileFile:
        return parse(self.file, self.text)


class Catalogue:
    """All profiles at hand, by name. A file given later with the name of an earlier one takes its place.

    The earlier one stays, as the revision NAME@DATE. `texts` are those of this release, which are decoded when they are
    needed; what is added is decoded at once, so that a mistake is told. `issues` are the texts of the known issues that
    every profile carries; `signatures` are those that the journal is judged by, for digest and date alone.
    """

    def __init__(
        self, texts: dict[str, str], signatures: dict[str, str] | None = None, issues: dict[str, str] | None = None
    ) -> None:
        self._signatures = signatures or {}
        self._issue_texts = issues or {}
        self._issues = merge(self._issue_texts)
        self._files: dict[str, _File] = {}
        self._names: set[str] = set()
        for file, text in texts.items():
            self._take(_File(file, text))

    @property
    def digest(self) -> str:
        """Give one digest of all texts in use; a profile or signature that is added or replaced changes it."""
        profiles = (self._files[name].text for name in self.names())
        texts = (*profiles, *self._signatures.values(), *self._issue_texts.values())
        return digest("\0".join(texts).encode())

    @property
    def dates(self) -> dict[str, str]:
        """Give the date of the newest file of each kind of data, where its files have one."""
        dates = {
            "profiles": max((self._files[name].head.date for name in self.names()), default=""),
            "signatures": max(map(_date, self._signatures.values()), default=""),
            "issues": max(map(_date, self._issue_texts.values()), default=""),
        }
        return {kind: date for kind, date in dates.items() if date}

    def add(self, file: str, text: str) -> str:
        """Add one file and give the profile's name; raises ProfileError."""
        added = _File(file, text)
        parse(file, text)
        return self._take(added)

    def _take(self, file: _File) -> str:
        head = file.head
        self._files[head.name] = self._files[f"{head.name}@{head.date}"] = file
        self._names.add(head.name)
        return head.name

    def names(self) -> tuple[str, ...]:
        """Give all names, sorted; of several revisions the one that was added last has the name."""
        return tuple(sorted(self._names))

    def text(self, name: str) -> str:
        """Give a profile's own text, without what it extends."""
        return self._files[name].text

    def matches(self) -> tuple[tuple[str, Match], ...]:
        """Give what each profile fits, by name, but of those that fit nothing by themselves."""
        heads = (self._files[name].head for name in self.names())
        return tuple((head.name, head.match) for head in heads if head.match is not msgspec.UNSET)

    def revisions(self, name: str) -> tuple[str, ...]:
        """Give the dates of all revisions of a profile at hand, sorted."""
        return tuple(sorted(key.partition("@")[2] for key in self._files if key.startswith(f"{name}@")))

    def get(self, name: str) -> Profile:
        """Resolve a profile with all it extends; raises ProfileError."""
        chain = self._chain(name)
        laid = reduce(_laid, (profile for _, profile in reversed(chain)))
        texts = b"".join(msgspec.json.encode(profile) for _, profile in chain)
        return Profile(
            name=laid.name,
            version=laid.version,
            date=laid.date,
            document=laid.document,
            source=laid.source,
            digest=digest(texts),
            match=laid.match,
            essential=laid.essential,
            severity=laid.severity,
            paths=laid.paths,
            expected_mounts=laid.expected_mounts,
            root=laid.root,
            cgroup=laid.cgroup,
            kubelet=laid.kubelet,
            eviction=laid.eviction,
            thresholds=laid.thresholds,
            units=laid.units,
            failed_units=laid.failed_units,
            flapping=laid.flapping,
            startup=laid.startup,
            journald=laid.journald,
            waivers=laid.waivers,
            image_source=laid.image_source,
            conditions=laid.conditions,
            applicable=laid.applicable,
            storage=laid.storage,
            issues=self._issues,
            states=laid.states,
            cmdline=laid.cmdline,
            skew=laid.skew,
            deprecated_keys=laid.deprecated_keys,
            own_keys=laid.own_keys,
        )

    def all(self) -> tuple[Profile, ...]:
        """Resolve every profile."""
        return tuple(self.get(name) for name in self.names())

    def _chain(self, name: str) -> list[tuple[str, ProfileFile]]:
        chain: list[tuple[str, ProfileFile]] = []
        wanted, asker = name, ("", "")
        while wanted:
            if wanted not in self._files:
                known = ", ".join(self.names())
                raise ProfileError(asker[0] or wanted, asker[1], f"there is no profile {wanted!r}; there are {known}")
            if any(profile.name == wanted for _, profile in chain) or len(chain) >= _DEEPEST:
                raise ProfileError(asker[0], "extends", f"{wanted!r} extends itself, or the chain is too long")
            chain.append((self._files[wanted].file, self._files[wanted].whole))
            asker = (chain[-1][0], "extends")
            wanted = chain[-1][1].extends
        if chain[-1][1].name != BASE:
            raise ProfileError(chain[-1][0], "extends", f"the chain ends at {chain[-1][1].name!r}, wanted {BASE!r}")
        return chain


def _laid(under: ProfileFile, over: ProfileFile) -> ProfileFile:
    """Lay one profile over another: tables merge key by key, lists add up, single values are replaced."""
    paths = {path: rule for path, rule in under.paths.items() if path not in over.without}
    units = {name: rule for name, rule in under.units.items() if name not in over.without}
    return msgspec.structs.replace(
        over,
        essential=tuple(dict.fromkeys((*under.essential, *over.essential))),
        severity={**under.severity, **over.severity},
        paths={**paths, **over.paths},
        expected_mounts=(*under.expected_mounts, *over.expected_mounts),
        root=under.root if over.root is msgspec.UNSET else over.root,
        cgroup=(*over.cgroup, *under.cgroup),  # the first that covers a release counts
        kubelet=under.kubelet if over.kubelet is msgspec.UNSET else over.kubelet,
        eviction={**under.eviction, **over.eviction},
        thresholds={**under.thresholds, **over.thresholds},
        units={**units, **over.units},
        failed_units=(*under.failed_units, *over.failed_units),
        flapping=under.flapping if over.flapping is msgspec.UNSET else over.flapping,
        startup=under.startup if over.startup is msgspec.UNSET else over.startup,
        journald=under.journald if over.journald is msgspec.UNSET else over.journald,
        waivers=(*over.waivers, *under.waivers),
        image_source=under.image_source if over.image_source is msgspec.UNSET else over.image_source,
        conditions={**under.conditions, **over.conditions},
        applicable=under.applicable if over.applicable is msgspec.UNSET else over.applicable,
        storage={**under.storage, **over.storage},
        states={**under.states, **over.states},
        cmdline=(*under.cmdline, *over.cmdline),
        skew={**under.skew, **over.skew},
        deprecated_keys={**under.deprecated_keys, **over.deprecated_keys},
        own_keys=(*under.own_keys, *over.own_keys),
    )


def _date(text: str) -> str:
    """Give the date at the top of a data file, without decoding all of it."""
    found = _DATE.search(text)
    return found[1] if found is not None and _is_date(found[1]) else ""


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
