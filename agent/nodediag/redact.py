"""Secrets masked, once and idempotently. The rules are data, in redactions.toml, each with samples and near misses."""

from functools import cache
from importlib import resources
from typing import Final

import msgspec
import re2

MARK: Final = b"[redacted]"
_MOST_PASSES: Final = 8  # the mark that stands for one secret may be the edge at which another begins


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of secret; what its groups `keep` and `after` match stays."""

    id: str
    why: str
    pattern: str
    samples: tuple[str, ...]
    near_misses: tuple[str, ...]


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    secret: str
    rule: tuple[Rule, ...]


@cache
def rules() -> tuple[Rule, ...]:
    """Give the rules that come with this release."""
    text = resources.files("nodediag").joinpath("redactions.toml").read_bytes()
    data = msgspec.toml.decode(text, type=_Rules)
    replace = msgspec.structs.replace
    return tuple(replace(rule, pattern=rule.pattern.replace("<secret>", data.secret)) for rule in data.rule)


def redact(data: bytes) -> bytes:
    """Mask every secret; data without one is given back as it is."""
    if not _suspects().Match(data):
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
def _suspects() -> re2.Set:
    """Give one automaton over all rules: one pass tells whether any of them matches at all, mostly none."""
    found = re2.Set.SearchSet(_options())
    for rule in rules():
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
