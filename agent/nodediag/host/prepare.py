"""`python -m nodediag.host.prepare`: takes the data files of this release apart once, see nodediag.prepared."""

import os

import msgspec

from nodediag import prepared
from nodediag.model.digest import digest


def prepare(package: str) -> int:
    """Keep every TOML file below a folder taken apart in its folder `prepared`, and nothing else; count them."""
    folder = os.path.join(package, prepared.FOLDER)
    os.makedirs(folder, exist_ok=True)
    wanted = {digest(text.encode()): text for text in _texts(package)}
    there = set(os.listdir(folder))
    for name in there - wanted.keys():
        os.unlink(os.path.join(folder, name))
    for name in wanted.keys() - there:
        draft = os.path.join(folder, f".{name}")
        with open(draft, "wb") as file:
            file.write(msgspec.msgpack.encode(msgspec.toml.decode(wanted[name])))
        os.replace(draft, os.path.join(folder, name))
    return len(wanted)


def _texts(package: str) -> list[str]:
    texts: list[str] = []
    for above, _, names in os.walk(package):
        for name in names:
            if name.endswith(".toml"):
                with open(os.path.join(above, name), encoding="utf-8") as file:
                    texts.append(file.read())
    return texts


if __name__ == "__main__":
    prepare(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
