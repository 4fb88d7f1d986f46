"""Measures `nodediag report` beside `sos report` limited to the same: the logs and what systemd says, 400,000 entries.

sos collects and does not judge. It needs a running systemd, of which the lab boots one: nodediag runs in that node, and
reports on all of it. sos runs on this machine, in a mount namespace that has the node's sockets and the node's journal,
and in the node's PID namespace: systemd refuses a client whose PID it cannot see, and then sos knows of no journald and
collects no journal. sos prints the journal whole and once more for this boot, to keep the last 100 MiB of each; ours
reads 24 hours, in which all entries lie. Both are as gentle as nodediag makes itself, so that other load meets both
alike. Needs root, the lab's tools, and the Debian package sosreport. Ends with 1 when the bar is missed.

Usage: python benchmarks/sos.py
"""

import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import logs
from tests.lab.machine import Workshop, lacking
from tests.lab.node import Node
from tests.lab.roots import Disks, cache, userland
from tests.lab.stage import stage

BAR = 0.1
RUNS = 3
JOURNAL = "/var/log/journal"
GENTLE = ("nice", "-n", "10", "ionice", "-c", "2", "-n", "7")
TEXT = "journalctl_--no-pager"  # what sos names the whole journal, up to 100 MiB from its end
LEAST_BYTES = 50 * logs.ENTRIES


def entries(machine: str, count: int = logs.ENTRIES, line: Callable[[int], str] = logs.quiet) -> Iterator[bytes]:
    """Give entries of this boot, this machine and the last minutes."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    first_us = time.time_ns() // 1000 - count * 1000 - 60_000_000
    for number, entry in enumerate(logs.exported(count, line)):
        _, _, rest = entry.partition(b"\n")
        rest = rest.replace(b"a" * 32, boot.encode()).replace(b"b" * 32, machine.encode())
        yield f"__REALTIME_TIMESTAMP={first_us + number * 1000}\n".encode() + rest


def reported(node: Node) -> float:
    """Time a report made in the node; all entries must have been read for it."""
    start = time.perf_counter()
    done = node.run(*GENTLE, f"{node.program}/nodediag", "report", "--format", "json", check=False)
    took = time.perf_counter() - start
    read = json.loads(done.stdout)["logs"]["entries"] if done.returncode in {0, 1, 3} else 0
    if read < logs.ENTRIES:
        raise SystemExit(f"nodediag ended with {done.returncode} and read {read} entries: {done.stderr[-1000:]}")
    return took


def collecting(node: Node, folder: str, more: str = "true") -> list[str]:
    """Give the command by which sos collects the logs of a node and what its systemd says; `more` is done before."""
    there = f"/proc/{node.pid}/root"
    script = (
        f"cp {there}/etc/machine-id {folder}/machine-id && mount --make-rprivate / && mount -t tmpfs run /run && "
        f"mkdir -p /run/systemd/system /run/dbus {JOURNAL} && "
        f"ln -s {there}/run/systemd/private /run/systemd/private && "
        f"ln -s {there}/run/dbus/system_bus_socket /run/dbus/system_bus_socket && "
        f"mount --bind {node.roots.root}{JOURNAL} {JOURNAL} && mount --bind {folder}/machine-id /etc/machine-id && "
        f"{more} && "
        f"exec {' '.join(GENTLE)} sos report --batch --quiet --only-plugins logs,systemd --tmp-dir {folder}"
    )
    return ["nsenter", f"--target={node.pid}", "--pid", "unshare", "--mount", "sh", "-c", script]


def collected(node: Node, folder: str) -> float:
    """Time sos; the journal must be in what it collected."""
    start = time.perf_counter()
    done = subprocess.run(
        collecting(node, folder),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        cwd=folder,  # sos imports what lies where it is started, and this file is called sos too
    )  # fmt: skip
    took = time.perf_counter() - start
    archives = list(Path(folder).glob("sosreport-*.tar.*z"))
    if done.returncode or not archives:
        raise SystemExit(f"sos ended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    with tarfile.open(archives[0]) as archive:
        held = max((member.size for member in archive if TEXT in member.name), default=0)
    if held < LEAST_BYTES:
        raise SystemExit(f"sos collected {held} bytes of the journal, so there is nothing to compare with")
    for file in Path(folder).glob("sosreport-*"):
        file.unlink()
    return took


def fetched(node: Node) -> float:
    """Time a loop that fetches the same entries and does nothing with them: what no reader by libsystemd can beat."""
    code = "import sys, logs; print(logs.fetched(sys.argv[1]))"
    command = [*GENTLE, sys.executable, "-c", code, str(node.roots.root)]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    return logs.ENTRIES / float(done.stdout)


def compared(node: Node) -> bool:
    """Time both on one node, in turn."""
    machine = node.path("/etc/machine-id").read_text().strip()
    logs.write(node.roots.root / f"{JOURNAL[1:]}/{machine}/made.journal", entries(machine))
    with tempfile.TemporaryDirectory() as folder:
        runs = [(reported(node), collected(node, folder), fetched(node)) for _ in range(RUNS)]
    ratios = [us / sos for us, sos, _ in runs]
    us, sos, floor = sorted(runs, key=lambda run: run[0] / run[1])[RUNS // 2]
    print(f"report: {us:.1f} s; sos report of logs and systemd: {sos:.1f} s; ratio {us / sos:.3f}, bar {BAR}")
    print(f"  fetching the entries alone: {floor:.1f} s, {floor / sos:.3f} of sos")
    print(f"  ratios of all runs: {', '.join(f'{ratio:.3f}' for ratio in ratios)}")
    return statistics.median(ratios) <= BAR


def main(compare: Callable[[Node], bool] = compared) -> int:
    """Boot a node, compare, and say whether the bar was held."""
    lack = lacking() or ("" if shutil.which("sos") else "needs the Debian package sosreport")
    if lack or not Path(logs.REMOTE).exists():
        print(f"not measured beside sos: {lack or 'needs systemd-journal-remote'}")
        return 0
    userland()
    workshop = Workshop(cache() / "run")
    try:
        disks = Disks("ubuntu", workshop.folder / "disks", stage(workshop.folder / "nodediag"))
        node = Node(disks, workshop, "sos")
        try:
            return 0 if compare(node) else 1
        finally:
            node.stop()
    finally:
        workshop.close()


if __name__ == "__main__":
    sys.exit(main())
