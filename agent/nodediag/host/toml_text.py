"""TOML text of a data file as typed records; what is wrong is told by file, key and reason."""

from typing import TypeVar

import msgspec

from nodediag import prepared
from nodediag.errors import ProfileError

T = TypeVar("T")


def decode(file: str, text: str, kind: type[T]) -> T:
    """Decode a file; raises ProfileError at the first value that is wrong."""
    try:
        decoded: T = prepared.decode(text, kind)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at `$")
        raise ProfileError(file, place.strip(".`") or "(top)", said) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProfileError(file, "", f"not TOML: {error}") from error
    return decoded
