"""Whole reports to look at: a healthy node, one on which much is broken, and one that is hostile."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import pytest

from nodediag.diagnose import diagnose
from nodediag.facts.snapshot import Facts
from nodediag.model.report import Report
from nodediag.model.request import Request
from tests.conftest import MakeHost
from tests.scenarios.made import made
from tests.scenarios.story import Node, resolved
from tests.scenarios.test_scenarios import CATALOGUE
from tests.scenarios.told import inputs_of, told

BREAKOUT: Final = (
    "\x1b[31m</code></pre></details><script>document.title='owned'</script><img src=x onerror=alert(1)>"
    "<style>body{display:none}</style><svg onload=alert(2)> --> ``` ```` | @octocat #1 [x](https://example.org)"
    " \u202egnp.exe\u2066 {{7*7}} ${7*7} <meta http-equiv=refresh content=0;url=https://example.org> &lt;b&gt; '\"`"
)
KUBELET: Final = "kubelet.service"
KLOG: Final = "1121 11:30:00.000000    1234 kubelet.go:2040]"
PLEG: Final = f'E{KLOG} "Skipping pod synchronization" err="PLEG is not healthy: pleg was last seen active 3m5s ago'
JOURNAL: Final = [
    f'2026-11-21T05:10:00Z {KUBELET} I{KLOG} "Starting kubelet main sync loop"',
    '2026-11-21T06:00:00Z containerd.service time="2026-11-21T06:00:00Z" level=info msg="started"',
    "2026-11-21T06:10:00Z kernel eth0: link up",
]
FAILURES: Final = [
    "2026-11-21T07:00:00Z kernel EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm kubelet: reading",
    "2026-11-21T07:00:01Z kernel EXT4-fs (sda1): Remounting filesystem read-only",
    "2026-11-21T09:30:00Z kernel Memory cgroup out of memory: Killed process 4242 (java) total-vm:1kB, anon-rss:1kB",
    f'2026-11-21T11:30:00Z {KUBELET} {PLEG}; threshold is 3m0s"',
    f'2026-11-21T11:31:00Z {KUBELET} W{KLOG} "odd thing" count=3',
    f'2026-11-21T11:40:00Z {KUBELET} E{KLOG} "Something nobody knows" err="x"',
    '2026-11-21T11:50:00Z containerd.service time="2026-11-21T11:50:00Z" level=error msg="unheard of" id=4711',
]
BROKEN: Final = Node(
    base="cos_containerd",
    mount=[
        "/dev/mapper/vroot / ext2 rw,relatime",
        "/dev/sda1[/var] /var ext4 ro,nosuid,nodev,noexec,relatime,commit=30",
        "/dev/sda1[/var/lib/docker] /var/lib/docker ext4 rw,nosuid,nodev,noexec,relatime,commit=30",
    ],
    mount_on_top=["/dev/sda1 /tmp ext4 rw,nosuid,nodev,noexec,relatime", "/dev/sdb /home/ubuntu ext4 rw,relatime"],
    space={"/mnt/stateful_partition": "100000000000 1000000000 6000000 3000"},
    journal=[*JOURNAL, *FAILURES],
)
HOSTILE: Final = Node(
    base="cos_containerd",
    mount_on_top=[f"/dev/sdb /home/{'x' * 40}<script>alert(3)</script>`@octocat`-->\u202e ext4 rw,relatime"],
    files={"/etc/hostname": "<script>alert(4)</script>\n"},
    journal=[
        *JOURNAL,
        *(f'2026-11-21T11:{minute}:00Z {KUBELET} {PLEG}; threshold is 3m0s {BREAKOUT}"' for minute in range(30, 34)),
        f"2026-11-21T11:40:00Z </text><script>alert(5)</script>.service level=error msg={BREAKOUT}",
        f'2026-11-21T11:41:00Z {KUBELET} E{KLOG} "{BREAKOUT}"',
    ],
)
NODES: Final = {"healthy": Node(base="cos_containerd", journal=JOURNAL), "broken": BROKEN, "hostile": HOSTILE}

MakeDiagnosis = Callable[[Node], Report[Facts]]
MakeReport = Callable[[str], Report[Facts]]


@pytest.fixture
def diagnosed(host: MakeHost, now: datetime) -> MakeDiagnosis:
    """Diagnose a node of a story."""

    def report(node: Node) -> Report[Facts]:
        node = resolved(node)
        request = Request(logs=node.journal is not None)
        return diagnose(made(node, host, now), told(node.journal, now), CATALOGUE, request, now, inputs=inputs_of(node))

    return report


@pytest.fixture
def report_of(diagnosed: MakeDiagnosis) -> MakeReport:
    """Diagnose one of the nodes above, by its name."""
    return lambda name: diagnosed(NODES[name])
