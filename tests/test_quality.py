"""Lint, format, types and layers are tests too."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-fix", "--quiet"),
        ("ruff", "format", "--check", "--quiet"),
        ("mypy", "--no-error-summary"),
        ("lint-imports", "--no-cache"),
    ],
    ids=["lint", "format", "types", "layers"],
)
def test_the_source_passes(command: tuple[str, ...]) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
