"""Which cgroup hierarchy the node has."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ParseError
from nodediag.facts import cgroups, mount_lists
from nodediag.facts.cgroups import CgroupMode
from nodediag.facts.mounts import Mounts
from nodediag.host.host import Line

if TYPE_CHECKING:
    from tests.conftest import MakeHost

UNIFIED = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0"
LEGACY = """\
tmpfs /sys/fs/cgroup tmpfs ro,nosuid,nodev,noexec,mode=755 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0"""
HYBRID = f"{LEGACY}\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0"
V1_FILE = """\
#subsys_name\thierarchy\tnum_cgroups\tenabled
cpuset\t3\t10\t1
cpu\t4\t10\t1
cpuacct\t4\t10\t1
memory\t0\t1\t0
odd
"""


def table(text: str) -> Mounts:
    lines = tuple(Line("/proc/mounts", number, line) for number, line in enumerate(text.split("\n"), 1))
    return mount_lists.parse_kernel(lines, "/proc/mounts")


@pytest.mark.parametrize(
    ("text", "mode", "version", "line"),
    [
        pytest.param(UNIFIED, CgroupMode.UNIFIED, 2, 1, id="unified"),
        pytest.param(LEGACY, CgroupMode.LEGACY, 1, 1, id="legacy"),
        pytest.param(HYBRID, CgroupMode.HYBRID, 1, 1, id="hybrid"),
        pytest.param("cgroup /sys/fs/cgroup cgroup rw,cpu 0 0", CgroupMode.LEGACY, 1, 1, id="all in one"),
        pytest.param("\n".join(LEGACY.split("\n")[1:]), CgroupMode.LEGACY, 1, 1, id="no tmpfs above"),
        pytest.param(f"{LEGACY}\n{UNIFIED}", CgroupMode.UNIFIED, 2, 5, id="unified on top"),
        pytest.param(
            f"{UNIFIED}\ncgroup /sys/fs/cgroup/net_cls cgroup rw 0 0", CgroupMode.UNIFIED, 2, 1, id="v1 below"
        ),
    ],
)
def test_the_mount_table_tells_the_hierarchy(
    host: "MakeHost", text: str, mode: CgroupMode, version: int, line: int
) -> None:
    found = cgroups.derive(host({}), table(text))
    assert (found.mode, found.version, found.evidence.line, found.controllers) == (mode, version, line, ())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("/dev/sda1 / ext4 rw 0 0", id="none"),
        pytest.param("tmpfs /sys/fs/cgroup tmpfs rw 0 0", id="an empty folder"),
        pytest.param(f"{LEGACY}\ntmpfs /sys/fs/cgroup tmpfs rw 0 0", id="covered"),
        pytest.param("cgroup /sys/fs/cgroups/cpu cgroup rw 0 0", id="beside it"),
        pytest.param("cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0", id="version 2 at no place of its own"),
    ],
)
def test_a_table_without_a_cgroup_file_system_does_not_tell(host: "MakeHost", text: str) -> None:
    with pytest.raises(ParseError, match="/sys/fs/cgroup"):
        cgroups.derive(host({}), table(text))


def test_controllers_are_those_that_are_enabled(host: "MakeHost") -> None:
    node = host({"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io\n", "/proc/cgroups": V1_FILE})
    assert cgroups.derive(node, table(UNIFIED)).controllers == ("cpuset", "cpu", "io")
    assert cgroups.derive(node, table(LEGACY)).controllers == ("cpuset", "cpu", "cpuacct")
