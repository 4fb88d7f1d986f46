"""The nodes that the lab's tests look at: booted once and left alone, or one to be broken for each test that asks."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.lab.machine import Workshop, lacking
from tests.lab.node import Node
from tests.lab.pod import Pod
from tests.lab.roots import Disks, NoArchiveError, cache, userland
from tests.lab.toolbox import Toolbox

PROFILES: Final = Path(__file__).parent / "profiles"


class Lab:
    """Boots nodes, and ends those that are not ended yet."""

    def __init__(self, workshop: Workshop, onedir: Path) -> None:
        self.workshop = workshop
        self._onedir = onedir
        self._disks: dict[str, Disks] = {}
        self._nodes: list[Node] = []
        self._booted = 0

    def boot(self, image: str) -> Node:
        """Boot a node of an image, `cos` or `ubuntu`."""
        self._booted += 1
        if image not in self._disks:
            self._disks[image] = Disks(image, self.workshop.folder / f"disks-{image}", self._onedir)
        node = Node(self._disks[image], self.workshop, f"{image}{self._booted}")
        self._nodes.append(node)
        return node

    def close(self) -> None:
        """End all nodes."""
        for node in self._nodes:
            node.stop()


@pytest.fixture(scope="session")
def machine() -> None:
    """Skip where this machine has not what a lab needs."""
    lack = lacking()
    if lack:
        pytest.skip(f"the lab {lack}")


@pytest.fixture(scope="session")
def onedir(machine: None, onedir: Path) -> Path:
    """Give the folder, which is not built where there will be no lab."""
    del machine
    return onedir


@pytest.fixture(scope="session")
def package(machine: None, package: Path) -> Path:
    """Give the package, which is not built where there will be no lab."""
    del machine
    return package


@pytest.fixture(scope="session")
def agent_tar(machine: None, agent_tar: Path) -> Path:
    """Give the image, which is not built where there will be no lab."""
    del machine
    return agent_tar


@pytest.fixture(scope="session")
def lab(machine: None, onedir: Path) -> Iterator[Lab]:
    """Give what boots nodes; skips where this machine cannot."""
    del machine
    try:
        userland()
    except NoArchiveError as error:
        pytest.skip(f"the lab needs Debian's archive, or a cache at {cache()}: {error}")
    workshop = Workshop(cache() / "run")
    try:
        folder = workshop.folder / "nodediag"
        shutil.copytree(onedir, folder, symlinks=True)
        for profile in PROFILES.glob("*.toml"):
            shutil.copy(profile, folder / f"lab_{profile.name}")
        made = Lab(workshop, folder)
        try:
            yield made
        finally:
            made.close()
    finally:
        workshop.close()


@pytest.fixture(scope="session")
def cos(lab: Lab) -> Node:
    """Give a healthy node with COS, which no test may change."""
    return lab.boot("cos")


@pytest.fixture(scope="session")
def ubuntu(lab: Lab) -> Node:
    """Give a healthy node with Ubuntu, which no test may change."""
    return lab.boot("ubuntu")


@pytest.fixture(params=["cos", "ubuntu"])
def healthy(request: pytest.FixtureRequest) -> Node:
    """Give each of the healthy nodes in turn."""
    node = request.getfixturevalue(str(request.param))
    assert isinstance(node, Node)
    return node


@pytest.fixture
def sick(lab: Lab) -> Iterator[Node]:
    """Give a node with COS that the test may do anything to."""
    node = lab.boot("cos")
    yield node
    node.stop()


@pytest.fixture
def sick_ubuntu(lab: Lab) -> Iterator[Node]:
    """Give a node with Ubuntu that the test may do anything to."""
    node = lab.boot("ubuntu")
    yield node
    node.stop()


@pytest.fixture(scope="session")
def toolbox(cos: Node) -> Toolbox:
    """Give a toolbox on the healthy node with COS."""
    return Toolbox(cos)


@pytest.fixture(scope="session")
def pod(cos: Node, agent_tar: Path) -> Pod:
    """Give what starts containers of the image on the healthy node with COS."""
    return Pod(cos, agent_tar)


@pytest.fixture(scope="session")
def pod_on_ubuntu(ubuntu: Node, agent_tar: Path) -> Pod:
    """Give what starts containers of the image on the healthy node with Ubuntu."""
    return Pod(ubuntu, agent_tar)
