"""The image that users build, from a base made here under its official name, run as a node runs it."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec
import pytest

from tests.architecture import MACHINES
from tests.engine import AGENT, Engine
from tests.packaging.reports import NODES, by_the_source, report

TOOLBOX: Final = "localhost/nodediag-toolbox:test"
FORBIDDEN: Final = re.compile(r"(^|/)(sh|bash|dash|busybox|pip3?|apt|dpkg|gcc|cc|ld|as|perl|curl|wget)$")


class Run(Protocol):
    """Runs the agent."""

    def __call__(self, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]: ...


class Config(msgspec.Struct):
    """What an image says of how it is run, as `podman inspect` prints it."""

    user: str = msgspec.field(name="User")
    entrypoint: list[str] = msgspec.field(name="Entrypoint")
    command: list[str] = msgspec.field(name="Cmd")
    labels: dict[str, str] = msgspec.field(name="Labels")


class Healthcheck(msgspec.Struct):
    """How an image's health is asked."""

    test: list[str] = msgspec.field(name="Test")


class Inspected(msgspec.Struct):
    """An image."""

    architecture: str = msgspec.field(name="Architecture")
    config: Config = msgspec.field(name="Config")
    healthcheck: Healthcheck = msgspec.field(name="Healthcheck")


@pytest.fixture(scope="session")
def inspected(podman: Engine, agent: str) -> Inspected:
    """Give what the agent's image says of itself."""
    del agent
    return msgspec.json.decode(podman.said("inspect", AGENT), type=list[Inspected])[0]


@pytest.fixture
def run(podman: Engine, agent: str) -> Run:
    """Run the agent, its root read-only."""
    del agent

    def ran(*arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [*podman.run, "--read-only", *options, AGENT, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return ran


pytestmark = pytest.mark.root


def test_the_agents_size_is_said_and_below_the_bar(agent: str) -> None:
    size = re.fullmatch(rf"{re.escape(AGENT)}: (\d+)\.\d MB compressed\n", agent)
    assert size
    assert 5 < int(size[1]) < 60


def test_the_agent_runs_as_root_by_number_and_reports(inspected: Inspected) -> None:
    assert inspected.config.user == "0:0"
    assert inspected.config.entrypoint == ["/nodediag/nodediag"]
    assert inspected.config.command == ["report"]
    assert inspected.config.labels["org.opencontainers.image.version"]


def test_the_agent_is_of_the_architecture_that_was_asked_for(inspected: Inspected, run: Run, architecture: str) -> None:
    assert inspected.architecture == architecture
    command = "import os; print(os.uname().machine)"
    done = run("-I", "-c", command, options=("--entrypoint=/nodediag/bin/python3",))
    assert done.stdout.strip() == MACHINES.get(architecture, architecture)


@pytest.mark.parametrize("node", NODES, ids=lambda root: root.parent.name)
def test_the_agent_gives_the_report_that_the_source_gives(podman: Engine, agent: str, node: Path) -> None:
    del agent
    assert report(node, *podman.run, "--read-only", f"--volume={node}:{node}:ro", AGENT) == by_the_source(node)


def test_the_program_is_found_by_its_name(run: Run) -> None:
    done = run("--version", options=("--entrypoint=nodediag",))
    assert (done.returncode, done.stdout.split()[0]) == (0, "nodediag")


def test_the_health_check_asks_the_watch_that_runs_in_the_container(inspected: Inspected, run: Run) -> None:
    kind, program, *arguments = inspected.healthcheck.test
    assert (kind, program) == ("CMD", inspected.config.entrypoint[0])
    done = run(*arguments)
    assert (done.returncode, done.stdout.count("\n") <= 1) == (1, True), "none runs here, and it says so in a line"
    assert "Traceback" not in done.stderr


def test_the_agent_holds_nodediag_and_no_shell_installer_or_compiler(podman: Engine, agent: str) -> None:
    del agent
    listed = subprocess.run(["tar", "-t"], input=podman.files(AGENT), capture_output=True, check=True).stdout
    names = listed.decode().splitlines()
    files = [name for name in names if not name.endswith("/")]
    assert "nodediag/nodediag" in files
    assert [name for name in files if FORBIDDEN.search(name)] == []
    assert {name.split("/")[0] for name in files} <= {"nodediag", "dev", "etc", "run"}  # podman's mount points


def test_the_agent_finds_the_node_that_is_mounted_at_host(run: Run) -> None:
    done = run("report", "--no-logs", options=("--volume=/:/host:ro", "--cap-drop=all"))
    assert done.returncode in {0, 1, 3}, done.stderr
    view = json.loads(done.stdout)["view"]
    assert (view["origin"], view["root"]) == ("pod", "/host")


def test_without_a_node_the_agent_judges_nothing(run: Run) -> None:
    done = run("report", "--no-logs")
    assert done.returncode == 3
    assert json.loads(done.stdout)["verdict"] == "unknown"


@pytest.mark.parametrize("compression", ["zstd", "lz4", "xz"])
def test_the_agent_reads_journals_however_they_are_compressed(
    run: Run, journal: Callable[[str], Path], compression: str
) -> None:
    mount = f"--volume={journal(compression)}:/node:ro"
    done = run("logs", "--root", "/node", "--since", "2020-01-01", options=(mount,))
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["reader"] == "libsystemd"
    assert [found["condition"] for found in told["signatures"]] == ["pleg-unhealthy"]


def test_the_toolbox_has_a_shell_that_finds_nodediag(podman: Engine, agent: str) -> None:
    del agent
    podman.build("toolbox", TOOLBOX)
    command = [*podman.run, "--read-only", TOOLBOX, "/bin/bash", "-lc", "nodediag --version && command -v nodediag"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "/usr/local/bin/nodediag"
