"""What reading each fact takes, as data/needs.toml says: who may, what a pod is given for it, what option brings it."""

import msgspec

from nodediag import prepared
from nodediag.host import package


class Needs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a fact is read from; `rights` is empty where any user may, `mounts` are the node's paths."""

    reads: str
    rights: str = ""
    mounts: tuple[str, ...] = ()
    option: str = ""


def needs() -> dict[str, Needs]:
    """Give what all facts need, by their names."""
    texts = package.texts("facts/data")
    return {name: one for text in texts.values() for name, one in _decode(text).items()}


def _decode(text: str) -> dict[str, Needs]:
    return prepared.decode(text, dict[str, Needs])
