"""The data files that came with this release, as texts by file name."""

import os
from typing import Final

_HERE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def texts(folder: str) -> dict[str, str]:
    """Read the TOML files of a folder of this package, in the order of their names."""
    path = os.path.join(_HERE, folder)
    found: dict[str, str] = {}
    for name in sorted(os.listdir(path)):
        if name.endswith(".toml"):
            with open(os.path.join(path, name), encoding="utf-8") as file:
                found[name] = file.read()
    return found


def text(path: str) -> str:
    """Read one file of this package."""
    with open(os.path.join(_HERE, path), encoding="utf-8") as file:
        return file.read()
