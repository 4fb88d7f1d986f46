"""What the benchmarks share: the memory and processor time of a command with all its children."""

import resource
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ANONYMOUS = ("RssAnon", "RssShmem")


def family(pid: int) -> list[int]:
    """Give a process with all its descendants."""
    found, pids = [], [pid]
    while pids:
        one = pids.pop()
        found.append(one)
        try:
            pids += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def memory_kib(pid: int, fields: tuple[str, ...]) -> int:
    """Add up fields of proc_pid_status(5) over a process and its descendants."""
    total = 0
    for one in family(pid):
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        held = dict(line.split(":", 1) for line in status.splitlines())
        total += sum(int(held.get(field, "0").split()[0]) for field in fields)
    return total


def anonymous_kib(pid: int) -> int:
    """Add up what a process and its descendants hold that is backed by no file."""
    return memory_kib(pid, ANONYMOUS)


def processor_s(pid: int) -> float:
    """Add up the processor time of a process and its descendants, each of one thread, to the nanosecond."""
    return sum(int(Path(f"/proc/{one}/schedstat").read_text().split()[0]) for one in family(pid)) / 1e9


def peak_kib(command: list[str]) -> int:
    """Give the highest sum seen while a command runs, looked at every few milliseconds."""
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, anonymous_kib(process.pid))
            time.sleep(0.002)
    return peak


class Cost(NamedTuple):
    """What a command took with all its children, and how it ended."""

    seconds: float
    processor_s: float
    memory_kib: int
    status: int
    said: str


def cost(command: list[str], cwd: str | None = None) -> Cost:
    """Run a command to its end, and look at its memory every few milliseconds meanwhile."""
    before, start, peak = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), 0
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=cwd
        ) as process:
            while process.poll() is None:
                peak = max(peak, anonymous_kib(process.pid))
                time.sleep(0.01)
        took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        said.seek(0)
        text = said.read().decode("utf-8", "backslashreplace")
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(took, worked, peak, process.returncode, text)
