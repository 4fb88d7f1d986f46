"""nodediag profile: each verb as an operator uses it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

NODEDIAG: Final = (sys.executable, "-I", "-m", "nodediag")
NODE: Final = Path(__file__).parent.parent / "nodes/gke-cos-containerd-1.34/root"
HEAD: Final = 'version = "1"\ndate = "2020-01-01"\ndocument = "an older page"\nsource = "ours"\nextends = "gke_cos"\n'


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NODEDIAG, *arguments], capture_output=True, text=True, check=False)


def unwrapped(*arguments: str) -> str:
    """The text that is printed, its lines put together again."""
    return " ".join(run(*arguments).stdout.split())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A newer cos_containerd than the release's, as `--data` takes it."""
    (tmp_path / "data/profiles").mkdir(parents=True)
    (tmp_path / "data/profiles/cos.toml").write_text(
        f'name = "cos_containerd"\n{HEAD}[match]\nimage_type = "cos_containerd"\n'.replace("2020", "2099")
    )
    return tmp_path / "data"


def test_all_profiles_are_listed_with_date_and_document() -> None:
    done = run("profile", "list")
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.split("\n") if line.startswith("cos_containerd ")]
    assert "2026-" in line
    assert "GKE node images" in line


def test_an_older_revision_stays_selectable_beside_newer_data(data: Path) -> None:
    listed = run("profile", "list", "--data", str(data)).stdout
    (line,) = [line for line in listed.split("\n") if line.startswith("cos_containerd ")]
    assert "2099-01-01" in line
    old = line.rpartition("also ")[2]
    assert old.startswith("cos_containerd@2026-")
    arguments = ("--root", str(NODE), "--no-logs", "--data", str(data), "--fail-on", "never")
    newest = unwrapped("report", *arguments, "--format", "text")
    assert "judged by the profile cos_containerd of 2099-01-01" in newest
    older = unwrapped("report", *arguments, "--profile", old, "--format", "text")
    assert f"judged by the profile cos_containerd of {old.partition('@')[2]}" in older
    assert "/var/lib/containerd" in run("profile", "diff", old, "cos_containerd", "--data", str(data)).stdout


def test_a_revision_that_is_not_there_is_bad_usage() -> None:
    done = run("report", "--root", str(NODE), "--profile", "cos_containerd@1999-01-01")
    assert done.returncode == 2
    assert "cos_containerd@1999-01-01" in done.stderr


def test_a_profile_that_is_shown_is_valid(tmp_path: Path) -> None:
    shown = tmp_path / "shown.toml"
    shown.write_text(run("profile", "show", "ubuntu_containerd").stdout)
    assert tomllib.loads(shown.read_text())["name"] == "ubuntu_containerd"
    done = run("profile", "validate", str(shown))
    assert (done.returncode, done.stdout) == (0, f"{shown}: the profile ubuntu_containerd is valid\n")
    same = run("profile", "diff", "ubuntu_containerd", str(shown))
    assert same.stdout == f"ubuntu_containerd and {shown} ask the same\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'name = "mine"\n{HEAD}[paths."/a"]\nwritable = 1\nwhy = "w"\nsource = "s"\n', 'paths."/a".writable: found 1'),
        (f'name = "mine"\n{HEAD}essential = ["no.such"]\n', "essential: found 'no.such', wanted the id of a check"),
        (f'name = "mine"\n{HEAD.replace("gke_cos", "nosuch")}', "extends: there is no profile 'nosuch'"),
        (f'name = "mine@1"\n{HEAD}', "name: found 'mine@1', wanted a name without @"),
        (f'name = "mine"\n{HEAD.replace("2020-01-01", "soon")}', "date: found 'soon', wanted a date"),
        (
            f'name = "mine"\n{HEAD}[storage.x]\ntitle = "t"\nsupported = "yes"\nwhy = "w"\nsource = "s"\n',
            "storage.\"x\".supported: found 'yes', wanted one of full, limited, not, no",
        ),
    ],
)
def test_a_mistake_is_told_with_file_key_and_what_was_wanted(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    done = run("profile", "validate", str(tmp_path / "mine.toml"))
    assert done.returncode == 2
    assert f"{tmp_path}/mine.toml: " in done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_a_good_node_is_recorded_and_judged_healthy_by_it(tmp_path: Path) -> None:
    made = tmp_path / "mine.toml"
    done = run("profile", "record", "--name", "mine", "--no-logs", "--root", str(NODE), "-o", str(made))
    assert (done.returncode, done.stderr) == (0, "")
    assert "# Left out: " in made.read_text()
    again = unwrapped("report", "--root", str(NODE), "--no-logs", "--profile", str(made), "--format", "text")
    assert again.startswith("HEALTHY")
    assert "judged by the profile mine of" in again


def test_a_node_that_is_not_known_to_be_good_makes_no_profile(tmp_path: Path) -> None:
    made = tmp_path / "mine.toml"
    done = run("profile", "record", "--name", "mine", "--root", str(NODE), "-o", str(made))  # it has no journal
    assert done.returncode == 3
    assert "logs.readable could not be seen" in done.stderr
    assert not made.exists()


def test_of_a_node_that_was_not_seen_no_profile_is_made() -> None:
    done = run("profile", "record", "--name", "mine", "--root", "none")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "nodediag: nothing was written: the node itself was not looked at (--root none)\n"


def test_a_reason_that_standard_error_does_not_take_leaves_the_status_as_it_is() -> None:
    command = '"$@" profile record --name mine --root "$node" 2>/dev/full'
    environment = {**os.environ, "node": str(NODE)}
    assert subprocess.run(["sh", "-c", command, "sh", *NODEDIAG], check=False, env=environment).returncode == 3


def test_a_recorded_profile_does_not_take_the_name_of_another() -> None:
    done = run("profile", "record", "--name", "cos", "--no-logs", "--root", str(NODE))
    assert done.returncode == 2
    assert "there is a profile of that name" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "nosuch"),
        ("diff", "cos", "nosuch"),
        ("validate", "/nowhere.toml"),
        ("list", "--data", "/nowhere/at/all"),
    ],
)
def test_what_is_not_there_is_bad_usage_and_named(arguments: tuple[str, ...]) -> None:
    done = run("profile", *arguments)
    assert done.returncode == 2
    assert arguments[-1] in done.stderr


def test_issues_of_ones_own_come_with_data(tmp_path: Path) -> None:
    (tmp_path / "issues").mkdir()
    (tmp_path / "issues/mine.toml").write_text(
        'date = "2099-01-01"\n[[issue]]\nid = "issue.mine"\ntitle = "It breaks"\nseverity = "warning"\neffect = "e"\n'
        'workaround = "w"\nsource = "s"\nimage_types = ["cos_containerd"]\ngke = [{ since = "1.34" }]\n'
    )
    told = unwrapped("report", "--root", str(NODE), "--no-logs", "--data", str(tmp_path), "--format", "text")
    assert "It breaks" in told
    assert "issues of 2099-01-01" in told


def test_an_issue_is_explained_and_all_are_listed() -> None:
    told = run("explain", "issue.cos-docker-clusterip-reset").stdout
    for part in ("GKE: 1.20.5-gke.100 to before 1.24", "Effect:", "Do:", "Source:", "Row G1"):
        assert part in told
    assert "issue.cos-docker-clusterip-reset" in run("explain", "--issues").stdout
