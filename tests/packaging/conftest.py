"""What is built once for all tests of the packages, and journals as other releases of systemd compress them."""

import ctypes
import lzma
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parent.parent.parent
REMOTE = "/lib/systemd/systemd-journal-remote"
PLEG = 'E1121 10:00:00.000000 1222 kubelet.go:2040] "Skipping pod synchronization" err="PLEG is not healthy: '
PLEG += 'pleg was last seen active 5m10.1s ago; threshold is 3m0s"'
DATA, ALIGNED = 1, 8
HEADER_SIZE, TAIL_OBJECT, HEADER_FLAGS = 88, 136, 12  # where the header has them, see JOURNAL_FILE_FORMAT
PAYLOAD = 16 + 48  # in a data object of a file that is not compact
COMPRESSED = {"xz": 1, "lz4": 2}  # the flag, the same in the header and in an object
BASE: Final = "docker.io/library/debian:bookworm-slim"
TOOLS: Final = ("podman", "runc", "debootstrap")
# Host network and runc also do where cgroups v1 and v2 are mixed.
RUN: Final = (
    "run", "--rm", "--runtime=runc", "--network=host", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000",
    "--no-healthcheck",
)  # fmt: skip
Journal = Callable[[str], Path]
Podman = tuple[str, ...]


@pytest.fixture(scope="session")
def onedir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the folder."""
    folder = tmp_path_factory.mktemp("onedir") / "nodediag"
    command = [sys.executable, "-I", str(ROOT / "packaging/onedir/make.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    """Give podman with a storage of our own, which holds a base under the official name."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to build an image without a daemon")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    storage, state = cache() / "storage", cache() / "run"
    storage.mkdir(parents=True, exist_ok=True)
    engine = ("podman", "--root", str(storage), "--runroot", str(state))
    if not subprocess.run([*engine, "images", "-q", BASE], check=True, capture_output=True).stdout:
        make_base(engine, tmp_path_factory.mktemp("base") / "root")
    yield engine
    subprocess.run([*engine, "image", "prune", "-f"], check=False, capture_output=True)
    subprocess.run(["umount", storage / "overlay"], check=False, capture_output=True)


def make_base(engine: Podman, root: Path) -> None:
    """Make what is nearest to the official base where no registry can be reached."""
    made = subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"debootstrap could not make a base: {made.stdout.decode()[-300:]}")
    subprocess.run(["tar", "-C", root, "--exclude=./dev/*", "-cf", f"{root}.tar", "."], check=True)
    subprocess.run([*engine, "import", f"{root}.tar", BASE], check=True, capture_output=True)
    Path(f"{root}.tar").unlink()
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def podman_run(podman: Podman) -> Podman:
    """Give `podman run`, as it works also in containers and where cgroups v1 and v2 are mixed."""
    return (*podman, *RUN)


def cache() -> Path:
    """Give the folder that keeps what takes long to make."""
    ours = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nodediag/lab"
    return Path(os.environ.get("NODEDIAG_LAB_CACHE") or ours) / "image"


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
