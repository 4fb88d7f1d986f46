"""The lab leaves nothing behind, even when it is killed, and says why where it cannot be."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.lab.machine import Cgroup, Workshop
from tests.lab.node import has_own_network

ROOT: Final = Path(__file__).parents[2]
KILLED: Final = """
import subprocess, sys, time
from pathlib import Path
from tests.lab.machine import Workshop, mount
workshop = Workshop(Path(sys.argv[1]))
mount("tmpfs", workshop.folder / "mounted", "-t", "tmpfs")
sleep = subprocess.Popen(workshop.cgroup("node").entering("sleep", "1000"))
while not workshop.cgroup("node").processes():
    time.sleep(0.05)
print(workshop.folder, flush=True)
time.sleep(1000)
"""


@pytest.mark.usefixtures("machine")
def test_what_a_killed_run_left_is_cleared_and_what_lives_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        folder = Path(run.stdout.readline().strip())
        node = Cgroup(f"{folder.name}-node")
        Workshop(tmp_path).close()
        assert node.processes()
        assert (folder / "mounted").is_mount()
        run.send_signal(signal.SIGKILL)
    Workshop(tmp_path).close()
    assert node.processes() == set()
    assert list(tmp_path.glob("lab-*")) == []
    assert not [path for path in Path("/sys/fs/cgroup").glob(f"*/{folder.name}-node") if path.exists()]


@pytest.mark.usefixtures("machine")
def test_what_is_still_in_this_machines_network_is_not_told_to_filter_it() -> None:
    with subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE) as apart:
        assert apart.stdout is not None
        apart.stdout.readline()
        assert (has_own_network(apart.pid), has_own_network(os.getpid())) == (True, False)
        apart.kill()


@pytest.mark.usefixtures("machine")
def test_where_there_is_only_cgroup_version_2_each_test_is_skipped_and_says_why() -> None:
    others = ("unshare", "--mount", "sh", "-ec", 'mount -t cgroup2 none /sys/fs/cgroup; exec "$@"', "sh")
    command = (*others, sys.executable, "-m", "pytest", "tests/lab", "-q", "-p", "no:cacheprovider")
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = told.stdout.splitlines()
    assert told.returncode == 0, told.stdout
    counted = re.findall(r"SKIPPED \[(\d+)\] \S+: (.*)", told.stdout)
    assert re.search(r"\b(\d+) skipped", lines[-1])[1] == str(sum(int(count) for count, _ in counted))  # type: ignore[index]
    assert {why.partition(":")[0] for _, why in counted} == {"the lab needs cgroup version 1 at /sys/fs/cgroup"}
    assert len(counted) > 0
