"""A small node with a journal that grows, and the program that watches it."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

REMOTE = "/lib/systemd/systemd-journal-remote"
BOOT, MACHINE = "a" * 32, "b" * 32
Event = dict[str, object]


class Node:
    """A node's root: a few files, and a journal to which entries are added as they happen."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = root / "var/log/journal" / MACHINE
        for folder in (self.journal, root / "etc", root / "proc/1"):
            folder.mkdir(parents=True)
        (root / "etc/os-release").write_text("ID=cos\nVERSION_ID=121\n")
        self.root_is("ro")
        self._entries = 0

    def root_is(self, options: str) -> None:
        """Mount the node's root with these options."""
        rows = [
            f"20 1 253:0 / / {options},relatime - ext2 /dev/mapper/vroot {options}",
            "21 20 0:5 / /proc rw - proc proc rw",
        ]
        (self.root / "proc/1/mountinfo").write_text("\n".join(rows) + "\n")

    def log(self, *messages: str, unit: str = "kubelet.service", ahead_s: float = 0) -> None:
        """Add entries to the journal, as of now or as a clock that runs ahead has it."""
        if not Path(REMOTE).exists():
            pytest.skip("systemd-journal-remote is not installed, so no journal can be made")
        whose = "_TRANSPORT=kernel" if unit == "kernel" else f"_TRANSPORT=stdout\n_SYSTEMD_UNIT={unit}"
        export = ""
        for message in messages:
            self._entries += 1
            export += (
                f"__REALTIME_TIMESTAMP={int((time.time() + ahead_s) * 1e6)}\n"
                f"__MONOTONIC_TIMESTAMP={self._entries * 1000}\n"
                f"_BOOT_ID={BOOT}\n_MACHINE_ID={MACHINE}\nPRIORITY=6\n{whose}\nMESSAGE={message}\n\n"
            )
        command = [REMOTE, "-o", str(self.journal / "system.journal"), "--split-mode=none", "--compress=no", "-"]
        subprocess.run(command, input=export.encode(), check=True, capture_output=True)

    def rotate(self) -> None:
        """Put the file aside, as journald does."""
        (self.journal / "system.journal").rename(self.journal / f"system@{self._entries:04}.journal")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A node without faults that this image's profile calls critical but for what a test makes."""
    return Node(tmp_path / "node")


class Watched:
    """A `nodediag watch` that runs."""

    def __init__(self, node: Node, *options: str, stdout: int = subprocess.PIPE) -> None:
        checks = ("--only", "mounts.root-read-only,logs.critical")
        command = [sys.executable, "-I", "-m", "nodediag", "watch", "--root", str(node.root), *checks, *options]
        self.process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE)
        self._events: list[Event] = []
        self._rest: dict[int, bytes] = {}
        self._selector = selectors.DefaultSelector()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                self._selector.register(stream, selectors.EVENT_READ)

    def _read(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fileobj)
            *lines, self._rest[key.fd] = (self._rest.get(key.fd, b"") + data).split(b"\n")
            self._events += [json.loads(line) for line in lines if line.startswith(b"{")]

    def events(self, *, after_s: float = 0) -> list[Event]:
        """Give all that was said so far on both streams, after a while."""
        until = time.monotonic() + after_s
        while (left := until - time.monotonic()) > 0 and self._selector.get_map():
            self._read(left)
        self._read(0)
        return self._events

    def wait_for(self, name: str, number: int = 1, within_s: float = 40) -> Event:
        """Wait until it has said something so often, and give the last."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            found = [event for event in self.events() if event["event"] == name]
            if len(found) >= number:
                return found[number - 1]
            self._read(0.1)
            if not self._selector.get_map():
                time.sleep(0.05)
        raise AssertionError(f"{number} x {name} was not said within {within_s} s but {self._events}")

    def get(self, path: str) -> tuple[int, str]:
        """Ask where it listens."""
        address = self.wait_for("listening")["address"]
        try:
            with urlopen(f"http://{address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def end(self, number: int = signal.SIGTERM) -> float:
        """End it, and give how long that took; what it said stays."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=30)
        took = time.monotonic() - start
        self.events()
        return took

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        self._selector.close()


class Watch(Protocol):
    """Starts to watch the node."""

    def __call__(self, *options: str, stdout: int = ...) -> Watched: ...


@pytest.fixture
def watch(node: Node) -> Iterator[Watch]:
    """Start to watch the node; it has ended when the test has."""
    started: list[Watched] = []

    def start(*options: str, stdout: int = subprocess.PIPE) -> Watched:
        started.append(Watched(node, "--listen", "127.0.0.1:0", *options, stdout=stdout))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
