"""Journals as other releases of systemd compress them, and what a test of the packages needs of this machine."""

import ctypes
import lzma
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REMOTE = "/lib/systemd/systemd-journal-remote"
PLEG = 'E1121 10:00:00.000000 1222 kubelet.go:2040] "Skipping pod synchronization" err="PLEG is not healthy: '
PLEG += 'pleg was last seen active 5m10.1s ago; threshold is 3m0s"'
DATA, ALIGNED = 1, 8
HEADER_SIZE, TAIL_OBJECT, HEADER_FLAGS = 88, 136, 12  # where the header has them, see JOURNAL_FILE_FORMAT
PAYLOAD = 16 + 48  # in a data object of a file that is not compact
COMPRESSED = {"xz": 1, "lz4": 2}  # the flag, the same in the header and in an object
Journal = Callable[[str], Path]


@pytest.fixture
def needs_root() -> None:
    """Skip where mounts and other roots cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount and to change the root")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mount namespaces cannot be made here")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Make a node's root whose journal is compressed in a given way and tells of one failure of the kubelet."""
    if not Path(REMOTE).exists():
        pytest.skip("systemd-journal-remote is not installed, so no journal can be made")

    def made(compression: str) -> Path:
        machine = "b" * 32
        file = tmp_path / "var/log/journal" / machine / "system.journal"
        file.parent.mkdir(parents=True)
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/machine-id").write_text(f"{machine}\n")
        fields = {"_BOOT_ID": "a" * 32, "_MACHINE_ID": machine, "_SYSTEMD_UNIT": "kubelet.service", "PRIORITY": "3"}
        fields |= {"__REALTIME_TIMESTAMP": "1763700000000000", "__MONOTONIC_TIMESTAMP": "1000000"}
        fields["MESSAGE"] = PLEG + " " + "x" * 20_000
        export = "".join(f"{name}={value}\n" for name, value in fields.items()) + "\n"
        native = compression == "zstd"
        command = [REMOTE, "-o", str(file), "--split-mode=none", f"--compress={'yes' if native else 'no'}", "-"]
        form = {**os.environ, "SYSTEMD_JOURNAL_COMPACT": "0"}
        subprocess.run(command, input=export.encode(), check=True, capture_output=True, env=form)
        if not native:
            file.write_bytes(compressed(file.read_bytes(), compression))
        assert b"x" * 200 not in file.read_bytes()
        return tmp_path

    return made


def compressed(data: bytes, compression: str) -> bytes:
    """Compress the long fields of a journal in place, as a systemd does that was built to compress so."""
    out = bytearray(data)
    flag = COMPRESSED[compression]
    out[HEADER_FLAGS] |= flag
    (offset,), (last,) = struct.unpack_from("<Q", out, HEADER_SIZE), struct.unpack_from("<Q", out, TAIL_OBJECT)
    while offset <= last:
        kind, _, size = struct.unpack_from("<BB6xQ", out, offset)
        start, end = offset + PAYLOAD, offset + size
        if kind == DATA and end - start > 10_000:
            payload = bytes(out[start:end])
            small = lzma.compress(payload, check=lzma.CHECK_NONE) if compression == "xz" else lz4(payload)
            struct.pack_into("<BB6xQ", out, offset, kind, flag, PAYLOAD + len(small))
            out[start:end] = small.ljust(end - start, b"\0")
        offset += -(-size // ALIGNED) * ALIGNED
    return bytes(out)


def lz4(data: bytes) -> bytes:
    """Give the size, then the block, as systemd has them."""
    room = ctypes.create_string_buffer(len(data))
    size = ctypes.CDLL("liblz4.so.1").LZ4_compress_default(data, room, len(data), len(data))
    return struct.pack("<Q", len(data)) + room.raw[:size]
