"""Secrets masked, once and idempotently. The rules are data, in redactions.toml, each with samples and near misses."""

import pkgutil
from functools import cache
from typing import Final

import msgspec
import re2

MARK: Final = b"[redacted]"
_MOST_PASSES: Final = 8  # the mark that stands for one secret may be the edge at which another begins


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of secret; what its groups `keep` and `after` match stays.

    Whatever the pattern matches holds one of `hints`, in lower case: a text without any of them is not looked at.
    """

    id: str
    why: str
    hints: tuple[str, ...]
    pattern: str
    samples: tuple[str, ...]
    near_misses: tuple[str, ...]


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    secret: str
    secret_hints: tuple[str, ...]
    rule: tuple[Rule, ...]


@cache
def rules() -> tuple[Rule, ...]:
    """Give the rules that come with this release."""
    text = pkgutil.get_data("nodediag", "redactions.toml")  # importlib.resources takes ten times as long to import
    data = msgspec.toml.decode(text or b"", type=_Rules)
    return tuple(
        msgspec.structs.replace(
            rule,
            pattern=rule.pattern.replace("<secret>", data.secret),
            hints=tuple(h for hint in rule.hints for h in (data.secret_hints if hint == "<secret>" else (hint,))),
        )
        for rule in data.rule
    )


def redact(data: bytes) -> bytes:
    """Mask every secret; data without one is given back as it is."""
    lowered = data.lower()
    always, hinted, hints = _suspects()
    if not always.Match(data) and not (any(hint in lowered for hint in hints) and hinted.Match(data)):
        return data
    for _ in range(_MOST_PASSES):
        before = data
        for pattern, replacement in _compiled():
            data = pattern.sub(replacement, data)
        if data == before:
            break
    return data


def redact_text(text: str) -> str:
    """Mask every secret of a text."""
    data = text.encode("utf-8", "surrogateescape")
    masked = redact(data)
    return text if masked == data else masked.decode("utf-8", "surrogateescape")


@cache
def _suspects() -> tuple[re2.Set, re2.Set, tuple[bytes, ...]]:
    """Give the rules without hints and those with them, an automaton each, and all hints.

    One pass tells whether any rule matches at all. Mostly no hint is there, and the big automaton is never built.
    """
    hints = dict.fromkeys(hint.encode() for rule in rules() for hint in rule.hints)
    always = _automaton(tuple(rule for rule in rules() if not rule.hints))
    return always, _automaton(tuple(rule for rule in rules() if rule.hints)), tuple(hints)


def _automaton(some: tuple[Rule, ...]) -> re2.Set:
    found = re2.Set.SearchSet(_options())
    for rule in some:
        found.Add(rule.pattern.encode())
    found.Compile()
    return found


@cache
def _compiled() -> tuple[tuple[re2._Regexp, bytes], ...]:
    """Give each rule's pattern, and what a match becomes: the mark between what stays."""
    compiled = [re2.compile(rule.pattern.encode(), _options()) for rule in rules()]
    return tuple((pattern, _kept(pattern, "keep") + MARK + _kept(pattern, "after")) for pattern in compiled)


def _kept(pattern: re2._Regexp, group: str) -> bytes:
    return f"\\g<{group}>".encode() if group.encode() in pattern.groupindex else b""


@cache
def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = 32 << 20
    return options
