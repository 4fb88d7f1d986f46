"""Facts made by hand: those of a healthy node with cos_containerd, of which a test replaces what it is about."""

from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
import pytest

from nodediag.facts import cmdline, mounts, os_release, runtime, units
from nodediag.facts.apt import Apt
from nodediag.facts.boot import Boot
from nodediag.facts.cgroups import CgroupMode, Cgroups
from nodediag.facts.cloud_init import CloudInit, CloudInitState
from nodediag.facts.cni import Cni, CniProgram, Folder
from nodediag.facts.conntrack import Conntrack
from nodediag.facts.counters import Table as Counted
from nodediag.facts.cri import CriStatus
from nodediag.facts.disks import Disks, FileSystem
from nodediag.facts.fact import Fact, Known, Unknown
from nodediag.facts.file_handles import FileHandles
from nodediag.facts.gke_versions import GkeVersions, MapEntry
from nodediag.facts.healthz import Healthz
from nodediag.facts.host_view import HostView
from nodediag.facts.inotify import Inotify
from nodediag.facts.instance_data import InstanceData
from nodediag.facts.journal_use import JournalUse
from nodediag.facts.journald import Journald
from nodediag.facts.kernel import Kernel
from nodediag.facts.kubelet import EndpointFrom, Kubelet
from nodediag.facts.kubelet_certificates import Held, KubeletCertificates, Role
from nodediag.facts.kubelet_config import Told
from nodediag.facts.kubelet_files import KubeletFile, KubeletFiles, Role as FileRole
from nodediag.facts.kubelet_settings import Settings
from nodediag.facts.kubepods import Kubepods
from nodediag.facts.load import Load
from nodediag.facts.machine import Machine
from nodediag.facts.memory import Memory
from nodediag.facts.modules import Modules
from nodediag.facts.mounts import Mounts
from nodediag.facts.node_object import NodeCondition, NodeObject
from nodediag.facts.packages import Packages
from nodediag.facts.packet_filter import ChainPolicy, PacketFilter
from nodediag.facts.partitions import BlockDevice, Partitions
from nodediag.facts.pids import Limit, Pids
from nodediag.facts.pressure import Pressure, Stall
from nodediag.facts.processes import Processes
from nodediag.facts.root_slot import RootSlot
from nodediag.facts.runtime_programs import RuntimeProgram, RuntimePrograms
from nodediag.facts.runtime_sockets import RuntimeSocket, RuntimeSockets, SocketState
from nodediag.facts.shims import Shims
from nodediag.facts.snapshot import Facts
from nodediag.facts.snapshotter import Snapshotter
from nodediag.facts.software import Software
from nodediag.facts.storage import KINDS, KernelCan, Storage, Support, Uses, Volume
from nodediag.facts.stray_processes import Stray, StrayProcesses
from nodediag.facts.sysctls import Sysctls
from nodediag.facts.toolbox import Toolbox
from nodediag.facts.unit_files import UnitFile, UnitFiles
from nodediag.facts.units import Units
from nodediag.facts.update_engine import EngineState, UpdateEngine
from nodediag.host.answer import Certificate, HealthzOutcome, PathType, SystemdAnswer
from nodediag.host.answer_parts import UnitState
from nodediag.host.ask import BUS_SOCKET
from nodediag.host.host import Line
from nodediag.model.evidence import (
    FileEvidence,
    HttpEvidence,
    PathEvidence,
    ProcessEvidence,
    StatvfsEvidence,
    UnameEvidence,
)
from nodediag.model.image import Answer, Image, ImageType, OsFamily, RuntimeName
from nodediag.model.logs import LogFile, LogResult
from nodediag.model.reason import Code, Reason
from nodediag.profiles import issues
from nodediag.profiles.load import Catalogue, builtin
from nodediag.profiles.profile import Profile
from tests.checks.looks import AT_REST, BETWEEN_S, look
from tests.sockets import READY

ROWS: Final = """
/dev/mapper/vroot 254:0 / ext2 ro,relatime
proc 0:5 /proc proc rw,nosuid,nodev,noexec
tmpfs 0:20 /run tmpfs rw,nosuid,nodev
cgroup2 0:21 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec
tmpfs 0:22 /tmp tmpfs rw,nosuid,nodev,noexec
overlayfs 0:23 /etc overlay rw,lowerdir=/etc,upperdir=/tmp/etc_overlay/etc,workdir=/tmp/etc_overlay/.work
tmpfs 0:24 /mnt/disks tmpfs rw
/dev/sda8 8:8 /usr/share/oem ext4 ro,nosuid,nodev,noexec
/dev/sda1 8:1 /mnt/stateful_partition ext4 rw,nosuid,nodev,noexec
/dev/sda1 8:1 /home ext4 rw,nosuid,nodev,noexec
/dev/sda1 8:1 /var ext4 rw,nosuid,nodev,noexec
tmpfs 0:25 /var/lib/cloud tmpfs rw,nosuid,nodev
/dev/sda1 8:1 /var/lib/containerd ext4 rw,nosuid,nodev
/dev/sda1 8:1 /var/lib/docker ext4 rw,nosuid,nodev
/dev/sda1 8:1 /var/lib/google ext4 rw,nosuid,nodev
/dev/sda1 8:1 /var/lib/toolbox ext4 rw,nodev
/dev/sda1 8:1 /var/lib/kubelet ext4 rw
/dev/sda1 8:1 /home/kubernetes/bin ext4 rw,nosuid,nodev
"""
CMDLINE: Final = (
    'cros_efi root=/dev/dm-0 "dm-mod.create=vroot,,,ro,0 1 verity 0 PARTUUID=AA PARTUUID=AA 4096 4096 1 1 sha256 c 4"'
)
KERNEL: Final = Kernel(
    release="6.6.97+", version="#1", machine="x86_64", taints=(), taints_known=True,
    evidence=UnameEvidence(text="Linux 6.6.97+"),
)  # fmt: skip
CGROUPS: Final = Cgroups(
    mode=CgroupMode.UNIFIED, version=2, controllers=(),
    evidence=FileEvidence(path=mounts.PATH, line=4, text="cgroup2"),
)  # fmt: skip
RESERVED: Final = Told(value="1Gi", by="kubeReserved", evidence=FileEvidence(path="/k", line=2, text="memory: 1Gi"))
KUBELET: Final = Kubelet(
    running=True, pids=(7,), endpoint="unix:///run/containerd/containerd.sock", endpoint_from=EndpointFrom.FLAG,
    settings=Settings(reserved={"kubeReserved.memory": RESERVED}), state_folder=True,
    cgroup_driver="systemd", version="v1.34.0-gke.1662000",
    flags={"config": "/k", "version": "v1.34.0-gke.1662000", "node-labels": "cloud.google.com/gke-nodepool=p"},
    evidence=(ProcessEvidence(pid=7, name="kubelet", text="kubelet"),),
)  # fmt: skip
MEMORY: Final = Memory(
    total_bytes=8 << 30, free_bytes=4 << 30, available_bytes=6 << 30, beyond_working_set_bytes=5 << 30,
    swap_total_bytes=0, swap_free_bytes=0,
    evidence={
        name: FileEvidence(path="/proc/meminfo", line=line, text=name)
        for line, name in enumerate(("MemTotal", "MemFree", "MemAvailable", "Inactive(file)", "SwapTotal"), 1)
    },
)  # fmt: skip
LOAD: Final = Load(
    avg1=1.0, avg5=1.0, avg15=1.0, running=1, threads=600, cpus=2,
    evidence=FileEvidence(path="/proc/loadavg", line=1, text="1.00 1.00 1.00 1/600 9"),
)  # fmt: skip
KUBEPODS: Final = Kubepods(
    path="/sys/fs/cgroup/kubepods.slice", pids=500, pids_max=30_000, working_set_bytes=1 << 30, cgroups=300, dying=20,
    evidence={
        name: FileEvidence(path=f"/sys/fs/cgroup/{name}", line=1, text=name)
        for name in ("pids.current", "pids.max", "memory", "nr_descendants", "nr_dying_descendants")
    },
)  # fmt: skip
WHOLE: Final = BlockDevice(
    name="sda", kind="disk", device="8:0", evidence=PathEvidence(path="/sys/class/block/sda", type="link")
)  # fmt: skip
IDLE: Final = Volume(kernel=Known(KernelCan(support=Support.MODULE)), in_use=Known(Uses(uses=(), total=0)))
STORAGE: Final = Storage(volumes=dict.fromkeys(KINDS, IDLE))
CALM: Final = ("cpu some", "memory some", "memory full", "io some", "io full")
CONTAINERD: Final = RuntimeProgram(
    name="containerd", path="/usr/bin/containerd", replaced=False,
    evidence=ProcessEvidence(pid=700, name="containerd", text="/usr/bin/containerd"),
)  # fmt: skip
STRAY: Final = Stray(
    pid=1234, program="/home/kubernetes/bin/kubelet",
    evidence=ProcessEvidence(pid=1234, name="kubelet", text="/home/kubernetes/bin/kubelet"),
)  # fmt: skip
CONFIG: Final = """version = 2
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/home/kubernetes/bin"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = true
"""
FOLDER: Final = PathEvidence(path="/etc/cni/net.d", type="directory")
CNI: Final = Cni(
    conf_dir=Folder(path="/etc/cni/net.d", there=True, evidence=FOLDER),
    bin_dirs=(Folder(path="/home/kubernetes/bin", there=True, evidence=FOLDER),),
    configurations=("10-gke-ptp.conflist",),
    programs=(
        CniProgram(
            name="ptp", path="/home/kubernetes/bin/ptp", executable=True,
            evidence=PathEvidence(path="/home/kubernetes/bin/ptp", type="file", mode="0755"),
        ),
    ),
    evidence=FileEvidence(path="/etc/cni/net.d/10-gke-ptp.conflist", line=0, text="ptp"),
)  # fmt: skip
SNAPSHOTTER: Final = Snapshotter(
    name="overlayfs", path="/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs", wanted=PathType.DIRECTORY,
    there=True, evidence=PathEvidence(path="/var/lib/containerd", type="directory"),
)  # fmt: skip
SOCKET: Final = RuntimeSocket(
    path="/run/containerd/containerd.sock", runtime=RuntimeName.CONTAINERD, state=SocketState.ANSWERS,
    evidence=PathEvidence(path="/run/containerd/containerd.sock", type="socket", mode="0660"),
)  # fmt: skip
ADDED: Final = {
    "cri": CriStatus(path=SOCKET.path, answer=msgspec.structs.replace(READY, version="2.0.6")),
    "shims": Shims(total=12, left=(), left_total=0),
    "runtime_sockets": RuntimeSockets(sockets=(SOCKET,), endpoint=SOCKET.path),
    "containerd_config": runtime.parse(CONFIG),
    "cni": CNI,
    "snapshotter": SNAPSHOTTER,
    "software": Software(managers=()),
    "toolbox": Toolbox(
        present=True, image="gcr.io/cos-cloud/toolbox", tag="v1",
        evidence=PathEvidence(path="/usr/bin/toolbox", type="file"),
    ),
    "cloud_init": CloudInit(state=CloudInitState.DONE),
    "modules": Modules(
        loaded=9, tainting=(), tainting_total=0,
        enforced=FileEvidence(path="/sys/module/module/parameters/sig_enforce", line=1, text="Y"),
        lsm=FileEvidence(path="/sys/kernel/security/lsm", line=1, text="capability,loadpin,yama"),
    ),
    "packet_filter": PacketFilter(
        policies=(ChainPolicy(chain="INPUT", policy="DROP", evidence=FileEvidence(path="/i", line=1, text="Chain")),)
    ),
    "update_engine": UpdateEngine(
        state=EngineState.OFF, evidence=(PathEvidence(path="/usr/sbin/update_engine", type="file"),)
    ),
    "stray_processes": StrayProcesses(processes=(STRAY,), total=1),
    "runtime_programs": RuntimePrograms(programs=(CONTAINERD,)),
    "packages": Packages(manager=False, installed=()),
    "apt": Apt(present=False),
    "sysctls": Sysctls(snapshot=True, compared=20),
}  # fmt: skip
CLIENT: Final = Certificate(
    subject="O=system:nodes,CN=system:node:gke-a", issuer="CN=ca", serial="01", key="EC P-256", authority=False,
    not_before=datetime(2026, 11, 1, tzinfo=UTC), not_after=datetime(2027, 11, 1, tzinfo=UTC),
)  # fmt: skip
CERTIFICATES: Final = KubeletCertificates(
    held=(Held(role=Role.CLIENT, path="/c.pem", rotates=True, certificates=(CLIENT,)),)
)
FILES: Final = KubeletFiles(
    files=(KubeletFile(role=FileRole.KUBECONFIG, path="/var/lib/kubelet/kubeconfig", owner="0:0", mode="0600"),)
)
IMAGE: Final = Image(
    os_family=OsFamily.COS, gke=Answer.YES, gce=Answer.YES, runtime=RuntimeName.CONTAINERD,
    image_type=ImageType.COS_CONTAINERD,
)  # fmt: skip
QUIET: Final = LogResult(
    reader="libsystemd", since=datetime(2026, 11, 20, tzinfo=UTC), until=datetime(2026, 11, 21, tzinfo=UTC),
    reached="2026-11-20T00:00:01Z", entries=1000, files=(LogFile(path="/var/log/journal/a/system.journal", entries=9000,
    first="2026-11-01T00:00:00Z", last="2026-11-21T00:00:00Z", state="online"),), units={}, context=(), signatures=(),
    shapes=(), losses=(),
)  # fmt: skip
MACHINE_ID: Final = "0123456789abcdef0123456789abcdef"
BOOT: Final = Boot(id="3f2504e0-4f89-41d3-9a0c-0305e82c3301", at=datetime(2026, 11, 20, tzinfo=UTC))
INSTANCE: Final = InstanceData(
    image="projects/gke-node-images/global/images/gke-1340-gke1662000-cos-121-18867-199-28-c-pre",
    evidence={"image": HttpEvidence(url="http://169.254.169.254/x", server="Metadata Server for VM", text="projects/")},
)
NODE_OBJECT: Final = NodeObject(
    path="node.json", name="node-1", created="2026-11-01T00:00:00Z",
    info={"kernelVersion": "6.6.97+", "kubeletVersion": "v1.34.0-gke.1662000", "machineID": MACHINE_ID},
    conditions=(
        NodeCondition(type="Ready", status="True", heartbeat="2026-11-21T00:00:00Z"),
        NodeCondition(type="ReadonlyFilesystem", status="False", heartbeat="2026-11-21T00:00:00Z"),
    ),
)  # fmt: skip
VERSIONS: Final = GkeVersions(
    path="gke-to-cos.json", created=datetime(2026, 11, 14, tzinfo=UTC), age_days=7, total=1,
    newest="1.34.0-gke.1662000", entries=(MapEntry("1.34.0-gke.1662000", "cos-121-18867-199-28"),),
)  # fmt: skip
ASKED_US: Final = 1_790_000_000_000_000
GKE_UNITS: Final = (
    "kube-logrotate.timer", "kube-node-configuration.service", "kube-node-installation.service",
    "kubelet-monitor.service",
)  # fmt: skip
RUNNING: Final = tuple(
    UnitState(name=name, load="loaded", active="active", sub="running", restarts=0)
    for name in (
        *GKE_UNITS, "containerd.service", "kubelet.service", "kubernetes.target", "multi-user.target",
        "systemd-journald.service",
    )
)  # fmt: skip
ANSWER: Final = SystemdAnswer(
    socket=BUS_SOCKET, asked_us=ASKED_US, uptime_us=86_400_000_000, version="255", state="running", initrd_us=0,
    userspace_us=2_000_000, finished_us=60_000_000, units=RUNNING, jobs=(),
)  # fmt: skip
UNIT_FILES: Final = UnitFiles(
    files=(UnitFile(unit="kubelet.service", path="/etc/systemd/system/kubelet.service"),), masked=(), drop_ins=(),
    enabled=tuple(
        UnitFile(unit=name, path=f"/etc/systemd/system/kubernetes.target.wants/{name}") for name in GKE_UNITS
    ),
)  # fmt: skip
WHY: Final = Reason(code=Code.NOT_CAPTURED, detail="it is not in this folder", needs="/the/file")
MISSING: Final = Unknown(WHY)


class Healthy(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


class Table(Protocol):
    def __call__(self, *rows: str, without: tuple[str, ...] = ...) -> Fact[Mounts]: ...


class Usage(Protocol):
    def __call__(self, available: int = ..., inodes_free: int = ..., size: int = ...) -> Fact[Disks]: ...


class Grown(Protocol):
    def __call__(self, of: Counted, name: str, seconds: float = ..., **more: int) -> Facts: ...


class Systemd(Protocol):
    def __call__(self, *states: UnitState, without: tuple[str, ...] = ..., **said: object) -> Fact[Units]: ...


@pytest.fixture
def missing() -> Unknown:
    """A fact that nobody has captured."""
    return MISSING


@pytest.fixture
def table() -> Table:
    """Make the healthy mount table with some rows replaced, added or left out."""

    def made(*rows: str, without: tuple[str, ...] = ()) -> Fact[Mounts]:
        held = {row.split()[2]: row for row in ROWS.strip().split("\n")}
        held = {target: row for target, row in held.items() if target not in without}
        held |= {row.split()[2]: row for row in rows}
        lines = []
        for number, row in enumerate(held.values(), 1):
            source, device, target, fstype, options = row.split()
            text = f"{number} 0 {device} / {target} {options} - {fstype} {source} {options}"
            lines.append(Line(mounts.PATH, number, text))
        return Known(mounts.parse(tuple(lines), mounts.PATH))

    return made


@pytest.fixture
def disks() -> Usage:
    """Make the disks of a healthy node, as full as a test likes."""
    return half_full


@pytest.fixture
def healthy(table: Table) -> Healthy:
    """Make the facts of a healthy node with cos_containerd, some of them replaced."""
    words = ("ID=cos", "VERSION_ID=121", "BUILD_ID=18867.199.28")
    release = os_release.parse(tuple(Line("/etc/os-release", number, word) for number, word in enumerate(words, 1)))
    whole = Facts(
        host_view=Known(HostView(node=Answer.YES, says="/ is ext2")),
        os_release=Known(release),
        cmdline=Known(cmdline.parse(Line(cmdline.PATH, 1, CMDLINE))),
        kernel=Known(KERNEL),
        machine=Known(Machine(id=MACHINE_ID, evidence=FileEvidence(path="/etc/machine-id", line=1, text=MACHINE_ID))),
        boot=Known(BOOT),
        metadata=Known(INSTANCE),
        node_object=Known(NODE_OBJECT),
        gke_versions=Known(VERSIONS),
        mounts=table(),
        partitions=Known(Partitions(devices=(WHOLE, part("sda3", 3, "ROOT-A"), mapped("sda3")), total=3)),
        root_slot=Known(RootSlot(device="dm-0", partitions=(part("sda3", 3, "ROOT-A"),))),
        disks=half_full(),
        storage=Known(STORAGE),
        memory=Known(MEMORY),
        pressure=Known(Pressure(kept=True, stalls=tuple(calm(*names.split()) for names in CALM))),
        load=Known(LOAD),
        pids=Known(Pids(threads_max=limit("threads-max", 60_000), pid_max=limit("pid_max", 32_768))),
        file_handles=Known(FileHandles(allocated=5_000, most=1_000_000, evidence=line("/proc/sys/fs/file-nr"))),
        inotify=Known(Inotify(instances=limit("instances", 8_192), watches=limit("watches", 65_536))),
        conntrack=Known(Conntrack(tracked=True, entries=900, most=262_144, evidence=(line("/proc/1/net/stat"),))),
        kubepods=Known(KUBEPODS),
        processes=Known(Processes(zombies=0, parents=(), blocked=0, blocked_processes=())),
        counters=Known(look(2, AT_REST)),
        earlier=Known(look(1, AT_REST)),
        cgroups=Known(CGROUPS),
        kubelet=Known(KUBELET),
        kubelet_certificates=Known(CERTIFICATES),
        kubelet_files=Known(FILES),
        healthz=Known(
            Healthz(url="http://127.0.0.1:10248/healthz", outcome=HealthzOutcome.ANSWERED, status=200, text="ok")
        ),
        units=Known(units.from_systemd(ANSWER)),
        unit_files=Known(UNIT_FILES),
        journald=Known(Journald(settings={})),
        journal_use=Known(JournalUse(folder=True, files=3, bytes=300 << 20)),
        logs=Known(QUIET),
        image=Known(IMAGE),
    )
    whole = msgspec.structs.replace(whole, **{name: Known(value) for name, value in ADDED.items()})

    def made(**facts: object) -> Facts:
        unknown = set(facts) - set(Facts.__struct_fields__)
        assert not unknown, f"there is no fact {unknown}"
        return msgspec.structs.replace(whole, **facts)

    return made


@pytest.fixture
def systemd() -> Systemd:
    """Make the units of a healthy node, up for a day, with some replaced or added, and other words of systemd."""

    def made(*states: UnitState, without: tuple[str, ...] = (), **said: object) -> Fact[Units]:
        held = {state.name: state for state in (*RUNNING, *states) if state.name not in without}
        return Known(units.from_systemd(msgspec.structs.replace(ANSWER, units=tuple(held.values()), **said)))

    return made


@pytest.fixture
def grown(healthy: Healthy) -> Grown:
    """Make the facts of a healthy node on which some counters grew by other numbers between the two looks."""

    def made(of: Counted, name: str, seconds: float = BETWEEN_S, **more: int) -> Facts:
        rows = {**AT_REST[of], name: AT_REST[of].get(name, {}) | more}
        return healthy(counters=Known(look(2, {**AT_REST, of: rows}, seconds)), earlier=Known(look(1, AT_REST)))

    return made


@pytest.fixture
def profile() -> Profile:
    """The profile of cos_containerd."""
    return at(Catalogue(builtin(), issues=issues.builtin()).get("cos_containerd"))


@pytest.fixture
def on_ubuntu() -> Profile:
    """The profile of ubuntu_containerd."""
    return at(Catalogue(builtin()).get("ubuntu_containerd"))


@pytest.fixture
def base() -> Profile:
    """The base profile, where no image's fits."""
    return at(Catalogue(builtin(), issues=issues.builtin()).get("linux"))


def at(profile: Profile) -> Profile:
    """Judge as of the day of the facts."""
    return msgspec.structs.replace(profile, judged_at=datetime(2026, 11, 21, tzinfo=UTC))


def line(path: str) -> FileEvidence:
    return FileEvidence(path=path, line=1, text="a number")


def limit(name: str, most: int) -> Limit:
    return Limit(most=most, evidence=line(f"/proc/sys/{name}"))


def calm(resource: str, kind: str) -> Stall:
    evidence = FileEvidence(path=f"/proc/pressure/{resource}", line=1, text=f"{kind} avg10=1.00")
    return Stall(resource=resource, kind=kind, avg10=1, avg60=1, avg300=1, total_us=9, evidence=evidence)


def part(name: str, number: int, label: str) -> BlockDevice:
    return BlockDevice(
        name=name, kind="part", device=f"8:{number}", parent="sda", number=number, part_label=label, part_uuid="aa",
        evidence=PathEvidence(path=f"/sys/class/block/{name}", type="link"),
    )  # fmt: skip


def mapped(on: str) -> BlockDevice:
    return BlockDevice(
        name="dm-0", kind="dm", device="254:0", read_only=True, dm_name="vroot", on=(on,),
        evidence=PathEvidence(path="/sys/class/block/dm-0", type="link"),
    )  # fmt: skip


def half_full(available: int = 50_000, inodes_free: int = 3_000, size: int = 100_000) -> Fact[Disks]:
    """The stateful partition on the boot disk, half empty; a /run that is nearly empty."""
    usage = StatvfsEvidence(
        path="/var", size_bytes=size, available_bytes=available, inodes=6_000, inodes_free=inodes_free
    )
    var = FileSystem(
        target="/var", source="/dev/sda1", fstype="ext4", disk="sda", size_bytes=size, available_bytes=available,
        inodes=6_000, inodes_free=inodes_free, evidence=(usage,),
    )  # fmt: skip
    run = msgspec.structs.replace(
        var, target="/run", source="tmpfs", fstype="tmpfs", disk="", available_bytes=size, inodes_free=5_999
    )
    return Known(Disks(filesystems=(var, run), boot_disk="sda", total=2))
