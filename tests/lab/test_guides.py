"""The guides, followed word for word: each command in their code blocks is run, or named here with why it is not."""

import platform
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from nodediag import __version__
from tests.engine import AGENT, ROOT
from tests.guides import GUIDES, commands
from tests.lab.conftest import Lab
from tests.lab.daemonset import DaemonSetPod
from tests.lab.node import Node
from tests.lab.pod import Pod
from tests.lab.toolbox import Toolbox
from tests.manifests import daemonset

BUILDS: Final = "tests/packaging builds it; here it is there"
NO_CLOUD: Final = "there is no Compute Engine: what it brings to the node is put there"
NO_TOOLBOX: Final = "COS's own script and its registry: tests/lab/toolbox.py starts what it starts"
NO_CLUSTER: Final = "there is no API server: the lab carries out the rendered manifest itself"
NOT_RUN: Final = {
    "make dist": BUILDS,
    "gcloud compute scp dist/nodediag-*.tar.gz NODE: --zone ZONE": NO_CLOUD,
    "gcloud compute ssh NODE --zone ZONE": NO_CLOUD,
    "gcloud compute scp packaging/cos/nodediag-run NODE: --zone ZONE": NO_CLOUD,
    "gcloud compute instances create NAME --image-family cos-stable --image-project cos-cloud "
    "--metadata-from-file user-data=user-data": NO_CLOUD,
    "docker/build toolbox REGISTRY/nodediag-toolbox:0.1.0": BUILDS,
    "docker push REGISTRY/nodediag-toolbox:0.1.0": NO_TOOLBOX,
    "echo TOOLBOX_DOCKER_IMAGE=REGISTRY/nodediag-toolbox >>~/.toolboxrc": NO_TOOLBOX,
    "echo TOOLBOX_DOCKER_TAG=0.1.0 >>~/.toolboxrc": NO_TOOLBOX,
    "toolbox": NO_TOOLBOX,
    "cd packaging/kubernetes/overlays/gke-cos": NO_CLUSTER,
    "kustomize edit set image nodediag=REGISTRY/nodediag@sha256:...": NO_CLUSTER,
    "kubectl apply -k .": NO_CLUSTER,
    "kubectl -n nodediag get pods -o wide": NO_CLUSTER,
    "pod=$(kubectl -n nodediag get pods -l app.kubernetes.io/name=nodediag --field-selector spec.nodeName=NODE "
    "-o name)": NO_CLUSTER,
}  # fmt: skip
REGISTRY: Final = "registry.example"
HOME: Final = "/home/you"
SHELL: Final = f'sudo() {{ "$@"; }}; cd {HOME}; '  # its user is root already
JUDGES: Final = re.compile(r"\b(report|logs)\b|nodediag-run")
Run = Callable[[str], subprocess.CompletedProcess[str]]


def follow(guide: str, run: Run) -> None:
    """Run each command, and hold what it prints against what the guide shows."""
    for command in commands(guide):
        if command.text in NOT_RUN:
            continue
        done = run(command.text.replace("REGISTRY", REGISTRY).replace("YOU", "you"))
        judges = JUDGES.search(command.text) is not None
        assert done.returncode in ({0, 1} if judges else {0}), (command.text, done)
        assert not judges or (done.stdout and not done.stderr), (command.text, done)
        if command.prints:
            assert done.stdout == command.prints


@pytest.fixture(scope="module")
def guided(lab: Lab) -> Iterator[Node]:
    """Give a node with COS on which a user works."""
    node = lab.boot("cos")
    node.run("mkdir", HOME)
    yield node
    node.stop()


@pytest.fixture(scope="module")
def packed(onedir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pack the folder as `make dist` does."""
    name = f"nodediag-{__version__}-linux-{platform.machine()}"
    file = tmp_path_factory.mktemp("dist") / f"{name}.tar.gz"
    with tarfile.open(file, "w:gz", compresslevel=1) as tar:
        tar.add(onedir, name)
    return file


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    """Give where to say what is to be undone."""
    with ExitStack() as stack:
        yield stack


def put(node: Node, *files: Path) -> None:
    for file in files:
        shutil.copy(file, node.path(f"{HOME}/{file.name}"))


def test_on_a_gke_node_over_ssh(guided: Node, packed: Path, agent_tar: Path) -> None:
    put(guided, packed, agent_tar, ROOT / "packaging/cos/nodediag-run")
    ours = ("ctr", "--namespace=nodediag", "images")
    guided.run(*ours, "import", f"{HOME}/{agent_tar.name}")
    guided.run(*ours, "tag", AGENT, f"{REGISTRY}/nodediag:{__version__}")
    guided.run("rm", "-r", guided.program)
    follow("on-a-gke-node", lambda text: guided.run("sh", "-c", SHELL + text, check=False))


def test_in_the_toolbox(guided: Node, packed: Path) -> None:
    put(guided, packed)
    toolbox = Toolbox(guided)
    follow("in-the-toolbox", lambda text: toolbox.run("sh", "-c", text))


def test_as_a_daemonset(guided: Node, agent_tar: Path, ending: ExitStack) -> None:
    deployed = DaemonSetPod(Pod(guided, agent_tar), daemonset("overlays/gke-cos"), "guided")
    ending.callback(deployed.remove)
    deployed.start()
    follow("as-a-daemonset", lambda text: deployed.execute(*behind("kubectl -n nodediag exec", text)))


def test_with_kubectl_debug(guided: Node, agent_tar: Path) -> None:
    pod = Pod(guided, agent_tar)
    follow("kubectl-debug", lambda text: pod.run(*behind("kubectl debug node/NODE", text)))


def test_on_ubuntu(sick_ubuntu: Node, package: Path) -> None:
    sick_ubuntu.run("mkdir", "-p", f"{HOME}/dist")
    shutil.copy(package, sick_ubuntu.path(f"{HOME}/dist/{package.name}"))
    follow("on-ubuntu", lambda text: sick_ubuntu.run("sh", "-c", SHELL + text, check=False))


def behind(asks: str, text: str) -> list[str]:
    """Give what kubectl is asked to run."""
    asked, _, command = text.partition(" -- ")
    assert asked.startswith(asks), text
    return command.split()


def test_what_is_not_run_is_in_a_guide() -> None:
    assert NOT_RUN.keys() <= {command.text for guide in GUIDES for command in commands(guide)}
