"""Secrets masked, once and idempotently. The rules are data, in redactions.toml, each with samples and near misses."""

from functools import cache
from importlib import resources
from typing import Final

import msgspec
import re2

MARK: Final = b"[redacted]"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of secret; what its group `keep` matches stays."""

    id: str
    why: str
    pattern: str
    samples: tuple[str, ...]
    near_misses: tuple[str, ...]


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


@cache
def rules() -> tuple[Rule, ...]:
    """Give the rules that come with this release."""
    text = resources.files("nodediag").joinpath("redactions.toml").read_bytes()
    return msgspec.toml.decode(text, type=_Rules).rule


def redact(data: bytes) -> bytes:
    """Mask every secret; data without one is given back as it is."""
    for number in _suspects().Match(data) or ():
        pattern, replacement = _compiled(number)
        data = pattern.sub(replacement, data)
    return data


def redact_text(text: str) -> str:
    """Mask every secret of a text."""
    data = text.encode("utf-8", "surrogateescape")
    masked = redact(data)
    return text if masked == data else masked.decode("utf-8", "surrogateescape")


@cache
def _suspects() -> re2.Set:
    """Give one automaton over all rules: one pass tells which of them match at all, mostly none."""
    found = re2.Set.SearchSet(_options())
    for rule in rules():
        found.Add(rule.pattern.encode())
    found.Compile()
    return found


@cache
def _compiled(number: int) -> tuple[re2._Regexp, bytes]:
    rule = rules()[number]
    keeps = b"\\g<keep>" if "(?P<keep>" in rule.pattern else b""
    at = b"@" if rule.pattern.endswith("@") else b""
    return re2.compile(rule.pattern.encode(), _options()), keeps + MARK + at


@cache
def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = 32 << 20
    return options
