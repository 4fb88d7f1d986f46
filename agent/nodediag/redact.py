"""Secrets masked, once and idempotently. The rules are data, in redactions.toml, each with samples and near misses.

Most text holds none: one automaton finds the lines that may, and only those are looked at, by the rules whose hint is
there.
"""

import pkgutil
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from typing import Final

import msgspec
import re2

from nodediag import prepared

MARK: Final = b"[redacted]"
_MASKED: Final = {MARK, MARK[:-1], MARK[1:-1]}  # a pattern may stop at a bracket of the mark
_BEGINS: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_ENDS: Final = b"-----END "
_OF_A_KEY: Final = re.compile(
    rb"[A-Za-z0-9+/]{1,76}={0,2}|=[A-Za-z0-9+/]{4}|(?:Proc-Type|DEK-Info|Version|Comment): .*"
)
_MOST_LINES: Final = 200
_CUT_KEY: Final = "private-key-cut"
_MOST_PASSES: Final = 8  # the mark that stands for one secret may be the edge at which another begins


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of secret; what its groups `keep` and `after` match stays (numbered where there are several).

    `mark` takes the place of the rest, but where `unless` matches that as a whole. The line in which a match begins
    holds one of `hints`, in lower case, if there are any; a match may span as many `lines`. With `below` the pattern
    matches the head only, and it is the lines that follow which are masked, as long as `below` matches them; with
    `indented` as long as they are also blank or belong to the head by their indentation, as in YAML.
    """

    id: str
    why: str
    pattern: str
    samples: tuple[str, ...]
    near_misses: tuple[str, ...]
    hints: tuple[str, ...] = ()
    unless: str = ""
    mark: str = MARK.decode()
    lines: int = 1
    below: str = ""
    indented: bool = False


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What redactions.toml holds: one of `near` matches wherever a rule does."""

    near: tuple[str, ...]
    words: dict[str, str]
    hints: dict[str, tuple[str, ...]]
    rule: tuple[Rule, ...]


@cache
def rules() -> Rules:
    """Give the rules that come with this release, `<word>` put in wherever one stands."""
    text = pkgutil.get_data("nodediag", "redactions.toml")  # importlib.resources takes ten times as long to import
    data: Rules = prepared.decode((text or b"").decode(), Rules)

    def full(pattern: str) -> str:
        for word, meaning in data.words.items():
            pattern = pattern.replace(f"<{word}>", meaning)
        return pattern

    def whole(rule: Rule) -> Rule:
        hints = dict.fromkeys(h for hint in rule.hints for h in data.hints.get(hint, (hint,)))
        patterns = {"pattern": full(rule.pattern), "below": full(rule.below), "unless": full(rule.unless)}
        return msgspec.structs.replace(rule, hints=tuple(hints), **patterns)

    return msgspec.structs.replace(
        data, near=tuple(full(pattern) for pattern in data.near), rule=tuple(whole(rule) for rule in data.rule)
    )


def redact(data: bytes) -> bytes:
    """Mask every secret; data without one is given back as it is."""
    for _ in range(_MOST_PASSES):
        masked = _once(data)
        if masked == data:
            break
        data = masked
    return data


_counts: Counter[str] = Counter()  # by rule, in this process since somebody asked


def counted() -> dict[str, int]:
    """Give how often each rule has masked something since this was asked before, in this process; never what.

    A key of many lines is masked once. One secret may count twice where two rules each mask a part of it.
    """
    counts = {rule: count for rule, count in sorted(_counts.items()) if count}
    _counts.clear()
    return counts


def redact_text(text: str) -> str:
    """Mask every secret of a text."""
    data = text.encode("utf-8", "surrogateescape")
    masked = redact(data)
    return text if masked == data else masked.decode("utf-8", "surrogateescape")


def redact_entries(messages: Iterable[bytes]) -> Iterator[bytes]:
    """Mask the secrets of what one unit logs, also a private key each of whose lines is an entry of its own."""
    left = 0  # of a key that has begun, so many lines may come
    for message in messages:
        if left and _OF_A_KEY.fullmatch(message.strip()):
            _counts[_CUT_KEY] += left == _MOST_LINES
            left -= 1
            yield MARK
            continue
        left = 0 if _ENDS in message else _MOST_LINES if _BEGINS.search(message) else max(0, left - 1)
        yield redact(message)


def redact_field(name: str, text: str) -> str:
    """Mask every secret of a text, which may be one by its name."""
    field = msgspec.json.encode({name: text})
    masked = redact(field)
    if masked == field:
        return text
    try:
        return "".join(msgspec.json.decode(masked, type=dict[str, str]).values())
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return MARK.decode()


def redact_arguments(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Mask every secret of a command line: a flag and its value may be two arguments, and a value may hold anything."""
    line = "\0".join(arguments) + "\0"
    masked = redact_text(line)
    return arguments if masked == line else tuple(masked[:-1].split("\0"))


@cache
def compiled(pattern: str) -> re2._Regexp:
    """Compile a pattern over bytes, in which `^` and `$` stand at lines."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = 32 << 20
    return re2.compile(f"(?m){pattern}".encode("latin-1"), options)


class Masker:
    """A rule that is ready to be used."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._hints = tuple(hint.encode() for hint in rule.hints)
        self._mark = rule.mark.encode()
        self._only_first = rule.pattern.startswith("\\A")
        self._starts_line = rule.pattern.startswith("^")

    @cached_property
    def _pattern(self) -> re2._Regexp:
        return compiled(self._rule.pattern)

    @cached_property
    def _unless(self) -> re2._Regexp:
        return compiled(self._rule.unless)

    @cached_property
    def _below(self) -> re2._Regexp:
        return compiled(self._rule.below)

    def hinted(self, lowered: bytes) -> bool:
        """Tell whether a line may hold what this rule knows."""
        return not self._hints or any(hint in lowered for hint in self._hints)

    def line(self, line: bytes) -> bytes:
        """Mask what this rule knows within a line."""
        return self._pattern.sub(self._counted, line) if self._pattern.search(line) else line

    def over_lines(self, data: bytes, start: int, end: int) -> tuple[bytes, int] | None:
        """Mask the first that begins in the line from start to end, if any: what it becomes, and how far it goes."""
        for match in self._beginning(data, start, end):
            masked, reached = self._masked(match), match.end()
            if self._rule.below:
                below, reached = self._masked_below(data, match)
                masked = match.group() + below
            if masked != data[match.start() : reached]:
                _counts[self._rule.id] += 1
                return data[start : match.start()] + masked, reached
        return None

    def _beginning(self, data: bytes, start: int, end: int) -> Iterator[re2._Match]:
        """Give the matches that begin in the line from start to end."""
        if self._only_first and start:
            return
        limit = end
        for _ in range(self._rule.lines - 1):
            limit = data.find(b"\n", limit + 1)
            if limit < 0:
                limit = len(data)
                break
        limit = min(limit + 1, len(data))
        if self._starts_line:
            match = self._pattern.match(data, start, limit)
            if match is not None:
                yield match
            return
        for match in self._pattern.finditer(data, start, limit):
            if match.start() > end:
                return
            yield match

    def _counted(self, match: re2._Match) -> bytes:
        masked = self._masked(match)
        _counts[self._rule.id] += masked != match.group()
        return masked

    def _masked(self, match: re2._Match) -> bytes:
        """Give what a match becomes."""
        whole: bytes = match.group()
        groups: dict[bytes, bytes] = match.groupdict(b"")
        before = b"".join(groups[name] for name in groups if name.startswith(b"keep"))
        after = b"".join(groups[name] for name in groups if name.startswith(b"after"))
        secret = whole[len(before) : len(whole) - len(after)]
        if secret in _MASKED or (self._rule.unless and self._unless.fullmatch(secret)):
            return whole
        return before + self._mark + after

    def _masked_below(self, data: bytes, head: re2._Match) -> tuple[bytes, int]:
        """Mask the lines that follow a head, and tell where they end."""
        pieces: list[bytes] = []
        at = head.end()
        while at < len(data):
            end = data.find(b"\n", at) + 1 or len(data)
            line = data[at:end].rstrip(b"\r\n")
            rest = data[at + len(line) : end]
            if line.strip() or not self._rule.indented:
                match = self._below.fullmatch(line) if self._belongs(head.group(), line) else None
                if match is None:
                    break
                line = self._masked(match)
            pieces += (line, rest)
            at = end
        return b"".join(pieces), at

    def _belongs(self, head: bytes, line: bytes) -> bool:
        """Tell whether a line belongs to a YAML key: it stands further right, or is an item right below it."""
        if not self._rule.indented:
            return True
        column, of_line = (len(text) - len(text.lstrip(b" \t")) for text in (head, line))
        key = head[column:]
        column += len(key) - len(key.lstrip(b"- \t"))
        return of_line > column or (of_line == column and line[of_line:].startswith(b"- "))


def _once(data: bytes) -> bytes:
    """Go over the lines that may hold a secret."""
    search = _near().search
    pieces: list[bytes] = []
    at = 0
    while hit := search(data, at):
        start = max(at, data.rfind(b"\n", at, hit.start()) + 1)
        end = data.find(b"\n", hit.start())
        masked, reached = _line(data, start, len(data) if end < 0 else end)
        pieces += (data[at:start], masked)
        at = reached
        if reached == len(data):
            break
    return b"".join((*pieces, data[at:])) if pieces else data


def _line(data: bytes, start: int, end: int) -> tuple[bytes, int]:
    """Mask what begins in a line, and tell how far that goes; what else is there is met when it is looked at again."""
    spanning, single = _maskers()
    line = data[start:end]
    lowered = line.lower()
    for masker in spanning:
        if masker.hinted(lowered) and (found := masker.over_lines(data, start, end)):
            return found
    for masker in single:
        if masker.hinted(lowered):
            line = masker.line(line)
    return line, end


@cache
def _near() -> re2._Regexp:
    """Give what finds every line that may hold a secret."""
    return compiled("|".join(f"(?:{pattern})" for pattern in rules().near))


@cache
def _maskers() -> tuple[tuple[Masker, ...], tuple[Masker, ...]]:
    """Give the rules whose match may span lines, and the others."""
    spanning = tuple(Masker(rule) for rule in rules().rule if rule.lines > 1)
    return spanning, tuple(Masker(rule) for rule in rules().rule if rule.lines == 1)
