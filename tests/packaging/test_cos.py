"""What runs the image on a node without a package manager: nodediag-run, and the cloud-init that starts it."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

ROOT: Final = Path(__file__).parent.parent.parent
NODEDIAG_RUN: Final = ROOT / "packaging/cos/nodediag-run"
CLOUD_INIT: Final = ROOT / "packaging/cos/cloud-init"
IMAGE: Final = "localhost/nodediag-onedir:test"
# `docker` as it answers: one that prints what it was asked to run, one that fails as Docker does.
DOCKER: Final = """#!/bin/sh
case $1 in
  version) ;;
  load) echo 'Loaded image: from/tar:1' ;;
  run) [ ! -e "$0.broken" ] || exit 125; printf '%s\\n' "$@"; exit "$(cat "$0.status")" ;;
esac
"""
CONTAINERD: Final = """
version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{0}/socket"
"""


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, **environment}
    return subprocess.run(["sh", NODEDIAG_RUN, *arguments], capture_output=True, text=True, check=False, env=given)


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """Make a machine on which a program named docker is all there is of runtimes."""
    if os.geteuid() != 0:
        pytest.skip("needs root, as nodediag-run does")
    program = tmp_path / "bin/docker"
    program.parent.mkdir()
    program.write_text(DOCKER)
    program.chmod(0o755)
    Path(f"{program}.status").write_text("0")
    for tool in ("sh", "id", "mktemp", "cat", "sed", "head", "mv", "rm"):
        (program.parent / tool).symlink_to(shutil.which(tool) or tool)
    return program


@pytest.mark.root
class TestByDocker:
    def test_the_node_is_given_read_only_and_whole(self, docker: Path) -> None:
        done = run("some/image:1", PATH=str(docker.parent))
        assert done.returncode == 0, done.stderr
        asked = done.stdout.splitlines()
        assert "type=bind,src=/,dst=/host,readonly,bind-propagation=rslave" in asked
        assert {"--read-only", "--cap-drop=ALL", "--uts=host"} <= set(asked)
        assert asked[-2:] == ["some/image:1", "report"]

    def test_an_image_in_a_tar_is_loaded_first(self, docker: Path, tmp_path: Path) -> None:
        (tmp_path / "image.tar").touch()
        done = run(tmp_path / "image.tar", "logs", PATH=str(docker.parent))
        assert done.stdout.splitlines()[-2:] == ["from/tar:1", "logs"]

    @pytest.mark.parametrize("status", [1, 3])
    def test_a_reports_status_is_kept_and_the_report_too(self, docker: Path, tmp_path: Path, status: int) -> None:
        Path(f"{docker}.status").write_text(str(status))
        report = tmp_path / "report.json"
        assert run("-o", report, "some/image:1", PATH=str(docker.parent)).returncode == status
        assert "some/image:1" in report.read_text()
        assert report.stat().st_mode & 0o777 == 0o600

    def test_dockers_own_failure_is_not_a_verdict_and_spoils_no_report(self, docker: Path, tmp_path: Path) -> None:
        Path(f"{docker}.broken").touch()
        (tmp_path / "report.json").write_text("the last one")
        assert run("-o", tmp_path / "report.json", "some/image:1", PATH=str(docker.parent)).returncode == 4
        assert (tmp_path / "report.json").read_text() == "the last one"
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith("report.json.")] == []

    def test_without_a_runtime_it_says_so(self, docker: Path) -> None:
        docker.unlink()
        done = run("some/image:1", PATH=str(docker.parent))
        assert done.returncode == 4
        assert "neither containerd nor Docker answers" in done.stderr


def test_bad_usage_is_told_from_failure() -> None:
    assert run().returncode == 2
    assert run("--help").returncode == 2


@pytest.fixture
def containerd(tmp_path: Path) -> Iterator[str]:
    """Start a containerd of our own."""
    for tool in ("containerd", "ctr", "runc"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    (tmp_path / "config.toml").write_text(CONTAINERD.format(tmp_path))
    with (tmp_path / "log").open("wb") as log:
        daemon = subprocess.Popen(["containerd", "-c", tmp_path / "config.toml"], stdout=log, stderr=log)
    address = f"{tmp_path}/socket"
    try:
        until = time.monotonic() + 30
        while subprocess.run(["ctr", "-a", address, "version"], capture_output=True, check=False).returncode:
            if daemon.poll() is not None or time.monotonic() > until:
                pytest.skip(f"containerd does not start here: {(tmp_path / 'log').read_text()[-300:]}")
            time.sleep(0.1)
        yield address
    finally:
        daemon.terminate()
        daemon.wait()


def listed(address: str, *what: str) -> str:
    command = ["ctr", "-a", address, "-n", "nodediag", *what]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def image(onedir: Path, tmp_path: Path) -> Path:
    """Pack the folder as an image, in the form of `docker save`."""
    (tmp_path / "layer").mkdir()
    shutil.copytree(onedir, tmp_path / "layer/nodediag", copy_function=os.link)
    subprocess.run(["tar", "-C", tmp_path / "layer", "-cf", tmp_path / "layer.tar", "."], check=True)
    digest = subprocess.run(["sha256sum", tmp_path / "layer.tar"], capture_output=True, text=True, check=True).stdout
    arch = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    config = {"architecture": arch, "os": "linux", "config": {}}
    config["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{digest.split()[0]}"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    names = ("manifest.json", "config.json", "layer.tar")
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "image.tar", *names], check=True)
    return tmp_path / "image.tar"


@pytest.mark.root
@pytest.mark.usefixtures("needs_root")
class TestByContainerd:
    def test_it_reports_on_the_node_and_leaves_no_container(self, containerd: str, image: Path) -> None:
        done = run(image, "report", "--no-logs", CONTAINERD_ADDRESS=containerd)
        assert done.returncode in {0, 1, 3}, done.stderr
        view = json.loads(done.stdout)["view"]
        assert (view["origin"], view["root"]) == ("pod", "/host")
        again = run(IMAGE, "--version", CONTAINERD_ADDRESS=containerd)
        assert again.stdout.startswith("nodediag ")
        assert listed(containerd, "containers", "ls", "-q") == ""

    def test_an_image_that_cannot_be_had_is_not_a_verdict(self, containerd: str) -> None:
        done = run("localhost:1/nowhere:1", CONTAINERD_ADDRESS=containerd)
        assert done.returncode == 4
        assert "could not pull localhost:1/nowhere:1" in done.stderr

    def test_when_it_is_ended_so_is_the_container(self, containerd: str, image: Path, tmp_path: Path) -> None:
        assert run(image, "--version", CONTAINERD_ADDRESS=containerd).returncode == 0
        os.mkfifo(tmp_path / "endless")
        holder = os.open(tmp_path / "endless", os.O_RDWR)  # while it is held open, a reader waits
        (tmp_path / "out").mkdir()
        environment = {**os.environ, "CONTAINERD_ADDRESS": containerd, "TMPDIR": str(tmp_path / "out")}
        command = ["sh", str(NODEDIAG_RUN), IMAGE, "logs", "--input", f"/host{tmp_path}/endless"]
        try:
            with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
                while "RUNNING" not in listed(containerd, "tasks", "ls"):
                    assert process.poll() is None
                    time.sleep(0.1)
                process.send_signal(signal.SIGTERM)
                assert process.wait() == 143
        finally:
            os.close(holder)
        assert listed(containerd, "tasks", "ls", "-q") == listed(containerd, "containers", "ls", "-q") == ""
        assert list((tmp_path / "out").iterdir()) == []


def test_the_cloud_init_writes_that_very_script_and_units_that_systemd_understands(tmp_path: Path) -> None:
    told = subprocess.run(
        [CLOUD_INIT, "registry.example/nodediag:1"], capture_output=True, text=True, check=True
    ).stdout
    assert told.startswith("#cloud-config\n")
    data = yaml.safe_load(told)
    files = {file["path"]: file["content"] for file in data["write_files"]}
    assert files.pop("/etc/nodediag/nodediag-run") == NODEDIAG_RUN.read_text()
    assert (
        "nodediag-run -o /var/lib/nodediag/report.json registry.example/nodediag:1\n"
        in files["/etc/systemd/system/nodediag.service"]
    )
    assert data["runcmd"][-1] == "systemctl start nodediag.timer"
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for path, content in files.items():
        (tmp_path / Path(path).name).write_text(content)
    command = ["systemd-analyze", "verify", "--man=no", *sorted(map(str, tmp_path.glob("nodediag.*")))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if "nodediag" in line] == []


def test_what_is_no_image_name_stays_out_of_the_cloud_init() -> None:
    done = subprocess.run([CLOUD_INIT, "x; reboot"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
