"""The reports of nodes on record, as something built makes them and as the source does: they must be the same."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

NODES: Final = tuple(sorted((Path(__file__).parent.parent / "nodes").glob("*/root")))
OF_NOW: Final = ("generated_at", "observed_at", "duration_ms")


def report(node: Path, *command: str | Path) -> dict[str, object]:
    """Have a program report on a folder, and leave out what is of now; the root's path is kept."""
    asked = [*command, "report", "--root", node, "--format", "json"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, cwd="/")
    told: dict[str, object] = json.loads(done.stdout)
    logs = told["logs"]
    assert isinstance(logs, dict)
    window = ("since", "until")
    return {
        **{key: value for key, value in told.items() if key not in OF_NOW},
        "logs": {key: value for key, value in logs.items() if key not in window},
        "status": done.returncode,
    }


@cache
def by_the_source(node: Path) -> dict[str, object]:
    """Give the report that the program makes from which all is built."""
    return report(node, sys.executable, "-I", "-m", "nodediag")
