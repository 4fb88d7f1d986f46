"""A node: systemd, journald, containerd and a stand-in kubelet, in a container of their own made by systemd-nspawn."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from tests.lab.machine import LabError, Workshop, call
from tests.lab.roots import PROGRAM, Disks, Roots
from tests.lab.seen import Seen, seen

BOOT_S: Final = 90
_PATIENCE_S: Final = 15
_LET_IN: Final = tuple(  # as GKE adds to what COS sets up
    f"-A {chain} -p {protocol} -j ACCEPT"
    for chain in ("INPUT", "FORWARD", "OUTPUT")
    for protocol in ("tcp", "udp", "icmp", "sctp")
)
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


class Node:
    """A booted node."""

    def __init__(self, disks: Disks, workshop: Workshop, name: str) -> None:
        self.name = name
        self.image = image = disks.image
        self.roots = Roots(disks, workshop.folder / name)
        self.program = PROGRAM[image]
        self.profile = f"{self.program}/lab_{image}.toml"
        self._cgroup = workshop.cgroup(name)
        self._machine = f"{workshop.folder.name}-{name}"
        self._console = workshop.folder / f"{name}.console"
        self._nspawn = self._start()
        self._boot("running")

    def _boot(self, state: str) -> None:
        try:
            self.pid = self._find_pid1()
            if self.image == "cos":
                self.filter("-P INPUT DROP", "-P FORWARD DROP", "-P OUTPUT DROP", *_LET_IN)
            self._wait_until(state)
        except BaseException:
            self.stop()
            raise

    def crash(self, state: str) -> None:
        """Take its power away, boot it again, and wait until systemd is in a state, as `is-system-running` names it."""
        self._end()
        self._nspawn = self._start()
        self._boot(state)

    def _start(self) -> subprocess.Popen[bytes]:
        state = self.roots.state
        command = [
            "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", f"--directory={self.roots.root}",
            f"--machine={self._machine}", "--capability=all", "--system-call-filter=@keyring bpf", "--private-network",
            "--resolv-conf=off", "--timezone=off", "--console=pipe", "--link-journal=no",
            *((f"--bind={state}:/mnt/stateful_partition", "--read-only") if state else ()),
        ]  # fmt: skip
        environment = {**_ENVIRONMENT, "SYSTEMD_NSPAWN_TMPFS_TMP": "0"}
        with self._console.open("wb") as console:
            return subprocess.Popen(
                self._cgroup.entering(*command),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    def _find_pid1(self) -> int:
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until and self._nspawn.poll() is None:
            for pid in self._cgroup.processes():
                if _namespaced(pid) == 1 and has_own_network(pid):
                    return pid
            time.sleep(0.05)
        raise LabError(f"{self.name} did not start: {self.console()}")

    def _wait_until(self, state: str) -> None:
        until = time.monotonic() + BOOT_S
        while time.monotonic() < until and self._nspawn.poll() is None:
            said = self.run("systemctl", "is-system-running", check=False).stdout.strip()
            if said == state:
                return
            if said == "degraded":
                break
            time.sleep(0.2)
        failed = self.run("systemctl", "list-units", "--failed", "--no-legend", check=False).stdout
        jobs = self.run("systemctl", "list-jobs", check=False).stdout
        raise LabError(f"{self.name} does not run: {failed}{jobs}{self.console()}")

    def console(self) -> str:
        """Give the end of what was written to the node's console."""
        return self._console.read_text(errors="replace")[-3000:]

    def entering(self, *command: str) -> list[str]:
        """Give the command that runs another inside the node."""
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup")
        return ["nsenter", f"--target={self.pid}", *spaces, "--", *command]

    def run(
        self, *command: str, check: bool = True, timeout: float = 120, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside; raises LabError where it fails and `check` is set."""
        done = subprocess.run(
            self.entering(*command),
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            env=_ENVIRONMENT,
            check=False,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            raise LabError(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def filter(self, *rules: str) -> None:
        """Tell the node's packet filter what this machine's iptables is given; the node has no such program."""
        for rule in rules:
            call("nsenter", f"--target={self.pid}", "--net", "--", "iptables-legacy", *rule.split())

    def nodediag(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run nodediag inside, as a person who entered the node would."""
        return self.run(f"{self.program}/nodediag", *arguments, check=False, timeout=timeout)

    def report(self, *arguments: str) -> Seen:
        """Have a report made inside, judged by the lab's profile."""
        return seen(self.nodediag("report", "--profile", self.profile, *arguments))

    def path(self, inside: str) -> Path:
        """Give a path of the node as this machine names it."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def stop(self) -> None:
        """End it at once, and take down what it stood on."""
        self._end()
        self.roots.close()

    def _end(self) -> None:
        with suppress(LabError, ProcessLookupError, subprocess.TimeoutExpired):
            os.kill(self._find_pid1(), signal.SIGKILL)  # systemd-nspawn then clears what it made
            self._nspawn.wait(_PATIENCE_S)
        self._cgroup.end()
        self._nspawn.wait(_PATIENCE_S)


def has_own_network(pid: int) -> bool:
    """Whether a process has left this machine's network, as systemd-nspawn does late; before, its filter is ours."""
    try:
        return not Path(f"/proc/{pid}/ns/net").samefile("/proc/self/ns/net")
    except OSError:
        return False


def _namespaced(pid: int) -> int:
    """Give a process's id in its innermost PID namespace, 0 where it is in ours alone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                ids = line.split()[1:]
                return int(ids[-1]) if len(ids) > 1 else 0
    except OSError:
        pass
    return 0
