"""Every shell script is one that shellcheck has nothing to say about."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = (ROOT / ".ci", ROOT / "packaging", ROOT / "docker", ROOT / "tests")


def shell_scripts() -> list[Path]:
    files = (file for folder in FOLDERS for file in folder.rglob("*") if file.is_file() and file.suffix != ".py")
    return sorted(file for file in files if file.read_bytes().startswith((b"#!/bin/sh", b"#!/usr/bin/env bash")))


@pytest.mark.parametrize("script", shell_scripts(), ids=lambda script: str(script.relative_to(ROOT)))
def test_shellcheck_is_content(script: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
