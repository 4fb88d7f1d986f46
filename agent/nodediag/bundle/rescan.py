"""A second look at what is about to be given away, by rules of its own: what redaction overlooked.

rescan.toml has those of secrets in general, services.toml the keys that tell by themselves of which service they are.

It names the kind and the place of what it finds, never the value.
"""

import math
import pkgutil
from collections import Counter
from functools import cache
from typing import Final

import msgspec
import re2

from nodediag import prepared

_MOST: Final = 100


class Finding(msgspec.Struct, frozen=True, order=True):
    """What looks like a secret: where it begins, in bytes from the start and as a line from 1, and of which kind."""

    offset: int
    line: int
    kind: str


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of secret; the value is the group `secret`, or all of it, at least of so much `entropy`.

    Some text of `keywords`, in lower case, is near it. With `mixed` it holds both letters and digits; a digest is taken
    for one with `digests_too`, where a name tells. Without `entropy` the pattern alone is enough.
    """

    id: str
    keywords: tuple[str, ...]
    regex: str
    samples: tuple[str, ...]
    near_misses: tuple[str, ...]
    entropy: float = 0.0
    mixed: bool = False
    digests_too: bool = False


class Allowed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values that are no secrets, as patterns of the whole value."""

    masked: tuple[str, ...]
    values: tuple[str, ...]
    digests: tuple[str, ...]


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    allow: Allowed
    rule: tuple[Rule, ...]


class _Services(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


@cache
def rules() -> _Rules:
    """Give the rules that come with this release."""
    own: _Rules = prepared.decode((pkgutil.get_data("nodediag.bundle", "rescan.toml") or b"").decode(), _Rules)
    more: _Services = prepared.decode((pkgutil.get_data("nodediag.bundle", "services.toml") or b"").decode(), _Services)
    return msgspec.structs.replace(own, rule=own.rule + more.rule)


def scan(data: bytes) -> tuple[Finding, ...]:
    """Find what looks like a secret, in order of its place, each place once; of each kind the first hundred."""
    lowered = data.lower()
    found: dict[int, Finding] = {}
    for rule in rules().rule:
        if any(keyword.encode() in lowered for keyword in rule.keywords):
            for offset in places(rule, data):
                found.setdefault(offset, Finding(offset, data.count(b"\n", 0, offset) + 1, rule.id))
    return tuple(sorted(found.values()))


def places(rule: Rule, data: bytes) -> list[int]:
    """Give where the values begin that a rule takes for secrets, whether or not a keyword is there."""
    pattern = compiled(rule.regex)
    found: list[int] = []
    at = 0
    while len(found) < _MOST and (match := pattern.search(data, at)):
        group = next((number for number in range(1, pattern.groups + 1) if match.start(number) >= 0), 0)
        start, end = match.span(group)
        secret = _is_secret(rule, match.group(group))
        at = max(end if secret else start, at + 1)
        if secret:
            found.append(start)
    return found


def _is_secret(rule: Rule, value: bytes) -> bool:
    mixed = any(byte in b"0123456789" for byte in value) and any(byte >= ord("A") for byte in value)
    if (rule.mixed and not mixed) or entropy(value) < rule.entropy:
        return False
    return _allowed(sure=not rule.entropy, digests=not rule.digests_too).fullmatch(value) is None


def entropy(value: bytes) -> float:
    """Tell how random bytes are: Shannon's entropy, in bits a byte."""
    return -sum(count / len(value) * math.log2(count / len(value)) for count in Counter(value).values())


@cache
def _allowed(*, sure: bool, digests: bool) -> re2._Regexp:
    """Give what matches values that are no secrets; where the pattern is sure, only what is masked."""
    allow = rules().allow
    some = (*allow.masked, *(() if sure else allow.values), *(allow.digests if digests and not sure else ()))
    return compiled("|".join(f"(?:{value})" for value in some))


@cache
def compiled(pattern: str) -> re2._Regexp:
    """Compile a pattern over bytes."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    return re2.compile(pattern.encode("latin-1"), options)
