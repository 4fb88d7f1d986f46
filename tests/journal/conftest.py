"""Real journal files, made of entries that a test tells, and the readers that must agree on them."""

import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodediag.host import journal_files
from nodediag.journal.journal import Journal
from nodediag.journal.native import NativeJournal
from nodediag.journal.saved import SavedJournal

REMOTE = "/lib/systemd/systemd-journal-remote"
BOOT, MACHINE = "a" * 32, "b" * 32
START_US = 1_763_700_000_000_000
Fields = dict[str, str | bytes]
Write = Callable[[list[Fields]], Path]
Reader = Callable[[Path], Journal]


def exported(fields: Fields) -> bytes:
    """Write one entry in the Journal Export Format: a value that is not plain text has its length before it."""
    out = b""
    for name, value in fields.items():
        data = value.encode() if isinstance(value, str) else value
        plain = all(byte >= 32 or byte == 9 for byte in data) and _is_text(data)
        size = struct.pack("<Q", len(data))
        out += name.encode() + (b"=" + data if plain else b"\n" + size + data) + b"\n"
    return out + b"\n"


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Make a node's root whose journal holds the given entries, a second apart unless they say otherwise."""
    if not Path(REMOTE).exists():
        pytest.skip("systemd-journal-remote is not installed, so no journal can be made")

    def made(entries: list[Fields], *options: str) -> Path:
        folder = tmp_path / "var/log/journal" / MACHINE
        folder.mkdir(parents=True, exist_ok=True)
        export = b"".join(
            exported(
                {
                    "__REALTIME_TIMESTAMP": str(START_US + number * 1_000_000),
                    "__MONOTONIC_TIMESTAMP": str(1_000_000 + number),
                    "_BOOT_ID": BOOT,
                    "_MACHINE_ID": MACHINE,
                    **fields,
                }
            )
            for number, fields in enumerate(entries)
        )
        command = [
            REMOTE,
            "-o",
            str(folder / "system.journal"),
            "--split-mode=none",
            *(options or ("--compress=no",)),
            "-",
        ]
        subprocess.run(command, input=export, check=True, capture_output=True)
        return tmp_path

    return made


def native(root: Path) -> Journal:
    """Read through libsystemd."""
    return NativeJournal(journal_files.find(str(root)))


def saved(root: Path) -> Journal:
    """Read what journalctl prints."""
    journalctl = shutil.which("journalctl")
    if journalctl is None:
        pytest.skip("journalctl is not installed")
    command = [journalctl, "-o", "json", "--all", "--no-pager", "-D", str(root / "var/log/journal")]
    done = subprocess.run(command, check=True, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})

    def chunks() -> Iterator[bytes]:
        yield done.stdout

    return SavedJournal(chunks(), "saved")


@pytest.fixture(params=[native, saved], ids=["libsystemd", "journalctl"])
def read(request: pytest.FixtureRequest) -> Reader:
    """Each way of reading, one after the other."""
    reader: Reader = request.param
    return reader
