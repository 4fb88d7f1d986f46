"""TOML to signatures. An error names the file, the record, the key and the reason."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from nodediag.errors import ProfileError
from nodediag.host import toml_text
from nodediag.signatures.signature import Signature, SignatureFile

_ID: Final = re.compile(r"[a-z]+(\.[a-z0-9-]+)+")
_SPAN: Final = re.compile(r"\d+[smhd]")
_COUNTED: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_MOST_COUNT: Final = 10
_LEVELS: Final = frozenset({"fatal", "error", "warning", "info", "debug", "unknown"})
_LEAST_SAMPLES: Final = 2
_BLOCKS: Final = frozenset({"", "allocation", "crash", "hung", "lockup", "oom", "panic", "stall", "trace"})


def parse(file: str, text: str) -> tuple[Signature, ...]:
    """Decode and lint a file; raises ProfileError at the first record that is wrong."""
    signatures = toml_text.decode(file, text, SignatureFile).signature
    for signature in signatures:
        _lint(file, signature)
    return tuple(msgspec.structs.replace(signature, file=file) for signature in signatures)


def merge(files: dict[str, str]) -> tuple[Signature, ...]:
    """Parse several files; a record of a later one takes the place of an earlier one's with its id.

    Raises ProfileError for an id that stands twice in a file or an `over` that names none.
    """
    merged: dict[str, Signature] = {}
    for file, text in files.items():
        for signature in parse(file, text):
            known = merged.get(signature.id)
            if known is not None and known.file == file:
                raise ProfileError(file, signature.id, "this id stands twice")
            merged[signature.id] = signature
    for signature in merged.values():
        for other in signature.over:
            if other not in merged:
                raise ProfileError("signatures", f"{signature.id}.over", f"there is no signature {other!r}")
    return tuple(merged.values())


def _lint(file: str, signature: Signature) -> None:
    def refuse(key: str, why: str) -> None:
        raise ProfileError(file, f"{signature.id}.{key}", why)

    if not _ID.fullmatch(signature.id):
        refuse("id", "wanted words joined by dots, such as kubelet.pleg-unhealthy")
    if not signature.patterns:
        refuse("patterns", "wanted at least one")
    if len(signature.samples) < _LEAST_SAMPLES or not signature.near_misses:
        refuse("samples", "wanted at least two samples and one near miss")
    if set(signature.levels) - _LEVELS:
        refuse("levels", f"wanted some of {', '.join(sorted(_LEVELS))}")
    _lint_spans(refuse, signature)
    if signature.block not in _BLOCKS:
        refuse("block", f"wanted one of {', '.join(sorted(_BLOCKS - {''}))}")
    for key in ("patterns", "unless", "extract", "cleared_by"):
        for pattern in getattr(signature, key):
            _lint_pattern(partial(refuse, key), pattern)


def _lint_spans(refuse: Callable[[str, str], None], signature: Signature) -> None:
    for key, span in (("window", signature.window), ("over_after", signature.over_after or signature.window)):
        if not _SPAN.fullmatch(span):
            refuse(key, "wanted a span such as 10m or 24h")


def _lint_pattern(refuse: Callable[[str], None], pattern: str) -> None:
    """Refuse what blows up RE2's memory: counted repeats over 10, and a second `.*`."""
    for match in _COUNTED.finditer(pattern):
        if int(match[2] or match[1]) > _MOST_COUNT:
            refuse(f"{pattern!r} repeats {match[0]}; at most {_MOST_COUNT}")
    if len(re.findall(r"(?<!\\)\.[*+]", pattern)) > 1:
        refuse(f"{pattern!r} has a second `.*`; name what stands between instead")
