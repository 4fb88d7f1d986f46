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
from nodediag.journal.journalctl import JournalctlJournal
from nodediag.journal.native import NativeJournal
from nodediag.journal.saved import SavedJournal

REMOTE = "/lib/systemd/systemd-journal-remote"
BOOT, MACHINE = "a" * 32, "b" * 32
START_US = 1_763_700_000_000_000
Fields = dict[str, str | bytes | list[str]]
Write = Callable[[list[Fields]], Path]
Reader = Callable[[Path], Journal]


def exported(fields: Fields) -> bytes:
    """Write one entry in the Journal Export Format: a value that is not plain text has its length before it."""
    out = b""
    pairs = [(name, one) for name, value in fields.items() for one in (value if isinstance(value, list) else [value])]
    for name, value in pairs:
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

    def made(entries: list[Fields], *options: str, compact: bool = True) -> Path:
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
        form = {**os.environ, "SYSTEMD_JOURNAL_COMPACT": str(int(compact))}
        subprocess.run(command, input=export, check=True, capture_output=True, env=form)
        return tmp_path

    return made


def native(root: Path) -> Journal:
    """Read through libsystemd."""
    return NativeJournal(journal_files.find(str(root)))


def journalctl(root: Path) -> Journal:
    """Read through a journalctl that runs beside us."""
    if shutil.which("journalctl") is None:
        pytest.skip("journalctl is not installed")
    return JournalctlJournal(journal_files.find(str(root)))


def saved(root: Path) -> Journal:
    """Read what journalctl prints."""
    program = shutil.which("journalctl")
    if program is None:
        pytest.skip("journalctl is not installed")
    command = [program, "-o", "json", "--all", "--no-pager", "-D", str(root / "var/log/journal")]
    done = subprocess.run(command, check=True, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})

    def chunks() -> Iterator[bytes]:
        yield done.stdout

    return SavedJournal(chunks(), "saved")


@pytest.fixture(params=[native, journalctl, saved], ids=["libsystemd", "journalctl", "saved"])
def read(request: pytest.FixtureRequest) -> Reader:
    """Each way of reading, one after the other."""
    reader: Reader = request.param
    return reader
