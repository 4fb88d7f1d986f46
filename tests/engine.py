"""podman with a storage of our own, which builds the users' images for one architecture and runs them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
BASE: Final = "docker.io/library/debian:bookworm-slim"
AGENT: Final = "localhost/nodediag:test"
_DEPENDENCIES: Final = "localhost/nodediag-deps"
_TOOLS: Final = ("podman", "runc", "debootstrap")
# Host network and runc also do where cgroups v1 and v2 are mixed.
_CONTAINER: Final = (
    "--runtime=runc", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000", "--no-healthcheck", "--pull=never",
)  # fmt: skip
_BUILD: Final = ("--isolation=chroot", "--network=host", "--ulimit=nofile=1024:1024")
_PIP_OPTIONS: Final = ("index-url", "extra-index-url", "find-links")  # what a machine may say of its way to packages
_CERTIFICATES: Final = "/run/certificates.crt"


def lacking() -> str:
    """Say what this machine lacks to build an image, empty where it has all."""
    if os.geteuid() != 0:
        return "needs root, to build an image without a daemon"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


class Engine:
    """podman, its images in a folder, for an architecture as Debian names it."""

    def __init__(self, folder: Path, architecture: str) -> None:
        storage = folder / "storage"
        storage.mkdir(parents=True, exist_ok=True)
        self.architecture = architecture
        self._platform = f"--platform=linux/{architecture}"
        self._overlay = storage / "overlay"
        self._command = ("podman", "--root", str(storage), "--runroot", str(folder / "run"))

    @property
    def run(self) -> tuple[str, ...]:
        """Give `podman run`, as it works also in containers and where cgroups v1 and v2 are mixed."""
        return (*self._command, "run", "--rm", self._platform, "--network=host", *_CONTAINER)

    def said(self, *arguments: str | Path) -> bytes:
        """Give what podman prints; raises CalledProcessError."""
        return subprocess.run([*self._command, *arguments], check=True, capture_output=True).stdout

    def build(self, target: str, image: str) -> str:
        """Build as the users do, and give what is printed."""
        flags, ways = _ways_to_packages()
        environment = {**os.environ, **ways, "ENGINE": " ".join(self._command)}
        environment["BUILD_FLAGS"] = " ".join((*_BUILD, self._platform, *flags))
        command = [str(ROOT / "docker/build"), target, image]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def build_agent(self) -> str:
        """Build the agent's image, and give what is printed; what it is built with is kept for the next time."""
        self.build("dependencies", _DEPENDENCIES)
        return self.build("agent", AGENT)

    def files(self, image: str) -> bytes:
        """Give the files of an image, as a tar."""
        container = self.said("create", self._platform, *_CONTAINER, image).decode().strip()
        try:
            return self.said("export", container)
        finally:
            self.said("rm", container)

    def make_base(self, root: Path) -> None:
        """Make what is nearest to the official base where no registry can be reached, unless it is there."""
        if self.said("images", "-q", BASE):
            return
        command = ["debootstrap", "--variant=minbase", f"--arch={self.architecture}", "bookworm", str(root)]
        made = subprocess.run(command, capture_output=True, check=False)
        if made.returncode:
            pytest.skip(f"debootstrap could not make a base: {made.stdout.decode()[-300:]}")
        subprocess.run(["tar", "-C", root, "--exclude=./dev/*", "-cf", f"{root}.tar", "."], check=True)
        self.said("import", f"--arch={self.architecture}", f"{root}.tar", BASE)
        Path(f"{root}.tar").unlink()
        shutil.rmtree(root)

    def close(self) -> None:
        """Leave only what is kept for the next time."""
        subprocess.run([*self._command, "image", "prune", "-f"], check=False, capture_output=True)
        subprocess.run(["umount", self._overlay], check=False, capture_output=True)


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
