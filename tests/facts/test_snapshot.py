"""All facts in one pass, and why those are unknown that are."""

from typing import TYPE_CHECKING

import pytest

from nodediag.facts import ahead
from nodediag.facts.fact import Fact, Known, Unknown, need
from nodediag.facts.snapshot import Facts
from nodediag.host.answer import (
    Failure,
    HealthzAnswer,
    HealthzOutcome,
    MetadataAnswer,
    Process,
    Reply,
    SystemdAnswer,
    UnameAnswer,
    VfsStat,
)
from nodediag.host.ask import BUS_SOCKET, Ask
from nodediag.host.host import Host, Seen
from nodediag.model.image import Answer
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin
from tests.sockets import Socket

if TYPE_CHECKING:
    from tests.conftest import Files, MakeFacts, MakeHost

MOUNTINFO = """\
26 1 254:0 / / ro,relatime - ext2 /dev/mapper/vroot ro
27 26 8:1 /var /var rw,nosuid,nodev,noexec - ext4 /dev/sda1 rw,commit=30
31 26 0:5 / /proc rw - proc proc rw
32 26 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
"""
MOUNTS = "/dev/mapper/vroot / ext2 ro 0 0\nproc /proc proc rw 0 0\n"
LSBLK = "NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINT\nsda    8:0    0  10G  0 disk\n"
WELL: dict[str, str] = {
    "/proc/meminfo": "MemTotal: 9 kB\nMemFree: 5 kB\n",
    "/proc/sys/kernel/threads-max": "63389\n",
    "/proc/sys/kernel/pid_max": "32768\n",
    "/proc/sys/fs/file-nr": "4512\t0\t811244\n",
    "/proc/sys/fs/inotify/max_user_instances": "8192\n",
    "/proc/sys/fs/inotify/max_user_watches": "8192\n",
    "/proc/loadavg": "0.52 0.48 0.40 2/612 104127\n",
    "/proc/pressure/io": "some avg10=0.30 avg60=0.20 avg300=0.10 total=2345678\n",
    "/proc/uptime": "86400.00 160000.00\n",
    "/sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
}
CONTAINERD = "/run/containerd/containerd.sock"
NODE: dict[str, str] = {
    "/proc/1/mountinfo": MOUNTINFO,
    "/proc/1/cgroup": "0::/init.scope\n",
    "/proc/1/comm": "systemd\n",
    "/proc/cmdline": "cros_efi quiet\n",
    "/proc/stat": "btime 1700000000\nprocesses 9000\n",
    "/proc/sys/kernel/random/boot_id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301\n",
    "/proc/sys/kernel/tainted": "0\n",
    "/etc/os-release": "ID=cos\nVERSION_ID=117\n",
    "/etc/lsb-release": "CHROMEOS_RELEASE_BOARD=lakitu\n",
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/sys/class/dmi/id/product_name": "Google Compute Engine\n",
    **WELL,
    "/usr/bin/bash": "",
    "/usr/sbin/init": "",
    "/sos_commands/firewall_tables/iptables_-vnxL": "Chain INPUT (policy DROP 0 packets, 0 bytes)\n",
    "/sys/class/block/sda/uevent": "MAJOR=8\nMINOR=0\nDEVTYPE=disk\n",
    "/sys/class/block/sda3/uevent": "MAJOR=8\nMINOR=3\nDEVTYPE=partition\nPARTN=3\nPARTNAME=ROOT-A\n",
    "/sys/class/block/dm-0/dm/name": "vroot\n",
    "/sys/class/block/dm-0/slaves/sda3/uevent": "",
}
HEALTHZ = HealthzAnswer(outcome=HealthzOutcome.ANSWERED, status=200, text="ok")
DISK = {"/var": VfsStat("8:1", 100, 50, 10, 5, read_only=False)}
UNAME = UnameAnswer("Linux", "node-1", "6.6.97+", "#1", "x86_64")
GIVEN = {
    "image",
    "logs",
    "instance_data",
    "node_name",
    "node_object",
    "gke_versions",
    "package_files",
    "earlier",
    "folder_sizes",
}  # none of them read unasked
NAMES = tuple(name for name in Facts.__struct_fields__ if name not in GIVEN)
SERVER = MetadataAnswer("169.254.169.254", "Metadata Server for VM", {"instance/id": "1"}, {})
SYSTEMD = SystemdAnswer(
    socket=BUS_SOCKET, asked_us=3, uptime_us=2, version="255", state="running", initrd_us=0, userspace_us=1,
    finished_us=1, units=(), jobs=(),
)  # fmt: skip
ANSWERS: dict[str, SystemdAnswer | HealthzAnswer] = {BUS_SOCKET: SYSTEMD, "http://127.0.0.1:10248/healthz": HEALTHZ}


def fact(facts: Facts, name: str) -> Fact[object]:
    found: Fact[object] = getattr(facts, name)
    return found


def codes(facts: Facts) -> dict[str, Code]:
    pairs = ((name, fact(facts, name)) for name in NAMES)
    return {name: found.reason.code for name, found in pairs if isinstance(found, Unknown)}


def test_on_a_whole_node_every_fact_is_known(host: "MakeHost", facts: "MakeFacts") -> None:
    kubelet = Process(9, 1, "kubelet", ("kubelet",), "S", "/kubelet")
    files: Files = {**NODE, **ANSWERS, CONTAINERD: Socket()}
    found = facts(host(files, processes=(kubelet,), uname=UNAME, statvfs=DISK, metadata=SERVER))
    assert codes(found) == {}
    assert found.blind_spots() == ()
    assert need(found.host_view).node is Answer.YES
    assert need(found.cgroups).version == 2


def test_what_a_running_node_lacks_is_absent_and_no_blind_spot(host: "MakeHost", facts: "MakeFacts") -> None:
    found = facts(host({}, uname=UNAME))
    assert codes(found) == dict.fromkeys(
        (
            "os_release",
            "lsb_release",
            "cmdline",
            "machine",
            "boot",
            "mounts",
            "partitions",
            "root_slot",
            "disks",
            "storage",
            "pids",
            "file_handles",
            "inotify",
            "kubepods",
            "healthz",
            "memory",
            "load",
            "cgroups",
            "units",
            "software",
            "packet_filter",
            "cri",
            "counters",
        ),
        Code.ABSENT,
    ) | {"metadata": Code.NOT_ASKED}  # no firmware says that this is Compute Engine
    assert found.blind_spots() == ()
    assert not need(found.containerd_config).present
    assert not need(found.packages).manager
    assert need(found.host_view).node is Answer.UNKNOWN


def test_what_a_capture_lacks_was_not_captured_and_is_a_blind_spot(host: "MakeHost", facts: "MakeFacts") -> None:
    found = facts(host({}, missing=Code.NOT_CAPTURED))
    unknown = [
        name
        for name in NAMES
        if name not in {"host_view", "kubelet", "processes", "stray_processes", "runtime_programs", "shims"}
    ]  # the host of tests lists no processes
    captured = {"healthz": Code.ABSENT}
    assert codes(found) == dict.fromkeys(unknown, Code.NOT_CAPTURED) | captured
    assert {spot.what for spot in found.blind_spots()} == set(unknown) - set(captured)


def test_in_a_container_only_what_all_containers_share_is_known(host: "MakeHost", facts: "MakeFacts") -> None:
    pod = MOUNTINFO.replace("ext2 /dev/mapper/vroot", "overlay overlay")
    found = facts(host({**NODE, "/proc/1/mountinfo": pod}, uname=UNAME))
    hidden = (
        "os_release lsb_release machine hostname instance mounts root_slot disks memory pressure load processes cgroups"
        " kubelet pids file_handles inotify conntrack kubepods units unit_files journald journal_use"
        " shims runtime_sockets cri containerd_config cni snapshotter storage software toolbox cloud_init"
        " kubelet_certificates kubelet_files healthz packet_filter update_engine stray_processes runtime_programs apt"
        " sysctls counters"
    )
    assert codes(found) == dict.fromkeys((*hidden.split(), "packages", "metadata"), Code.OTHER_NAMESPACE)
    assert need(found.cmdline).has("cros_efi")
    assert need(found.host_view).node is Answer.NO


def test_one_fact_that_fails_leaves_the_others_whole(host: "MakeHost", facts: "MakeFacts") -> None:
    garbled = {"/proc/1/mountinfo": "garbled\n", "/etc/machine-id": "short\n", "/proc/stat": "", "/etc/os-release": ""}
    refused = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))
    found = facts(
        host({**NODE, **garbled, "/proc/cmdline": refused, BUS_SOCKET: SYSTEMD, CONTAINERD: Socket()}, uname=UNAME)
    )
    assert codes(found) == {
        "mounts": Code.UNPARSABLE,
        "root_slot": Code.UNPARSABLE,
        "disks": Code.UNPARSABLE,
        "storage": Code.UNPARSABLE,
        "cgroups": Code.UNPARSABLE,
        "kubepods": Code.UNPARSABLE,
        "machine": Code.UNPARSABLE,
        "boot": Code.UNPARSABLE,
        "os_release": Code.UNPARSABLE,
        "cmdline": Code.NOT_PERMITTED,
        "metadata": Code.ABSENT,
        "healthz": Code.ABSENT,
    }


def test_other_lists_count_where_the_kernels_own_were_not_captured(host: "MakeHost", facts: "MakeFacts") -> None:
    lists = {"/proc/mounts": MOUNTS, "/sos_commands/block/lsblk": LSBLK}
    found = facts(host({**lists}, missing=Code.NOT_CAPTURED))
    assert need(found.mounts).path == "/proc/mounts"
    assert need(found.partitions).devices[0].evidence is not None
    both = facts(host({**NODE, **lists}, missing=Code.NOT_CAPTURED))
    assert need(both.mounts).path == "/proc/1/mountinfo"
    assert need(both.partitions).named("sda") is not None
    assert need(both.root_slot).labels == ("ROOT-A",)


def test_on_a_running_node_a_list_never_stands_for_the_kernels_own(host: "MakeHost", facts: "MakeFacts") -> None:
    found = facts(host({"/proc/mounts": MOUNTS}))
    assert codes(found)["mounts"] is Code.ABSENT


def test_a_list_that_is_garbled_says_so(host: "MakeHost", facts: "MakeFacts") -> None:
    found = facts(host({"/proc/mounts": "garbled"}, missing=Code.NOT_CAPTURED))
    assert codes(found)["mounts"] is Code.UNPARSABLE


@pytest.mark.parametrize(
    ("mounts", "code"),
    [
        pytest.param(MOUNTS, Code.ABSENT, id="a whole table has none"),
        pytest.param(MOUNTS + "garbled\n", Code.NOT_CAPTURED, id="one line could not be read"),
        pytest.param("/dev/sda1 / ext4 rw 0 0\n", Code.NOT_CAPTURED, id="a part of a table"),
    ],
)
def test_no_cgroup_file_system_is_absence_only_in_a_whole_table(
    host: "MakeHost", facts: "MakeFacts", mounts: str, code: Code
) -> None:
    found = facts(host({"/proc/mounts": mounts}, missing=Code.NOT_CAPTURED))
    assert codes(found)["cgroups"] is code


def test_cloud_shell_without_a_mount_table_is_a_container(host: "MakeHost", facts: "MakeFacts") -> None:
    files = {
        "/proc/cmdline": 'cros_efi "dm=1 vroot none ro 1,0 8 verity payload=PARTUUID=A"',
        "/etc/os-release": "ID=debian",
    }
    found = facts(host({**files}, missing=Code.NOT_CAPTURED))
    assert codes(found)["os_release"] is Code.OTHER_NAMESPACE
    assert codes(found)["mounts"] is Code.OTHER_NAMESPACE
    assert isinstance(found.cmdline, Known)


class Noted:
    """A host that notes what it is asked."""

    def __init__(self, host: "Host") -> None:
        self._host = host
        self.asked: set[Ask] = set()

    def answer(self, ask: Ask) -> Reply:
        self.asked.add(ask)
        return self._host._source.answer(ask)  # noqa: SLF001 - a test's own host


def test_what_is_asked_ahead_is_asked(host: "MakeHost", facts: "MakeFacts") -> None:
    noted = Noted(host({**NODE}, uname=UNAME))
    facts(Host(noted, Seen(origin=Origin.LIVE, root="/", uid=0)))
    assert set(ahead.ASKS) - noted.asked == set()


def test_facts_that_were_not_asked_for_say_so() -> None:
    assert codes(Facts()) == dict.fromkeys(NAMES, Code.NOT_ASKED)
