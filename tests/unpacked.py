"""What a bundle holds, for the tests that look into one."""

import tarfile
from pathlib import Path


def whole(file: Path) -> dict[str, bytes]:
    """Give the files in a bundle by their names, its folder's among them."""
    held: dict[str, bytes] = {}
    with tarfile.open(file) as tar:
        for entry in tar:
            data = tar.extractfile(entry)
            assert data is not None
            held[entry.name] = data.read()
    return held


def opened(file: Path) -> dict[str, bytes]:
    """Give the files in a bundle by their paths in its folder."""
    return {name.partition("/")[2]: data for name, data in whole(file).items()}
