"""What the benchmarks share: the anonymous memory of a command with all its children."""

import subprocess
import time
from pathlib import Path


def anonymous_kib(pid: int) -> int:
    """Add up RssAnon and RssShmem of a process and its children, see proc_pid_status(5)."""
    total = 0
    pids = [pid]
    while pids:
        one = pids.pop()
        try:
            status = Path(f"/proc/{one}/status").read_text()
            pids += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines())
        total += sum(int(fields.get(key, "0").split()[0]) for key in ("RssAnon", "RssShmem"))
    return total


def peak_kib(command: list[str]) -> int:
    """Give the highest sum seen while a command runs, looked at every few milliseconds."""
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, anonymous_kib(process.pid))
            time.sleep(0.002)
    return peak
