"""Measures reading and matching of a journal against a loop that only fetches the same fields, and against grep.

The journals are made here: 400,000 entries of a quiet kubelet and containerd, and a storm in which every line is a
failure of another pod. Needs systemd-journal-remote. Ends with 1 when a bar is missed.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from measure import peak_kib
from nodediag.host import journal_files, package
from nodediag.journal.journal import Query
from nodediag.journal.native import NativeJournal
from nodediag.logs.matcher import Matcher
from nodediag.logs.scan import Scan
from nodediag.signatures.load import merge

REMOTE = "/lib/systemd/systemd-journal-remote"
ENTRIES = 400_000
UNITS = ("kubelet.service", "containerd.service")
QUERY = Query(units=UNITS, since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2030, 1, 1, tzinfo=UTC))
FLOOR_BAR = 0.5
GREP_BAR = 5.0
MEMORY_BAR_KIB = 64 * 1024
FLAT_BAR = 1.1
START_US = 1_763_700_000_000_000


def quiet(number: int) -> str:
    """Give a line as healthy nodes print it by the thousand."""
    if number % 2:
        return (
            f'time="2025-11-21T12:00:00.{number % 1000000:06d}Z" level=info msg="StopPodSandbox for {number:064x} ok"'
        )
    return (
        f"I1121 12:00:00.{number % 1000000:06d}    1234 reconciler_common.go:{number % 900}] "
        f'"operationExecutor.VerifyControllerAttachedVolume started for volume \\"kube-api-access-{number}\\" '
        f'(UniqueName: \\"kubernetes.io/projected/{number:08x}\\") pod=\\"default/pod-{number % 500}\\""'
    )


def storm(number: int) -> str:
    """Give a line that is a failure, each of another pod or container."""
    time = f"12:00:00.{number % 1000000:06d}"
    if number % 2:
        sandbox = f"{number * 2654435761 % 2**64:016x}" * 4
        return (
            f'time="2025-11-21T{time}Z" level=error '
            f'msg="StopPodSandbox for \\"{sandbox}\\" failed" error="rpc error: '
            f'code = Unknown desc = failed to destroy network for sandbox \\"{sandbox}\\": plugin type=\\"calico\\" '
            'failed (delete): error getting ClusterInformation: connection is unauthorized: Unauthorized"'
        )
    uid = f"{number * 2654435761 % 2**32:08x}-1a2b-4c3d-8e9f-{number:012x}"
    return (
        f'E1121 {time}    1234 pod_workers.go:1300] "Error syncing pod, skipping" '
        'err="failed to \\"StartContainer\\" for \\"app\\" with CrashLoopBackOff: \\"back-off 5m0s restarting failed '
        f'container=app pod=app-{number % 97}_default({uid})\\"" pod="default/app-{number % 97}" podUID="{uid}"'
    )


def exported(count: int, line: Callable[[int], str]) -> Iterator[bytes]:
    """Write entries in the Journal Export Format."""
    for number in range(count):
        unit = UNITS[number % 2]
        yield (
            f"__REALTIME_TIMESTAMP={START_US + number * 1000}\n__MONOTONIC_TIMESTAMP={number + 1}\n"
            f"_BOOT_ID={'a' * 32}\n_MACHINE_ID={'b' * 32}\nPRIORITY=6\n_PID=1234\n_TRANSPORT=stdout\n"
            f"_SYSTEMD_UNIT={unit}\nSYSLOG_IDENTIFIER={unit.partition('.')[0]}\nMESSAGE={line(number)}\n\n"
        ).encode()


def made(folder: str, name: str, count: int, line: Callable[[int], str]) -> str:
    """Make a node's root with such a journal."""
    journal = Path(folder, name, "var/log/journal", "b" * 32)
    journal.mkdir(parents=True)
    write(journal / "system.journal", exported(count, line))
    return str(Path(folder, name))


def write(file: Path, entries: Iterator[bytes]) -> None:
    """Make a journal file of entries in the Journal Export Format, or several: it is rotated as it grows."""
    command = [REMOTE, "-o", str(file), "--split-mode=none", "--compress=no", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        if process.stdin is not None:
            for entry in entries:
                process.stdin.write(entry)
            process.stdin.close()


def fetched(root: str) -> float:
    """Give entries a second of a loop that only fetches: the floor."""
    journal = NativeJournal(journal_files.find(root))
    count, start = 0, time.perf_counter()
    for unit in UNITS:
        reader = journal._opened(unit, 0)  # noqa: SLF001 - the same matches on the same files
        following, field, clock = reader._next, reader._get, reader._get_realtime  # noqa: SLF001 - as journal/native.py
        while following():
            clock()
            field("MESSAGE")
            field("PRIORITY")
            count += 1
    return count / (time.perf_counter() - start)


def scanned(root: str, matcher: Matcher) -> float:
    """Give entries a second of reading, levels and matching."""
    start = time.perf_counter()
    result = Scan(matcher).run(NativeJournal(journal_files.find(root)), QUERY).result
    return result.entries / (time.perf_counter() - start)


def piped(root: str, form: str) -> float:
    """Give entries a second of `journalctl | grep -E` with a handful of words."""
    command = f"journalctl -D {root}/var/log/journal -o {form} --no-pager | grep -cE 'PLEG is not healthy|OOM|evict'"
    start = time.perf_counter()
    subprocess.run(command, shell=True, stdout=subprocess.DEVNULL, check=False)
    return ENTRIES / (time.perf_counter() - start)


def main() -> int:
    """Run all; the exit status says whether every bar was held."""
    if not Path(REMOTE).exists():
        print("not measured: systemd-journal-remote, which makes the journals, is not installed")
        return 0
    matcher = Matcher(merge(package.texts("signatures/data")))
    held = True
    with tempfile.TemporaryDirectory() as folder:
        roots = {
            "quiet": made(folder, "quiet", ENTRIES, quiet),
            "storm": made(folder, "storm", ENTRIES, storm),
            "tenth": made(folder, "tenth", ENTRIES // 10, quiet),
        }
        for name in ("quiet", "storm"):
            pairs = [(fetched(roots[name]), scanned(roots[name], matcher)) for _ in range(3)]
            floor, ours = sorted(pairs, key=lambda pair: pair[1] / pair[0])[1]
            print(
                f"{name}: {ours:,.0f} entries/s; fetching alone {floor:,.0f}; ratio {ours / floor:.2f}, bar {FLOOR_BAR}"
            )
            held = held and ours >= FLOOR_BAR * floor
        rows = [
            (scanned(roots["quiet"], matcher), piped(roots["quiet"], "json"), piped(roots["quiet"], "cat"))
            for _ in range(3)
        ]
        ours, json, cat = sorted(rows, key=lambda row: row[0] / row[1])[1]
        print(
            f"{ours / json:.1f} times `journalctl -o json | grep -E`, bar {GREP_BAR}; {ours / cat:.1f} times `-o cat`"
        )
        held = held and ours >= GREP_BAR * json
        verb = [sys.executable, "-I", "-m", "nodediag", "logs", "--since", "3650d", "--root"]
        small, large = peak_kib([*verb, roots["tenth"]]), peak_kib([*verb, roots["quiet"]])
        print(f"anonymous memory: {small / 1024:.1f} MiB, with ten times the journal {large / 1024:.1f} MiB, bar 64")
        held = held and large <= MEMORY_BAR_KIB and large <= FLAT_BAR * small
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
