"""Measures `nodediag watch` between diagnoses: memory and processor time of all its processes together.

Usage: `python benchmarks/watch.py [MINUTES]`, ten by default. Nodes are watched side by side, and probed as a kubelet
probes: one whose journal says nothing; one whose kubelet and containerd log eight entries a second, one in fifty of a
kind that is seldom seen; and, without a bar, one that logs ever new kinds, and one in a storm of errors. Needs
systemd-journal-remote. Ends with 1 when a bar is missed.
"""

import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from logs import REMOTE, quiet, storm
from measure import ANONYMOUS, memory_kib, processor_s
from nodediag.host import package
from nodediag.logs.matcher import Matcher
from nodediag.signatures.load import merge

MINUTES = 10.0
MEMORY_BAR_KIB = 25 * 1024
PROCESSOR_BAR = 1.0  # thousandths of a processor
SETTLED_S = 15.0
PROBE_S = 10.0
LOOK_S = 5.0
MOMENT_S = 0.1
STORM_FROM = 100  # entries a second, from which on all are errors

SIGNATURES = merge(package.texts("signatures/data"))
MATCHER = Matcher(SIGNATURES)
RARE = [line for one in SIGNATURES for line in one.near_misses if "\n" not in line and not MATCHER.match(line.encode())]


class Kind(NamedTuple):
    """How much a node logs, of which so many are of a kind that is seldom seen or all are errors."""

    name: str
    entries_per_s: int
    rare: int = 0  # one in so many
    is_storm: bool = False
    has_bar: bool = True


KINDS = (
    Kind("a quiet node", 0),
    Kind("a normal node", 8, rare=50),
    Kind("ever new kinds of entries", 8, rare=10, has_bar=False),
    Kind("a storm", 500, is_storm=True, has_bar=False),
)


class Node:
    """A node that is watched."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.kind = kind
        self._written = 0
        journal = folder / "var/log/journal" / ("b" * 32)
        for path in (journal, folder / "etc", folder / "proc/1"):
            path.mkdir(parents=True)
        (folder / "etc/os-release").write_text("ID=cos\nVERSION_ID=121\n")
        (folder / "proc/1/mountinfo").write_text("20 1 253:0 / / ro,relatime - ext2 /dev/mapper/vroot ro\n")
        remote = [REMOTE, "-o", str(journal / "system.journal"), "--split-mode=none", "--compress=no", "-"]
        self._journal = subprocess.Popen(remote, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.log(1)
        command = [sys.executable, "-I", "-m", "nodediag", "watch", "--root", str(folder), "--interval", "24h"]
        options = ["--listen", "127.0.0.1:0", "--state", str(folder / "state")]
        self._watch = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = self._watch.stderr.readline() if self._watch.stderr is not None else b""
        self._address = json.loads(said)["address"]
        self.peak_kib = self.resident_kib = 0
        self._start_s = self._start = 0.0

    def log(self, count: int) -> None:
        """Log so many entries now."""
        now_us = int(time.time() * 1e6)
        for number in range(self._written, self._written + count):
            is_rare = self.kind.rare and number % self.kind.rare == 0
            line = RARE[number // self.kind.rare % len(RARE)] if is_rare else quiet(number)
            line = storm(number) if self.kind.is_storm else line
            unit = ("kubelet.service", "containerd.service")[number % 2]
            entry = (
                f"__REALTIME_TIMESTAMP={now_us + number}\n__MONOTONIC_TIMESTAMP={number + 1}\n_BOOT_ID={'a' * 32}\n"
                f"_MACHINE_ID={'b' * 32}\nPRIORITY=6\n_TRANSPORT=stdout\n_SYSTEMD_UNIT={unit}\nMESSAGE={line}\n\n"
            )
            if self._journal.stdin is not None:
                self._journal.stdin.write(entry.encode())
        if self._journal.stdin is not None:
            self._journal.stdin.flush()
        self._written += count

    def probe(self) -> None:
        """Ask as a kubelet does."""
        for path in ("healthz", "readyz"):
            with urlopen(f"http://{self._address}/{path}", timeout=5) as answer:
                answer.read()

    def begin(self) -> None:
        """Begin to measure."""
        self._start, self._start_s = time.monotonic(), processor_s(self._watch.pid)

    def look(self) -> None:
        """Take note of the memory it holds; not of a child that saves a change and is gone in a tenth of a second."""
        held = memory_kib(self._watch.pid, ANONYMOUS)
        time.sleep(MOMENT_S)
        self.peak_kib = max(self.peak_kib, min(held, memory_kib(self._watch.pid, ANONYMOUS)))
        self.resident_kib = max(self.resident_kib, memory_kib(self._watch.pid, ("VmRSS",)))

    def thousandths(self) -> float:
        """Give how many thousandths of a processor it took."""
        return (processor_s(self._watch.pid) - self._start_s) / (time.monotonic() - self._start) * 1000

    def read(self) -> int:
        """Give how many entries it says it has read."""
        with urlopen(f"http://{self._address}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return int(next(line for line in lines if line.startswith("nodediag_watch_journal_entries_total")).split()[1])

    def end(self) -> None:
        """End it, and what wrote its journal."""
        self._watch.terminate()
        self._watch.wait()
        if self._watch.stderr is not None:
            self._watch.stderr.close()
        if self._journal.stdin is not None:
            self._journal.stdin.close()
        self._journal.wait()


def measured(nodes: list[Node], minutes: float) -> None:
    """Let the nodes log, probe and look, for so long."""
    begun, probed = False, 0.0
    start = time.monotonic()
    looked = start
    while (now := time.monotonic()) - start < minutes * 60 + SETTLED_S:
        if not begun and now - start >= SETTLED_S:
            begun = True
            for node in nodes:
                node.begin()
        for node in nodes:
            node.log(node.kind.entries_per_s)
            if begun and now - probed >= PROBE_S:
                node.probe()
        probed = now if now - probed >= PROBE_S else probed
        if begun and now - looked >= LOOK_S:
            looked = now
            for node in nodes:
                node.look()
        time.sleep(max(0.0, 1 - (time.monotonic() - now)))


def told(node: Node) -> bool:
    """Print what was measured, and tell whether the bars were held."""
    took, kind = node.thousandths(), node.kind
    bars = (f", bar {MEMORY_BAR_KIB // 1024}", f", bar {PROCESSOR_BAR:g}") if kind.has_bar else ("", "")
    print(f"{kind.name}: {kind.entries_per_s} entries/s, {node.read()} read")
    print(f"  {node.peak_kib / 1024:.1f} MiB anonymous{bars[0]}; {node.resident_kib / 1024:.1f} MiB resident")
    print(f"  {took:.2f} thousandths of a processor{bars[1]}")
    return not kind.has_bar or (0 < node.peak_kib <= MEMORY_BAR_KIB and took <= PROCESSOR_BAR)


def main(minutes: float) -> int:
    """Measure; the exit status says whether every bar was held."""
    if not Path(REMOTE).exists():
        print("not measured: systemd-journal-remote, which makes the journals, is not installed")
        return 0
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        nodes: list[Node] = []
        for number, kind in enumerate(KINDS):
            nodes.append(Node(Path(folder, str(number)), kind))
            stack.callback(nodes[-1].end)
        measured(nodes, minutes)
        held = [told(node) for node in nodes]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES))
