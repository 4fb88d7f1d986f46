"""The lab leaves nothing behind, even when it is killed: the next run clears up after it."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.lab.machine import Cgroup, Workshop

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
