"""Measures redaction against a floor in one run: all of the text in lower case and one word counted in it.

Usage: `python benchmarks/redact.py`. The text is what nodes log and are configured by: lines of this release's
signatures as journald prints them, a kubelet's configuration and mounts, with a secret in every thousandth line.
"""

import statistics
import sys
import time
import tomllib
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import nodediag
from nodediag.redact import MARK, redact

SIGNATURES = Path(nodediag.__file__).parent / "signatures/data"
SIZE = 16 * 1024 * 1024
RUNS = 5
BAR = 14.0  # 50 MB/s where the floor does 700 MB/s
SECRETS = ("Authorization: Bearer ya29.a0AfH6SMBx1234567890", "--password=hunter22 --v=2", "https://u:hunter22@host/x")
SAID = (
    'I1121 12:00:00.{number:06} 1234 kubelet.go:2453] "SyncLoop (PLEG): event for pod" pod="default/web-{number}"',
    'I1121 12:00:00 1234 reconciler.go:224] "VerifyControllerAttachedVolume started" volume="kube-api-access-{number}"',
    'time="2026-11-21T12:00:00Z" level=info msg="StopPodSandbox for \\"{number:064x}\\" returns successfully"',
    "{number} 28 0:{number} / /var/lib/kubelet/pods/{number:032x}/volumes/kubernetes.io~projected/x rw tmpfs",
    "systemd[1]: Started cri-containerd-{number:064x}.scope - libcontainer container {number:064x}.",
    "featureGates: {{RotateKubeletServerCertificate: true}} # {number}",
    "  clientCAFile: /etc/srv/kubernetes/pki/ca-certificates.crt # {number}",
)  # fmt: skip


def text() -> bytes:
    """Make the text."""
    kept = [tomllib.loads(file.read_text()) for file in sorted(SIGNATURES.glob("*.toml"))]
    known = [sample for data in kept for signature in data["signature"] for sample in signature["samples"]]
    lines: list[str] = []
    size = number = 0
    while size < SIZE:
        number += 1
        said = known[number // 10 % len(known)] if number % 10 == 0 else SAID[number % len(SAID)].format(number=number)
        if number % 1000 == 0:
            said = SECRETS[number // 1000 % len(SECRETS)]
        lines.append(f"Nov 21 12:00:00 gke-node-{number % 7} app[{number}]: {said}\n")
        size += len(lines[-1])
    return "".join(lines).encode()


def seconds(work: Callable[[bytes], object], data: bytes) -> float:
    """Time one pass on the processor, whatever else runs beside it."""
    start = time.process_time()
    work(data)
    return time.process_time() - start


def main() -> int:
    """Print the rate and its ratio to the floor."""
    data = text()
    masked = redact(data)
    pairs = [(seconds(lambda d: d.lower().count(b"password"), data), seconds(redact, data)) for _ in range(RUNS)]
    floor, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio, size = whole / floor, len(data) / 1e6
    lines = list(islice(data.split(b"\n"), 2000))
    alone = seconds(lambda _: [redact(line) for line in lines], b"")
    print(
        f"redact: {size / whole:.0f} MB/s, {masked.count(MARK)} secrets in {size:.0f} MB; floor {size / floor:.0f} MB/s"
    )
    print(f"  ratio {ratio:.1f}, bar {BAR}; a line alone: {alone / len(lines) * 1e6:.1f} microseconds")
    return 0 if ratio <= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
