"""One automaton over all signatures: RE2's set tells which patterns a message matches, in linear time."""

from typing import Final

import re2

from nodediag.errors import NodediagError, ProfileError
from nodediag.logs.levels import MARKS, level
from nodediag.logs.sources import sources
from nodediag.signatures.signature import Signature

_MAX_MEM: Final = 64 << 20
_SENTINEL: Final = b"\x00nodediag-sentinel\x00"
_HEAD: Final = 400
_LINEWISE: Final = b"(?m)"  # `^` and `$` are those of a line, so that they hold among many messages too
_SUBJECT: Final = 256


class MatcherError(NodediagError):
    """The set of patterns cannot be built, or does not run."""


class Matcher:
    """All signatures, ready to be held against messages.

    A hit is a pattern's number. The patterns of the signatures come first, then those that clear one, then the marks of
    a level above info, so that a message without a hit is known to be of no interest.
    """

    def __init__(self, signatures: tuple[Signature, ...]) -> None:
        owned = [(signature, pattern) for signature in signatures for pattern in signature.patterns]
        clearing = [(signature, pattern) for signature in signatures for pattern in signature.cleared_by]
        self._owners = [signature for signature, _ in owned]
        self._clears = [signature.id for signature, _ in clearing]
        self._order = {signature.id: index for index, signature in enumerate(signatures)}
        self._compiled: dict[str, re2._Regexp] = {}
        self._set = re2.Set.SearchSet(_options())
        for signature, pattern in (*owned, *clearing):
            self._add(signature, pattern)
        for mark in MARKS:
            self._set.Add(_LINEWISE + mark.encode())
        self._set.Add(_SENTINEL)
        self._set.Compile()
        if self.hits(_SENTINEL) != (len(owned) + len(clearing) + len(MARKS),):
            raise MatcherError("the set of signatures does not run: RE2 ran out of its memory")

    def _add(self, signature: Signature, pattern: str) -> None:
        try:
            self._set.Add(_LINEWISE + pattern.encode())
        except re2.error as error:
            raise ProfileError(signature.file, f"{signature.id}.patterns", f"{pattern!r} is no RE2: {error}") from error

    def hits(self, message: bytes) -> tuple[int, ...]:
        """Give the numbers of the patterns that a message matches, in their order (RE2 gives them in any)."""
        return tuple(sorted(self._set.Match(message) or ()))

    def suspicious(self, messages: bytes) -> bool:
        """Tell whether anything in a text of many messages matches at all."""
        return bool(self._set.Match(messages))

    def match(self, message: bytes, unit: str = "", priority: int | None = None) -> tuple[Signature, ...]:
        """Give the signatures a message is an occurrence of, the most specific first."""
        return self.named(self.hits(message), message, unit, level(message[:_HEAD].decode("latin-1"), priority))

    def named(self, hits: tuple[int, ...], message: bytes, unit: str, said: str) -> tuple[Signature, ...]:
        """Give the signatures behind hits that apply to this unit and level; broader ones give way."""
        found: dict[str, tuple[int, Signature]] = {}
        for hit in hits:
            if hit >= len(self._owners):
                break
            owner = self._owners[hit]
            if owner.id not in found and self._applies(owner, message, unit, said):
                found[owner.id] = (max(len(pattern) for pattern in owner.patterns), owner)
        if len(found) > 1:
            covered = {other for _, owner in found.values() for other in owner.over}
            kept = [entry for identity, entry in found.items() if identity not in covered]
            kept.sort(key=lambda entry: (-entry[0], self._order[entry[1].id]))
            return tuple(owner for _, owner in kept)
        return tuple(owner for _, owner in found.values())

    def cleared(self, hits: tuple[int, ...]) -> list[str]:
        """Give the ids of the signatures whose fault these hits say is over."""
        first = len(self._owners)
        return [self._clears[hit - first] for hit in hits if first <= hit < first + len(self._clears)]

    def subjects(self, signature: Signature, message: bytes) -> tuple[str, ...]:
        """Give what a message is about, as `kind=name`."""
        found: dict[str, None] = {}
        for pattern in signature.extract:
            regex = self._regex(pattern)
            match = regex.search(message)
            for kind, group in regex.groupindex.items() if match is not None else ():
                name = match.group(group)
                if name:
                    found[f"{_text(kind)}={_text(name)[:_SUBJECT]}"] = None
        return tuple(found)

    def _applies(self, signature: Signature, message: bytes, unit: str, said: str) -> bool:
        if signature.units and unit and not sources(unit) & set(signature.units):
            return False
        if signature.levels and said not in signature.levels:
            return False
        return not any(self._regex(pattern).search(message) for pattern in signature.unless)

    def _regex(self, pattern: str) -> re2._Regexp:
        if pattern not in self._compiled:
            self._compiled[pattern] = re2.compile(_LINEWISE + pattern.encode(), _options())
        return self._compiled[pattern]


def _text(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "backslashreplace")


def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MAX_MEM
    options.log_errors = False
    return options
