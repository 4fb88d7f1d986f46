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
_NEGATED: Final = re.compile(r"(?<!\\)\[\^(\]?)(?!\\n)")  # a bracket that stands first is one of the class
WHAT_FAILED: Final = 1  # a signature that is vaguer names an error for want of better
_SUBJECT: Final = 256
_KEYS: Final = ("patterns", "unless", "cleared_by")  # in the order of their numbers
_MOST_NAMES: Final = 4096


class MatcherError(NodediagError):
    """The set of patterns cannot be built, or does not run."""


class Matcher:
    """All signatures, ready to be held against messages.

    A hit is a pattern's number. The patterns of the signatures come first, then those that excuse a message (`unless`),
    those that say a fault is over (`cleared_by`), and the marks of a level above info. So a message without a hit is of
    no interest, and what a message means follows from its hits, its unit and its level alone.

    Two sets share the work, since healthy messages match excuses too: first comes all that makes a message suspicious,
    which many messages at once can be held against, a line for each. A message of several lines, which is rare, is held
    against a set of its own, in which a pattern may reach over a line's end; it is made for the first of them.

    A lean one is for who stays, and wants little memory: that one set for all, no marks of levels, and an automaton
    that begins afresh when with what it has seen it grows beyond about half of `lean_bytes`.
    """

    def __init__(self, signatures: tuple[Signature, ...], *, lean_bytes: int = 0) -> None:
        self._signatures = signatures
        self._marks = () if lean_bytes else MARKS
        self._owners = _owners(signatures, "patterns")
        self._excuses = _owners(signatures, "unless")
        self._clears = _owners(signatures, "cleared_by")
        self._cleared_by = [pattern for signature in signatures for pattern in signature.cleared_by]
        self._names: dict[tuple[tuple[int, ...], str, str], tuple[Signature, ...]] = {}
        self._first_excuse = len(self._owners)
        self._first_clear = self._first_excuse + len(self._excuses)
        self._first_mark = self._first_clear + len(self._clears)
        self._order = {signature.id: index for index, signature in enumerate(signatures)}
        self._compiled: dict[str, re2._Regexp] = {}
        self._whole = self._made(_KEYS, max_mem=lean_bytes) if lean_bytes else None
        self._suspects = self._whole or self._made(("patterns", "cleared_by"), a_line=True)
        self._excusing = None if lean_bytes else self._made(("unless",), a_line=True)
        # those that ask for certain numbers, with any in their place
        self._numbered = _compiled(re2.Set.SearchSet(_options()), () if lean_bytes else _numbered(signatures))

    def _made(self, keys: tuple[str, ...], *, a_line: bool = False, max_mem: int = _MAX_MEM) -> re2.Set:
        """Make the set of the patterns of some keys, for messages of one line or of any number."""
        made = re2.Set.SearchSet(_options(max_mem))
        for key, signature in ((key, signature) for key in keys for signature in self._signatures):
            for pattern in getattr(signature, key):
                try:
                    made.Add(_LINEWISE + (_within_a_line(pattern) if a_line else pattern).encode())
                except re2.error as error:
                    why = f"{pattern!r} is no RE2: {error}"
                    raise ProfileError(signature.file, f"{signature.id}.{key}", why) from error
        return _compiled(made, self._marks if "patterns" in keys else ())

    def hits(self, message: bytes) -> tuple[int, ...]:
        """Give the numbers of the patterns that a message matches, in their order (RE2 gives them in any)."""
        if self._excusing is None or b"\n" in message:
            if self._whole is None:
                self._whole = self._made(_KEYS)
            found = self._whole.Match(message)
            return tuple(sorted(found)) if found else ()
        found = self._suspects.Match(message)
        if not found:
            return ()
        first, excuses = self._first_excuse, len(self._excuses)
        excused = self._excusing.Match(message) or ()
        numbers = [hit if hit < first else hit + excuses for hit in found]
        return tuple(sorted((*numbers, *(first + hit for hit in excused if hit < excuses))))

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


def _owners(signatures: tuple[Signature, ...], key: str) -> list[Signature]:
    """Give the signature of each pattern of a key."""
    return [signature for signature in signatures for _ in getattr(signature, key)]


def _compiled(made: re2.Set, patterns: Iterable[str]) -> re2.Set:
    """Add the last patterns to a set, and one by which it is seen that it runs, and compile it."""
    for pattern in patterns:
        made.Add(_LINEWISE + pattern.encode())
    sentinel = made.Add(_SENTINEL)
    try:
        made.Compile()
    except re2.error as error:
        raise MatcherError("the set of signatures does not fit into the memory that RE2 is given") from error
    if made.Match(_SENTINEL) != [sentinel]:
        raise MatcherError("the set of signatures does not run: RE2 ran out of its memory")
    return made


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
    return _NEGATED.sub(r"[^\1\\n", pattern).replace("(?s)", "")


def _text(said: bytes | str) -> str:
    return said if isinstance(said, str) else said.decode("utf-8", "backslashreplace")


def _options(max_mem: int = _MAX_MEM) -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = max_mem
    options.log_errors = False
    return options
