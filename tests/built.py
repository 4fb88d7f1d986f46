"""What users get, built once for all tests that run it: the folder, the Debian package, the container's image."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.lab.stage import stage

ROOT: Final = Path(__file__).parent.parent
BASE: Final = "docker.io/library/debian:bookworm-slim"
AGENT: Final = "localhost/nodediag:test"
TOOLS: Final = ("podman", "runc", "debootstrap")
# Host network and runc also do where cgroups v1 and v2 are mixed.
RUN: Final = (
    "run", "--rm", "--runtime=runc", "--network=host", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000",
    "--no-healthcheck",
)  # fmt: skip
_DEPENDENCIES: Final = "localhost/nodediag-deps"
_PIP_OPTIONS: Final = ("index-url", "extra-index-url", "find-links")  # what a machine may say of its way to packages
_CERTIFICATES: Final = "/run/certificates.crt"
_BUILD: Final = ("--isolation=chroot", "--network=host", "--ulimit=nofile=1024:1024")
Podman = tuple[str, ...]


@pytest.fixture(scope="session")
def onedir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the folder."""
    return stage(tmp_path_factory.mktemp("onedir") / "nodediag")


@pytest.fixture(scope="session")
def package(onedir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package from the folder that is there."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    command = [str(ROOT / "packaging/deb/build"), str(tmp_path_factory.mktemp("deb")), str(onedir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


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
        _make_base(engine, tmp_path_factory.mktemp("base") / "root")
    yield engine
    subprocess.run([*engine, "image", "prune", "-f"], check=False, capture_output=True)
    subprocess.run(["umount", storage / "overlay"], check=False, capture_output=True)


@pytest.fixture(scope="session")
def podman_run(podman: Podman) -> Podman:
    """Give `podman run`, as it works also in containers and where cgroups v1 and v2 are mixed."""
    return (*podman, *RUN)


@pytest.fixture(scope="session")
def agent(podman: Podman) -> str:
    """Build the agent's image, and give what is printed; what it is built with is kept for the next time."""
    build(podman, "dependencies", _DEPENDENCIES)
    return build(podman, "agent", AGENT)


@pytest.fixture(scope="session")
def agent_tar(podman: Podman, agent: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the agent's image as a file, as one that has no registry carries it to a node."""
    del agent
    file = tmp_path_factory.mktemp("image") / "nodediag.tar"
    subprocess.run([*podman, "save", "--output", file, AGENT], check=True, capture_output=True)
    return file


def build(engine: Podman, target: str, image: str) -> str:
    """Build as the users do, and give what is printed."""
    flags, ways = _ways_to_packages()
    environment = {**os.environ, **ways, "ENGINE": " ".join(engine), "BUILD_FLAGS": " ".join((*_BUILD, *flags))}
    command = [str(ROOT / "docker/build"), target, image]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def cache() -> Path:
    """Give the folder that keeps what takes long to make."""
    ours = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nodediag/lab"
    return Path(os.environ.get("NODEDIAG_LAB_CACHE") or ours) / "image"


def _make_base(engine: Podman, root: Path) -> None:
    """Make what is nearest to the official base where no registry can be reached."""
    made = subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"debootstrap could not make a base: {made.stdout.decode()[-300:]}")
    subprocess.run(["tar", "-C", root, "--exclude=./dev/*", "-cf", f"{root}.tar", "."], check=True)
    subprocess.run([*engine, "import", f"{root}.tar", BASE], check=True, capture_output=True)
    Path(f"{root}.tar").unlink()
    shutil.rmtree(root)


def _ways_to_packages() -> tuple[list[str], dict[str, str]]:
    """Give flags and environment that tell the build where this machine's apt and pip find packages."""
    flags, environment = ["--volume=/etc/apt:/etc/apt:ro"], {}
    told = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    for option, value in re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", told.stdout, re.MULTILINE):
        if option == "cert":
            flags.append(f"--volume={value}:{_CERTIFICATES}:ro")
            environment["PIP_CERT"] = _CERTIFICATES
        elif option in _PIP_OPTIONS:
            flags += [f"--volume={path}:{path}:ro" for path in _local(value)]
            environment[f"PIP_{option.upper().replace('-', '_')}"] = value
    return list(dict.fromkeys(flags)), environment


def _local(value: str) -> list[str]:
    """Give the folders that a list of addresses names."""
    paths = [Path(word.removeprefix("file://")) for word in value.split() if word.startswith(("/", "file:///"))]
    return sorted({str(path.parent if path.name == "simple" else path) for path in paths if path.exists()})
