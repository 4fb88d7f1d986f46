"""Digests by which data and problems are told apart; they keep no secret and guard against no attacker.

`hashlib` loads OpenSSL, which takes a report a twentieth of its time; as `random` does, this takes Python's own.
"""

from typing import Final

from nodediag.model.outcome import Subject

try:
    from _sha256 import sha256  # type: ignore[import-not-found]  # 3.11; typeshed has only what is public
except ImportError:
    from hashlib import sha256

_LENGTH: Final = 16


def fingerprint(check_id: str, subject: Subject) -> str:
    """Name a problem so that it is the same in every run: by its check and its subject."""
    return digest(f"{check_id}\0{subject.kind}\0{subject.name}".encode("utf-8", "surrogatepass"))


def digest(data: bytes) -> str:
    """Give 16 hexadecimal digits (SHA-256, cut), the same for the same bytes in every run and release."""
    return str(sha256(data).hexdigest())[:_LENGTH]
