"""Data files read sooner: TOML that was taken apart when this release was installed, kept by the digest of its text.

Python's tomllib takes 0.15 s for what comes with a release, MessagePack a fortieth of that. What is kept belongs to
one text, so that it cannot be out of date; a text that was not prepared, such as a user's own, is taken apart now.
"""

import pkgutil
from typing import Final, TypeVar

import msgspec

from nodediag.model.digest import digest

T = TypeVar("T")

FOLDER: Final = "prepared"


def decode(text: str, kind: type[T]) -> T:
    """Decode TOML as `msgspec.toml.decode` does, with its errors."""
    try:
        kept = pkgutil.get_data("nodediag", f"{FOLDER}/{digest(text.encode('utf-8', 'surrogatepass'))}")
    except OSError:
        kept = None
    decoded: T = msgspec.toml.decode(text, type=kind) if kept is None else msgspec.msgpack.decode(kept, type=kind)
    return decoded
