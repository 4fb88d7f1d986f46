"""nodediag for a machine without Python: the folder that `make onedir` makes."""

import sys
from pathlib import Path
from typing import Final

from tests.lab.machine import call

_MAKE: Final = Path(__file__).parents[2] / "packaging/onedir/make.py"


def stage(folder: Path) -> Path:
    """Make the folder; what is to be run is `nodediag` in it. Gives the folder."""
    call(sys.executable, "-I", _MAKE, folder)
    return folder
