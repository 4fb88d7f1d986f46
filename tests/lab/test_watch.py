"""`nodediag watch` as the DaemonSet runs it: told of within seconds, asked over HTTP, ended, started anew."""

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.lab.daemonset import STATE, DaemonSetPod
from tests.lab.node import Node
from tests.lab.pod import Pod
from tests.lab.test_log_faults import wait_until
from tests.manifests import daemonset

Event = dict[str, object]

# journald names a line's unit by its writer's cgroup, in each hierarchy that has units, as long as the writer lives
AS_KUBELET: Final = """
for file in /sys/fs/cgroup/*/system.slice/kubelet.service/cgroup.procs; do echo $$ >$file; done
exec systemd-cat --identifier=kubelet sh -c '
  echo "$1"
  until journalctl --unit=kubelet --lines=5 --output=cat | grep -qxF -e "$1"; do sleep 0.1; done' sh "$1"
"""
UNHEALTHY: Final = "PLEG is not healthy: pleg was last seen active 5m10.1s ago; threshold is 3m0s"
PLEG: Final = ("kubelet.pleg-unhealthy", f'E1121 10:00:00.000000 1 kubelet.go:2040] "Skipping" err="{UNHEALTHY}"')
ETCD: Final = ("kubelet.etcd-out-of-space", "E1121 10:00:00.000000 1 a.go:1] etcdserver: mvcc: database space exceeded")
BORNE: Final = f"""
[[waivers]]
check = "logs.critical"
subject = "{ETCD[0]}"
owner = "the lab"
reason = "etcd is not this node's"
expires = 2099-12-31
"""
ASKED: Final = "exec 3<>/dev/tcp/127.0.0.1/9753; printf 'GET %s HTTP/1.0\\r\\n\\r\\n' \"$1\" >&3; cat <&3"
# what the shell of the node measures is not slowed by what the lab runs to ask it
ENDED: Final = """
before=$(date +%s%N)
kill -TERM {pid}
while [ -e /proc/{pid} ]; do sleep 0.01; done
echo $((($(date +%s%N) - before) / 1000000))
"""
MOST_MS: Final = 1500  # the second, and what a busy machine adds


class Watching:
    """The DaemonSet's pod, judging by the lab's profile, which bears one signature."""

    def __init__(self, pod: Pod) -> None:
        self.node = pod.node
        self.pod = DaemonSetPod(pod, daemonset("overlays/gke-cos"), "nodediag-watched")
        profile = self.node.run("cat", self.node.profile).stdout + BORNE
        self.node.run("tee", f"{self.pod.state}/ours.toml", text=profile)

    def start(self) -> None:
        self.pod.start(f"--profile={STATE}/ours.toml")

    def events(self, name: str) -> list[Event]:
        """Give what it said of one kind, in all its lives."""
        said = (json.loads(line) for line in self.pod.said() if line.startswith("{"))
        return [event for event in said if event["event"] == name]

    def wait_for(self, name: str, number: int = 1) -> list[Event]:
        wait_until(lambda: len(self.events(name)) >= number, f"{number} times {name}")
        return self.events(name)

    def began(self, signature: str) -> list[Event]:
        """Give the lines that tell of a signature."""
        return [event for event in self.events("problem_began") if subject(event) == signature]

    def wait_until_told(self, signature: str) -> None:
        wait_until(lambda: bool(self.began(signature)), f"{signature} is told")

    def ask(self, page: str) -> tuple[int, str]:
        """Ask as the kubelet's probes do, from within the pod's network."""
        there = ("nsenter", f"--target={self.pod.pid()}", "--net")
        head, _, body = self.node.run(*there, "bash", "-c", ASKED, "bash", page).stdout.partition("\n\n")
        return int(head.split()[1]), body


@pytest.fixture
def watching(sick: Node, agent_tar: Path) -> Iterator[Watching]:
    """Give one that has diagnosed a node that may be made to log anything."""
    yield from diagnosed(Watching(Pod(sick, agent_tar)))


@pytest.fixture
def calm(pod: Pod) -> Iterator[Watching]:
    """Give one that has diagnosed a healthy node."""
    yield from diagnosed(Watching(pod))


def diagnosed(one: Watching) -> Iterator[Watching]:
    try:
        one.start()
        one.wait_for("diagnosed")
        yield one
    finally:
        one.pod.remove()


def subject(event: Event) -> str:
    return str(problem(event)["subject"]["name"])  # type: ignore[index]


def problem(event: Event) -> Event:
    found = event["problem"]
    assert isinstance(found, dict)
    return found


def say(node: Node, line: str) -> None:
    """Write to the node's journal as the kubelet does."""
    node.run("sh", "-ec", AS_KUBELET, "sh", line)


def test_a_critical_line_is_told_within_ten_seconds_with_its_waiver_and_once(watching: Watching) -> None:
    for signature, line in (PLEG, ETCD):
        say(watching.node, line)
        watching.wait_until_told(signature)
    (pleg,), (etcd,) = watching.began(PLEG[0]), watching.began(ETCD[0])
    for event in (pleg, etcd):
        took = datetime.fromisoformat(str(event["time"])) - datetime.fromisoformat(str(event["began_at"]))
        assert took < timedelta(seconds=11)  # began_at is a whole second
        assert event["seen_by"] == "journal"
    assert "waiver" not in problem(pleg)
    assert problem(etcd)["waiver"] == {"owner": "the lab", "reason": "etcd is not this node's", "expires": "2099-12-31"}


def test_its_pages_answer_and_its_metrics_are_openmetrics(calm: Watching) -> None:
    assert calm.ask("/healthz") == (200, "ok\n")
    assert calm.ask("/readyz") == (200, "ok\n")
    status, metrics = calm.ask("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(metrics)}
    assert status == 200
    assert {"nodediag_verdict", "nodediag_watch_diagnoses", "nodediag_watch_journal_files"} <= families.keys()
    assert calm.pod.execute("nodediag", "watch", "--check").returncode == 0


def test_it_ends_within_a_second_and_its_restart_repeats_nothing_and_loses_nothing(watching: Watching) -> None:
    say(watching.node, PLEG[1])
    watching.wait_until_told(PLEG[0])
    took_ms = int(watching.node.run("bash", "-c", ENDED.format(pid=watching.pod.pid())).stdout)
    assert took_ms < MOST_MS
    assert watching.pod.status() == 143
    say(watching.node, ETCD[1])
    watching.start()
    watching.wait_until_told(ETCD[0])
    watching.wait_for("diagnosed", 2)
    time.sleep(6)  # more than the follower's pause
    counts = [len(watching.began(signature)) for signature, _ in (PLEG, ETCD)]
    assert counts == [1, 1]
    assert watching.events("problem_ended") == []
    told = [event["fingerprint"] for event in map(problem, watching.events("problem_began"))]
    assert len(told) == len(set(told))
