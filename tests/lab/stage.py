"""nodediag for a machine without Python: our interpreter, its library and the packages of the lock, in one folder."""

import importlib.metadata
import re
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Final

from tests.lab.machine import call

_PROJECT: Final = Path(__file__).parents[2]
_LEFT_OUT: Final = (
    "site-packages",
    "dist-packages",
    "test",
    "idlelib",
    "tkinter",
    "ensurepip",
    "__pycache__",
    "config-*",
)
_LAUNCHER: Final = """#!/bin/sh
here=${0%/*}
LD_LIBRARY_PATH=$here/lib exec "$here/bin/python3" -I -B -m nodediag "$@"
"""


def stage(folder: Path) -> Path:
    """Make the folder; what is to be run is `nodediag` in it. Gives the folder."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = folder / "lib" / name
    (folder / "bin").mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), folder / "bin/python3")
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    packages = library / "site-packages"
    for distribution in re.findall(r"^([\w.-]+)==", (_PROJECT / "requirements.lock").read_text(), re.MULTILINE):
        _copy(distribution, packages)
    shutil.copytree(_PROJECT / "agent/nodediag", packages / "nodediag", ignore=shutil.ignore_patterns("__pycache__"))
    _copy_libraries(folder)
    (folder / "nodediag").write_text(_LAUNCHER)
    (folder / "nodediag").chmod(0o755)
    return folder


def _copy(distribution: str, packages: Path) -> None:
    for file in importlib.metadata.files(distribution) or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (packages / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(str(file.locate())), packages / file)


def _copy_libraries(folder: Path) -> None:
    """Copy what the binaries are linked to, but for the C library, which must be the one of its loader."""
    binaries = [folder / "bin/python3", *folder.rglob("*.so")]
    for line in {line for binary in binaries for line in call("ldd", binary, check=False).stdout.splitlines()}:
        found = re.search(r"=> (/\S+/(?!lib(?:c|m|dl|rt|pthread|util)\.so)([^/\s]+)) ", line)
        if found is not None and not (folder / "lib" / found[2]).exists():
            shutil.copy(found[1], folder / "lib" / found[2])
