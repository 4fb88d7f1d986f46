"""Measures `nodediag bundle` beside `sos report` limited to the same, and `sos clean` after: cost, size, secrets left.

Both look at one node of the lab as benchmarks/sos.py has it, where secrets of every kind of tests/planted.py stand in
what both collect: the kubelet's journal, a drop-in of journald.conf(5), and the command line of a service. `sos clean`
masks addresses and names of hosts and users; that all secrets are in what sos reported shows that they were there to be
found. Needs root, the lab's tools, and the Debian package sosreport. Ends with 1 when a bar is missed.

Usage: python benchmarks/sos_bundle.py
"""

import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import logs
import sos
from measure import Cost, cost
from tests.lab.node import Node
from tests.planted import FORMATS, LINES, Secret

ENTRIES = 100_000
KINDS_OF_LINES = ("text", "logfmt", "json", "flag", "flag and word")
DROP_IN = "/etc/systemd/journald.conf.d/planted.conf"
UNIT = "/etc/systemd/system/planted.service"
MEMORY_BAR_KIB = 64 * 1024
RATIO_BAR = 1.0
BUNDLE = "/tmp/node.tar.gz"  # of the node
IN_A_COMMAND = tuple(secret for secret in LINES if not set(secret.value) & set("\"'$%\\ ;&|<>()!`#*?~"))


class Held(NamedTuple):
    """What an archive gives away: its size, and of how many secrets some piece is in it."""

    size_bytes: int
    left: int
    kinds: list[str]


def lines() -> list[str]:
    """Give what the kubelet logs of all secrets."""
    return [FORMATS[form](secret.name or "x", secret.value) for secret in LINES for form in KINDS_OF_LINES]


def planted(node: Node) -> None:
    """Put the secrets where both tools look."""
    said = [f"E1121 12:00:00.000000 1234 kubelet.go:1] {line}" for line in lines()]
    quiet = ENTRIES - 2 * len(said)

    def line(number: int) -> str:
        late = number - quiet
        return said[late // 2] if late >= 0 and number % 2 == 0 else logs.quiet(number)

    machine = node.path("/etc/machine-id").read_text().strip()
    logs.write(node.roots.root / f"{sos.JOURNAL[1:]}/{machine}/made.journal", sos.entries(machine, ENTRIES, line))
    drop_in = node.path(DROP_IN)
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text("[Journal]\n" + "".join(f"# {secret.name or 'x'}={secret.value}\n" for secret in LINES))
    words = " ".join(f"--{secret.name or 'x'}={secret.value}" for secret in IN_A_COMMAND)
    node.path(UNIT).write_text(f"[Service]\nExecStart=/bin/sh -c 'sleep 86400 & wait' x {words}\n")
    node.run("systemctl", "daemon-reload")
    node.run("systemctl", "start", "planted.service")


def texts(archive: Path) -> Iterator[str]:
    """Give the text of each file in an archive."""
    with tarfile.open(archive) as tar:
        for entry in tar:
            file = tar.extractfile(entry) if entry.isreg() else None
            if file is not None:
                yield file.read().decode("utf-8", "replace")


def held(archive: Path) -> Held:
    """Count the secrets of which a piece is left."""
    open_: dict[Secret, None] = {}
    for text in texts(archive):
        open_ |= {secret: None for secret in LINES if secret not in open_ and secret.left(text)}
    return Held(archive.stat().st_size, len(open_), sorted({secret.kind for secret in open_}))


def bundled(node: Node) -> tuple[Cost, Held]:
    """Make a bundle in the node."""
    spent = cost(node.entering(*sos.GENTLE, f"{node.program}/nodediag", "bundle", "-o", BUNDLE))
    archive = node.path(BUNDLE)
    if spent.status:
        raise SystemExit(f"nodediag bundle ended with {spent.status}: {spent.said[-1000:]}")
    marks = sum(text.count("[redacted]") for text in texts(archive))
    if marks < len(LINES) * len(KINDS_OF_LINES):
        raise SystemExit(f"the bundle has {marks} secrets masked, so not all were there to be found")
    found = held(archive)
    archive.unlink()
    return spent, found


def reported(node: Node, folder: str) -> tuple[Cost, Held, Cost, Held]:
    """Have sos report, and clean what it reported."""
    there = f"/proc/{node.pid}/root"
    more = f"mount --bind {there}/etc/systemd /etc/systemd"
    spent = cost(sos.collecting(node, folder, more), cwd=folder)
    archive = only(folder, "sosreport-*.tar.*z", spent)
    collected = held(archive)
    cleaning = cost(
        [*sos.GENTLE, "sos", "clean", "--batch", "--quiet", "--no-update", "--tmp-dir", folder, str(archive)], folder
    )
    return spent, collected, cleaning, held(only(folder, "sosreport-*-obfuscated.tar.*z", cleaning))


def only(folder: str, pattern: str, spent: Cost) -> Path:
    """Give the archive that was made."""
    found = sorted(Path(folder).glob(pattern))
    if not found:
        raise SystemExit(f"sos ended with {spent.status} and made no {pattern}: {spent.said[-1000:]}")
    return found[0]


def told(name: str, spent: Cost, result: Held) -> None:
    """Print what one tool took."""
    cost_of = f"{spent.seconds:.1f} s, processor {spent.processor_s:.1f} s, memory {spent.memory_kib / 1024:.0f} MiB"
    print(f"  {name}: {cost_of}, {result.size_bytes:,} bytes, {result.left} of {len(LINES)} secrets left")


def compared(node: Node) -> bool:
    """Measure both on one node."""
    planted(node)
    spent, bundle = bundled(node)
    with tempfile.TemporaryDirectory() as folder:
        reporting, report, cleaning, cleaned = reported(node, folder)
    if report.left < len(LINES):
        raise SystemExit(f"sos collected {report.left} of {len(LINES)} secrets, so there is nothing to compare with")
    print(f"{len(LINES)} secrets of {len({secret.kind for secret in LINES})} kinds, {ENTRIES:,} entries")
    told("nodediag bundle", spent, bundle)
    told("sos report", reporting, report)
    told("sos clean of it", cleaning, cleaned)
    seconds = spent.seconds / (reporting.seconds + cleaning.seconds)
    worked = spent.processor_s / (reporting.processor_s + cleaning.processor_s)
    size = bundle.size_bytes / cleaned.size_bytes
    print(f"  of sos with clean: time {seconds:.2f}, processor {worked:.2f}, size {size:.2f}; bar {RATIO_BAR} each")
    left = f", but left are {', '.join(bundle.kinds)}" if bundle.kinds else ""
    print(f"  bars of the bundle: memory {MEMORY_BAR_KIB // 1024} MiB, no secret left{left}")
    cheap = max(seconds, worked, size) <= RATIO_BAR and spent.memory_kib <= MEMORY_BAR_KIB
    return cheap and bundle.left == 0


if __name__ == "__main__":
    sys.exit(sos.main(compared))
