"""Measures `nodediag bundle` of a node with a large journal against its bounds: memory, temporary disk, size, time.

Usage: `python benchmarks/bundle.py [MEGABYTES]`, by default 1000. The journal is made here: a quiet kubelet and
containerd, of whose entries every fifth is a failure of another pod, and once in a while a message is 48 KiB long.
Needs systemd-journal-remote. Ends with 1 when a bar is missed.
"""

import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import logs
from measure import anonymous_kib, family

MEGABYTES = 1000
ENTRIES = 2100  # a megabyte of such a journal
MEMORY_BAR_KIB = 64 * 1024
FLAT_BAR = 1.1
DISK_BAR = 1.2
TIME_BAR = 2.0  # of a report of the same node, in time of the processor, which other load does not touch
ALL = ("--since", "3650d", "--timeout", "600s")
CUT_BYTES = 300_000
LONG = 'W1121 12:00:00.000000 1234 kubelet.go:1] "odd" body="' + "0123456789abcdef" * 3072


class Run(NamedTuple):
    """What a bundle took, and what it came to."""

    seconds: float
    processor_s: float
    memory_kib: int
    disk_bytes: int
    size_bytes: int
    cut: list[str]


def line(number: int) -> str:
    """Give a line of a node that fails in some respect, among all that does not."""
    if number % 5000 == 0:
        return LONG + str(number)
    return logs.storm(number) if number % 10 in {4, 5} else logs.quiet(number)


def on_disk(folder: Path, pid: int) -> int:
    """Add up the files in a folder and those that are open, though they have no name any more."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    for one in family(pid):
        try:
            for link in Path(f"/proc/{one}/fd").iterdir():
                target = str(link.readlink())
                if target.endswith(" (deleted)") and not target.startswith("/memfd:"):
                    total += link.stat().st_size
        except OSError:
            continue
    return total


def bundled(root: str, *arguments: str) -> Run:
    """Make a bundle and watch it."""
    with tempfile.TemporaryDirectory() as space:
        folder = Path(space)
        output = folder / "node.tar.gz"
        command = [sys.executable, "-I", "-m", "nodediag", "bundle", "--root", root, "-o", str(output), *ALL]
        start, before = time.perf_counter(), worked_s()
        memory = disk = 0
        with subprocess.Popen([*command, *arguments], env={**os.environ, "TMPDIR": space}) as process:
            while process.poll() is None:
                memory = max(memory, anonymous_kib(process.pid))
                disk = max(disk, on_disk(folder, process.pid))
                time.sleep(0.005)
        took, worked = time.perf_counter() - start, worked_s() - before
        if process.returncode:
            raise SystemExit(f"nodediag bundle ended with {process.returncode}")
        with tarfile.open(output) as archive:
            manifest = next(archive.extractfile(entry) for entry in archive if entry.name.endswith("/manifest.json"))
            cut = json.load(manifest)["cut"] if manifest is not None else []
        return Run(took, worked, memory, disk, output.stat().st_size, cut)


def reported(root: str) -> float:
    """Give the processor time of a report of the same node."""
    before = worked_s()
    command = [sys.executable, "-I", "-m", "nodediag", "report", "--root", root, "--format", "json", *ALL]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return worked_s() - before


def worked_s() -> float:
    """Give the processor time of all children that have ended, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def kept(what: str, value: float, bar: float, unit: str) -> bool:
    """Print a measure beside its bar, and say whether that was held."""
    print(f"  {what}: {value:,.2f} {unit}; bar {bar:,.1f}")
    return value <= bar


def main(megabytes: int) -> int:
    """Run all; the exit status says whether every bar was held."""
    if not Path(logs.REMOTE).exists():
        print("not measured: systemd-journal-remote, which makes the journals, is not installed")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        large = logs.made(folder, "large", megabytes * ENTRIES, line)
        small = logs.made(folder, "small", megabytes * ENTRIES // 10, line)
        size = sum(path.stat().st_size for path in Path(large).rglob("*.journal"))
        whole, tenth = bundled(large), bundled(small)
        cut = bundled(large, "--max-size", f"{CUT_BYTES}B")
        report_s = reported(large)
    print(f"bundle of a journal of {size / 1e6:,.0f} MB: {whole.seconds:.1f} s, {whole.size_bytes:,} bytes")
    held = [
        kept("anonymous memory with all children", whole.memory_kib / 1024, MEMORY_BAR_KIB / 1024, "MiB"),
        kept("of that with a tenth of the journal", whole.memory_kib / tenth.memory_kib, FLAT_BAR, "times"),
        kept("disk while it was made", whole.disk_bytes / whole.size_bytes, DISK_BAR, "of the result"),
        kept("processor", whole.processor_s / report_s, TIME_BAR, f"of a report, which took {report_s:.1f} s"),
        kept("size", whole.size_bytes, 25_000_000, "bytes"),
        kept("size where it must be cut", cut.size_bytes, CUT_BYTES, "bytes"),
    ]
    print(f"  cut: {', '.join(cut.cut) or 'nothing'}")
    return 0 if all(held) and cut.cut and not whole.cut else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES))
