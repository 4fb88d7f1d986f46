"""Digests by which data and problems are told apart; they keep no secret and guard against no attacker."""

import hashlib
from typing import Final

_LENGTH: Final = 16


def digest(data: bytes) -> str:
    """Give 16 hexadecimal digits (SHA-256, cut), the same for the same bytes in every run and release."""
    return hashlib.sha256(data).hexdigest()[:_LENGTH]
