"""One automaton over all signatures: RE2's set tells which patterns a message matches, in linear time."""

import re
from collections.abc import Iterable
from typing import Final

import re2

from nodediag.errors import NodediagError, ProfileError
from nodediag.logs.levels import MARKS, level
from nodediag.logs.numbers import widened
from nodediag.logs.sources import sources
from nodediag.model.outcome import Severity
from nodediag.signatures.signature import Signature

_MAX_MEM: Final = 64 << 20
_SENTINEL: Final = b"\x00nodediag-sentinel\x00"
_LINEWISE: Final = b"(?m)"  # `^` and `$` are those of a line, so that they hold among many messages too
_NEGATED: Final = re.compile(r"(?<!\\)\[\^(?!\\n)")
WHAT_FAILED: Final = 1  # a signature that is vaguer names an error for want of better
_SUBJECT: Final = 256
_MOST_NAMES: Final = 4096


class MatcherError(NodediagError):
    """The set of patterns cannot be built, or does not run."""


class Matcher:
    """All signatures, ready to be held against messages.

    A hit is a pattern's number. The patterns of the signatures come first, then those that excuse a message (`unless`),
    those that say a fault is over (`cleared_by`), and the marks of a level above info. So a message without a hit is of
    no interest, and what a message means follows from its hits, its unit and its level alone.

    A lean one is for who stays, and wants little memory: one set instead of two, no marks of levels, and an automaton
    that begins afresh when with what it has seen it grows beyond about half of `lean_bytes`.
    """

    def __init__(self, signatures: tuple[Signature, ...], *, lean_bytes: int = 0) -> None:
        lean = lean_bytes > 0
        self._set = re2.Set.SearchSet(_options(lean_bytes or _MAX_MEM))
        # all but the excuses, which healthy messages match too
        self._suspects = self._set if lean else re2.Set.SearchSet(_options())
        self._numbered = re2.Set.SearchSet(_options())  # those that ask for certain numbers, with any in their place
        sets = {self._set, self._suspects}
        marks = () if lean else MARKS
        self._owners = self._add(signatures, "patterns")
        self._excuses = self._add(signatures, "unless")
        self._clears = self._add(signatures, "cleared_by")
        self._cleared_by = [pattern for signature in signatures for pattern in signature.cleared_by]
        for one in sets:
            for mark in marks:
                one.Add(_LINEWISE + mark.encode())
        for pattern in () if lean else _numbered(signatures):
            self._numbered.Add(_LINEWISE + pattern.encode())
        for one in (*sets, self._numbered):
            _compile(one)
        self._names: dict[tuple[tuple[int, ...], str, str], tuple[Signature, ...]] = {}
        self._first_excuse = len(self._owners)
        self._first_clear = self._first_excuse + len(self._excuses)
        self._first_mark = self._first_clear + len(self._clears)
        self._order = {signature.id: index for index, signature in enumerate(signatures)}
        self._compiled: dict[str, re2._Regexp] = {}
        ran = self.suspicious(_SENTINEL) and self.asks_for_numbers(_SENTINEL)
        if self.hits(_SENTINEL) != (self._first_mark + len(marks),) or not ran:
            raise MatcherError("the set of signatures does not run: RE2 ran out of its memory")

    def _add(self, signatures: tuple[Signature, ...], key: str) -> list[Signature]:
        """Add the patterns of one key, and give the signature of each."""
        owners: list[Signature] = []
        for signature in signatures:
            for pattern in getattr(signature, key):
                try:
                    self._set.Add(_LINEWISE + pattern.encode())
                    if key != "unless" and self._suspects is not self._set:
                        self._suspects.Add(_LINEWISE + _within_a_line(pattern).encode())
                except re2.error as error:
                    why = f"{pattern!r} is no RE2: {error}"
                    raise ProfileError(signature.file, f"{signature.id}.{key}", why) from error
                owners.append(signature)
        return owners

    def hits(self, message: bytes) -> tuple[int, ...]:
        """Give the numbers of the patterns that a message matches, in their order (RE2 gives them in any)."""
        found = self._set.Match(message)
        return tuple(sorted(found)) if found else ()

    def suspicious(self, messages: bytes) -> bool:
        """Tell whether anything in a text of many messages matches at all; each of them must be of one line."""
        return self._suspects.Match(messages) is not None

    def asks_for_numbers(self, message: bytes) -> bool:
        """Tell whether with other numbers in it a message might mean something else."""
        return self._numbered.Match(message) is not None

    def match(self, message: bytes, unit: str = "", priority: int | None = None) -> tuple[Signature, ...]:
        """Give the signatures a message is an occurrence of, the most specific first."""
        return self.named(self.hits(message), unit, level(message, priority))

    def named(self, hits: tuple[int, ...], unit: str, said: str) -> tuple[Signature, ...]:
        """Give the signatures behind hits that apply to this unit and level; broader ones give way."""
        key = (hits, unit, said)
        names = self._names.get(key)
        if names is None:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            names = self._names[key] = self._judged(hits, unit, said)
        return names

    def _judged(self, hits: tuple[int, ...], unit: str, said: str) -> tuple[Signature, ...]:
        excused = {self._excuses[hit - self._first_excuse].id for hit in hits if self._is_excuse(hit)}
        found: dict[str, tuple[int, Signature]] = {}
        for hit in hits:
            if hit >= self._first_excuse:
                break
            owner = self._owners[hit]
            if owner.id not in excused and _applies(owner, unit, said):
                found[owner.id] = (max(len(pattern) for pattern in owner.patterns), owner)
        covered = {other for _, owner in found.values() for other in owner.over}
        kept = [entry for identity, entry in found.items() if identity not in covered]
        kept = [entry for entry in kept if not any(_says_more(other, entry[1]) for _, other in kept)]
        kept.sort(key=lambda entry: (-entry[0], self._order[entry[1].id]))
        return tuple(owner for _, owner in (kept[:1] if kept and kept[0][1].vague > WHAT_FAILED else kept))

    def cleared(self, hits: tuple[int, ...], message: bytes) -> tuple[tuple[str, str], ...]:
        """Give the ids of the signatures whose fault these hits say is over, each with the subject, empty for all."""
        first, end = self._first_clear, self._first_mark
        found = []
        for hit in hits:
            if first <= hit < end:
                subjects = self._named(self._cleared_by[hit - first], message)
                found.append((self._clears[hit - first].id, next(iter(subjects), "")))
        return tuple(found)

    def first(self, signatures: Iterable[Signature]) -> Signature:
        """Give the one that stands first in its file."""
        return min(signatures, key=lambda signature: self._order[signature.id])

    def _is_excuse(self, hit: int) -> bool:
        return self._first_excuse <= hit < self._first_clear

    def subjects(self, signature: Signature, message: bytes) -> tuple[str, ...]:
        """Give what a message is about, as `kind=name`."""
        found: dict[str, None] = {}
        for pattern in signature.extract:
            found.update(dict.fromkeys(self._named(pattern, message)))
        return tuple(found)

    def _named(self, pattern: str, message: bytes) -> tuple[str, ...]:
        regex = self._regex(pattern)
        match = regex.search(message)
        if match is None:
            return ()
        names = [(kind, match.group(group)) for kind, group in regex.groupindex.items()]
        return tuple(f"{_text(kind)}={_text(name)[:_SUBJECT]}" for kind, name in names if name)

    def _regex(self, pattern: str) -> re2._Regexp:
        if pattern not in self._compiled:
            self._compiled[pattern] = re2.compile(_LINEWISE + pattern.encode(), _options())
        return self._compiled[pattern]


def _compile(patterns: re2.Set) -> None:
    patterns.Add(_SENTINEL)
    try:
        patterns.Compile()
    except re2.error as error:
        raise MatcherError("the set of signatures does not fit into the memory that RE2 is given") from error


def _numbered(signatures: tuple[Signature, ...]) -> set[str]:
    every = {
        pattern for one in signatures for patterns in (one.patterns, one.unless, one.cleared_by) for pattern in patterns
    } | {*MARKS}
    return {wide for pattern in every if (wide := widened(pattern)) != pattern}


def _applies(signature: Signature, unit: str, said: str) -> bool:
    known = unit or signature.vague > WHAT_FAILED  # what tells only whose error it is must know who wrote it
    if signature.units and known and not sources(unit) & set(signature.units):
        return False
    return not signature.levels or said in signature.levels


def _says_more(one: Signature, other: Signature) -> bool:
    """Tell whether one makes a vaguer other needless; what is only info takes no fault's place."""
    return one.vague < other.vague and (one.severity is not Severity.INFO or other.severity is Severity.INFO)


def _within_a_line(pattern: str) -> str:
    """Keep a pattern from reaching over a line's end: RE2 then starts afresh at each line of a text, and stays fast."""
    return _NEGATED.sub(r"[^\\n", pattern).replace("(?s)", "")


def _text(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "backslashreplace")


def _options(max_mem: int = _MAX_MEM) -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = max_mem
    options.log_errors = False
    return options
