"""The folder that carries its own interpreter: alone, from anywhere, steered by nothing."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import OURS
from tests.packaging.reports import NODES, by_the_source, report

ROOT = Path(__file__).parent.parent.parent
EVERYTHING = """
import importlib, pkgutil, nodediag, systemd.journal
for module in pkgutil.walk_packages(nodediag.__path__, "nodediag."):
    module.name.endswith("__main__") or importlib.import_module(module.name)
print(open("/proc/self/maps").read())
"""

GENTLE = "import sys; from nodediag.host import own; own.be_gentle_to_disks(0); print(flush=True); sys.stdin.read()"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, env={}, cwd="/")


def mounted(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script whose mounts end with it."""
    command = ["unshare", "--mount", "--propagation=private", "sh", "-euc", script, "sh", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*")}


def test_it_gives_the_report_that_the_source_gives(onedir: Path) -> None:
    assert report(NODES[0], onedir / "nodediag") == by_the_source(NODES[0])


def test_it_loads_nothing_from_outside_of_the_folder(onedir: Path) -> None:
    done = run(onedir / "bin/python3", "-I", "-c", EVERYTHING)
    assert done.returncode == 0, done.stderr
    files = set(re.findall(r" (/\S+)$", done.stdout, re.MULTILINE))
    assert any("libsystemd" in file for file in files)
    assert [file for file in files if not file.startswith(f"{onedir}/")] == []


def test_neither_the_environment_nor_the_working_folder_steer_it(onedir: Path, tmp_path: Path) -> None:
    for name in ("json", "nodediag", "re", "site", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('steered')")
    environment = {
        "PYTHONHOME": "/nowhere", "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "json.py"),
        "LD_LIBRARY_PATH": str(tmp_path), "LD_PRELOAD": "/nowhere.so", "LD_DEBUG": "all", "LC_ALL": "xx_YY",
        "GLIBC_TUNABLES": "glibc.malloc.check=3",
    }  # fmt: skip
    command = [str(onedir / "nodediag"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nodediag ")


def test_it_is_found_through_links_and_after_a_move(onedir: Path, tmp_path: Path) -> None:
    moved = tmp_path / "a folder, märz"
    shutil.copytree(onedir, moved, copy_function=os.link)
    (tmp_path / "link").symlink_to(moved / "nodediag")
    (tmp_path / "further").symlink_to("link")
    assert run(tmp_path / "further", "--version").returncode == 0


def test_a_path_that_cannot_hold_libraries_is_named(onedir: Path, tmp_path: Path) -> None:
    shutil.copytree(onedir, tmp_path / "a:b", copy_function=os.link)
    done = run(tmp_path / "a:b/nodediag", "--version")
    assert done.returncode == 4
    assert "a:b: a path with `:`" in done.stderr


def test_an_incomplete_copy_says_so(onedir: Path, tmp_path: Path) -> None:
    shutil.copy(onedir / "nodediag", tmp_path)
    done = run(tmp_path / "nodediag", "--version")
    assert done.returncode == 4
    assert "the folder is not complete" in done.stderr


def test_its_interpreter_starts_itself_by_the_name_it_gives(onedir: Path) -> None:
    code = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-I', '-m', 'nodediag', '--version']))"
    assert run(onedir / "bin/python3", "-I", "-c", code).stdout.startswith("nodediag ")


def test_it_gives_way_on_disks_by_the_system_call_of_its_architecture(onedir: Path) -> None:
    command = (onedir / "bin/python3", "-I", "-c", GENTLE)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as gentle:
        assert gentle.stdout is not None
        gentle.stdout.readline()
        assert run("ionice", "-p", str(gentle.pid)).stdout == "best-effort: prio 7\n"


def test_running_it_changes_nothing_in_the_folder(onedir: Path) -> None:
    before = listing(onedir)
    assert run(onedir / "nodediag", "explain").returncode == 0
    assert listing(onedir) == before


def test_it_holds_no_installer_no_compiler_and_no_tests(onedir: Path) -> None:
    library = next((onedir / "lib").glob("python3*"))
    held = {path.name for path in library.iterdir()}
    assert held >= {"nodediag", "msgspec", "json"}
    assert not held & {"pip", "setuptools", "wheel", "hatchling", "ensurepip", "idlelib", "lib2to3", "test", "tkinter"}
    assert any((onedir / "licenses").iterdir())


@pytest.mark.parametrize("compression", ["zstd", "lz4", "xz"])
def test_it_reads_journals_however_they_are_compressed(
    onedir: Path, journal: Callable[[str], Path], compression: str
) -> None:
    node = journal(compression)
    done = run(onedir / "nodediag", "logs", "--root", node, "--since", "2020-01-01", "--format", "json")
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["reader"] == "libsystemd"
    assert [found["condition"] for found in told["signatures"]] == ["pleg-unhealthy"]


@pytest.mark.root
@pytest.mark.usefixtures("needs_root")
class TestOnOtherMachines:
    def test_it_runs_where_there_is_nothing_but_the_kernel(self, onedir: Path, tmp_path: Path) -> None:
        script = 'mkdir "$2/proc" "$2/n"; mount -t proc proc "$2/proc"; mount --bind "$1" "$2/n"; '
        script += 'mount -o remount,bind,ro "$2/n"; chroot "$2" /n/nodediag explain mounts.writable'
        done = mounted(script, onedir, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "mounts.writable" in done.stdout

    def test_without_procfs_it_says_what_it_lacks(self, onedir: Path, tmp_path: Path, architecture: str) -> None:
        if architecture != OURS:
            pytest.skip("qemu answers for /proc/self/exe itself")
        done = mounted('mkdir "$2/n"; mount --bind "$1" "$2/n"; chroot "$2" /n/nodediag', onedir, tmp_path)
        assert (done.returncode, done.stderr) == (4, "nodediag: /proc/self/exe: No such file or directory\n")

    def test_a_folder_that_may_not_run_tells_where_it_may(self, onedir: Path) -> None:
        script = 'mount --bind "$1/lib" "$1/lib"; mount -o remount,bind,noexec "$1/lib"; "$1/nodediag"'
        done = mounted(script, onedir)
        assert done.returncode == 4
        assert "mounted noexec" in done.stderr
        assert "/var/lib/toolbox" in done.stderr

    def test_install_finds_a_place_that_lets_it_run(self, onedir: Path, tmp_path: Path) -> None:
        script = 'mkdir "$2/a" "$2/b"; mount --bind "$1" "$1"; mount -o remount,bind,noexec,ro "$1"; '
        script += 'mount -t tmpfs -o noexec tmpfs "$2/a"; sh "$1/install" "$2/a" || sh "$1/install" "$2/b"; '
        script += 'sh "$1/install" "$2/b"; ls -A "$2/a" "$2/b"; "$2/b/nodediag/nodediag" --version'
        done = mounted(script, onedir, tmp_path)
        assert done.returncode == 0, done.stderr
        assert f"install: {tmp_path}/a: programs cannot run from there" in done.stderr
        place = f"{tmp_path}/b/nodediag/nodediag"
        version = done.stdout.splitlines()[-1]
        assert done.stdout == f"{place}\n{place}\n{tmp_path}/a:\n\n{tmp_path}/b:\nnodediag\n{version}\n"
