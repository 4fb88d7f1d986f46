"""Measures nodediag against floors and bars in one run, and prints ratios: seconds on another machine mean nothing.

Usage: `make bench`. Ends with 1 when a bar is missed.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import peak_kib

PYTHON = sys.executable
REPORT = [PYTHON, "-I", "-m", "nodediag", "report", "--no-logs", "--format", "json"]
RUNS = 25
STARTUP_BAR = 2.0
MEMORY_BAR_KIB = 64 * 1024
MOUNTS = 50_000
MOUNTS_BAR_S = 2.0
SIZE_BAR_BYTES = 1024 * 1024
# What a run needs is asked of a run itself, parent and child, so that the floor cannot grow stale.
PROBE = """
import os, sys
from nodediag.cli.main import run
in_child = {"psutil", "re2"} | ({"jeepney"} if os.path.lexists("/run/systemd/private") else set())
run(["report", "--no-logs", "--format", "json", "-o", sys.argv[1]])
tops = {name.partition(".")[0] for name in sys.modules}
print(*sorted(tops & {"click", "msgspec", "psutil", "re2", "structlog", "yaml", "rich"} | in_child))
"""


def packages() -> str:
    """Name the packages that a report needs; those that only the child imports are known."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [PYTHON, "-I", "-c", PROBE, f"{folder}/report.json"], capture_output=True, text=True, check=True
        )
    return done.stdout.split("\n")[-2].replace(" ", ", ")


def seconds(command: list[str]) -> float:
    """Time one whole process."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def startup() -> bool:
    """Compare a whole report with Python importing the same packages, run by run so that noise meets both."""
    imports = [PYTHON, "-I", "-c", f"import {packages()}"]
    seconds(imports)
    seconds(REPORT)
    pairs = [(seconds(imports), seconds(REPORT)) for _ in range(RUNS)]
    floor = statistics.median(pair[0] for pair in pairs)
    whole = statistics.median(pair[1] for pair in pairs)
    ratio = whole / floor
    print(f"report --no-logs: {whole * 1000:.0f} ms; `{imports[-1]}`: {floor * 1000:.0f} ms")
    print(f"  ratio {ratio:.2f}, bar {STARTUP_BAR}")
    return ratio <= STARTUP_BAR


def memory() -> bool:
    """Measure the anonymous memory of a report, all children included."""
    peak = max(peak_kib(REPORT) for _ in range(3))
    print(f"report --no-logs: {peak / 1024:.1f} MiB anonymous memory with all children, bar {MEMORY_BAR_KIB // 1024}")
    return peak <= MEMORY_BAR_KIB


def many_mounts() -> bool:
    """Report on a node with 50,000 mounts: time, size of the report, memory."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("proc/1", "etc"):
            Path(folder, name).mkdir(parents=True)
        Path(f"{folder}/etc/os-release").write_text("ID=cos\nVERSION_ID=121\n")
        rows = ["21 1 253:0 / / ro,relatime - ext2 /dev/mapper/vroot ro", "22 21 0:5 / /proc rw - proc proc rw"]
        rows += [
            f"{number} 21 0:{number} / /var/lib/kubelet/pods/{number:08x}/volumes/kubernetes.io~secret/token"
            f" rw,relatime shared:{number} - tmpfs tmpfs rw,size=1024k,mode=755"
            for number in range(30, MOUNTS + 30)
        ]
        Path(f"{folder}/proc/1/mountinfo").write_text("\n".join(rows) + "\n")
        command = [*REPORT, "--root", folder]
        times = [seconds(command) for _ in range(5)]
        size = len(subprocess.run(command, capture_output=True, check=False).stdout)
        peak = peak_kib(command)
    took = statistics.median(times)
    print(f"{MOUNTS} mounts: {took:.2f} s (bar {MOUNTS_BAR_S}), {size} bytes (bar {SIZE_BAR_BYTES})")
    print(f"  {peak / 1024:.1f} MiB anonymous memory")
    return took <= MOUNTS_BAR_S and 0 < size <= SIZE_BAR_BYTES


def main() -> int:
    """Run all; the exit status says whether every bar was held."""
    results = [startup(), memory(), many_mounts()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
