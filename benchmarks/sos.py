"""Measures `nodediag report` beside `sos report` limited to the same: the logs and what systemd says, 400,000 entries.

sos collects and does not judge. It needs a running systemd, of which the lab boots one: sos then runs on this machine,
in a mount namespace that has that node's sockets and the journal made here. Needs root, the lab's tools, and the Debian
package sosreport. Ends with 1 when the bar is missed.

Usage: python benchmarks/sos.py
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import logs
from tests.lab.machine import Workshop, lacking
from tests.lab.node import Node
from tests.lab.roots import cache, userland
from tests.lab.stage import stage

BAR = 0.1
RUNS = 3
MACHINE = "b" * 32


def exported(count: int, line: Callable[[int], str]) -> Iterator[bytes]:
    """Give entries of this boot and of the last minutes: sos asks for those alone."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "").encode()
    moved = time.time_ns() // 1000 - count * 1000 - 60_000_000 - logs.START_US
    for number, entry in enumerate(EXPORTED(count, line)):
        first, _, rest = entry.partition(b"\n")
        del first
        at = logs.START_US + moved + number * 1000
        yield f"__REALTIME_TIMESTAMP={at}\n".encode() + rest.replace(b"a" * 32, boot)


EXPORTED = logs.exported


def seconds(command: list[str]) -> float:
    """Time one whole process."""
    start = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    took = time.perf_counter() - start
    if done.returncode not in {0, 1, 3}:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
    return took


def compared(node: Node, folder: str) -> bool:
    """Time both on one journal, in turn."""
    root = logs.made(folder, "node", logs.ENTRIES, logs.quiet)
    Path(folder, "machine-id").write_text(MACHINE + "\n")
    Path(root, "etc").mkdir()
    shutil.copy("/etc/os-release", f"{root}/etc/os-release")
    ours = [sys.executable, "-I", "-m", "nodediag", "report", "--format", "json", "--root", root]
    script = (
        "mount --make-rprivate / && mount -t tmpfs run /run && "
        "mkdir -p /run/systemd/system /run/dbus /var/log/journal && "
        f"ln -s /proc/{node.pid}/root/run/systemd/private /run/systemd/private && "
        f"ln -s /proc/{node.pid}/root/run/dbus/system_bus_socket /run/dbus/system_bus_socket && "
        f"mount --bind {root}/var/log/journal /var/log/journal && mount --bind {folder}/machine-id /etc/machine-id && "
        f"exec sos report --batch --quiet --only-plugins logs,systemd --tmp-dir {folder}"
    )
    theirs = ["unshare", "--mount", "sh", "-c", script]
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(RUNS)]
    for archive in Path(folder).glob("sosreport-*.tar.*"):
        names = subprocess.run(["tar", "-tf", str(archive)], capture_output=True, text=True, check=False).stdout
        if archive.name.endswith(".xz") and "journalctl_--no-pager" not in names:
            raise SystemExit("sos collected no journal, so there is nothing to compare with")
    us, sos = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"report: {us:.1f} s; sos report of logs and systemd: {sos:.1f} s; ratio {us / sos:.3f}, bar {BAR}")
    return bool(us <= BAR * sos)


def main() -> int:
    """Boot a node, compare, and say whether the bar was held."""
    lack = lacking() or ("" if shutil.which("sos") else "needs the Debian package sosreport")
    if lack or not Path(logs.REMOTE).exists():
        print(f"not measured beside sos: {lack or 'needs systemd-journal-remote'}")
        return 0
    logs.exported = exported
    userland()
    workshop = Workshop(cache() / "run")
    try:
        node = Node("ubuntu", workshop, "sos", stage(workshop.folder / "nodediag"))
        try:
            with tempfile.TemporaryDirectory() as folder:
                return 0 if compared(node, folder) else 1
        finally:
            node.stop()
    finally:
        workshop.close()


if __name__ == "__main__":
    sys.exit(main())
