"""What users get, built once for all tests that run it: the folder, the Debian package, the container's image."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import MACHINES, OURS, emulate
from tests.engine import AGENT, ROOT, Engine, lacking
from tests.lab.stage import stage


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let what is built be for another architecture: `pytest tests/packaging/test_image.py --arch=arm64`."""
    parser.addoption("--arch", choices=MACHINES, default=OURS, help="build for this architecture, by qemu if needed")


@pytest.fixture(scope="session")
def architecture(request: pytest.FixtureRequest) -> str:
    """Give the architecture that is built for, as Debian names it."""
    wanted = str(request.config.getoption("--arch"))
    lack = emulate(wanted)
    if lack:
        pytest.skip(f"{wanted} cannot be emulated: {lack}")
    return wanted


@pytest.fixture(scope="session")
def onedir(architecture: str, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Build the folder; for another architecture it is the one in the image."""
    folder = tmp_path_factory.mktemp("onedir")
    if architecture == OURS:
        return stage(folder / "nodediag")
    request.getfixturevalue("agent")
    engine = request.getfixturevalue("podman")
    assert isinstance(engine, Engine)
    subprocess.run(["tar", "-C", folder, "-x", "nodediag"], input=engine.files(AGENT), check=True)
    return folder / "nodediag"


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
def podman(architecture: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Give podman with a storage of our own, which holds a base under the official name."""
    lack = lacking()
    if lack:
        pytest.skip(lack)
    engine = Engine(cache() if architecture == OURS else cache() / architecture, architecture)
    engine.make_base(tmp_path_factory.mktemp("base") / "root")
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def agent(podman: Engine) -> str:
    """Build the agent's image, and give what is printed."""
    return podman.build_agent()


@pytest.fixture(scope="session")
def agent_tar(podman: Engine, agent: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the agent's image as a file, as one that has no registry carries it to a node."""
    del agent
    file = tmp_path_factory.mktemp("image") / "nodediag.tar"
    podman.said("save", "--output", file, AGENT)
    return file


def cache() -> Path:
    """Give the folder that keeps what takes long to make."""
    ours = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nodediag/lab"
    return Path(os.environ.get("NODEDIAG_LAB_CACHE") or ours) / "image"
