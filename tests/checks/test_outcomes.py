"""Every check on facts made by hand: passing, failing, unknown with what is missing, not applicable."""

from typing import Final, Protocol, TypeVar

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts import runtime
from nodediag.facts.cgroups import CgroupMode
from nodediag.facts.cloud_init import CloudInit, CloudInitState
from nodediag.facts.cmdline import Argument
from nodediag.facts.containerd_files import Broken
from nodediag.facts.counters import NODE, Table
from nodediag.facts.cri import CriStatus
from nodediag.facts.disks import Disks
from nodediag.facts.fact import Fact, Known, known
from nodediag.facts.gke_versions import MapEntry
from nodediag.facts.journal_use import JournalUse
from nodediag.facts.kubelet import Kubelet
from nodediag.facts.modules import Module
from nodediag.facts.mounts import Mounts
from nodediag.facts.packet_filter import ChainPolicy, PacketFilter
from nodediag.facts.pids import Limit
from nodediag.facts.pressure import Pressure
from nodediag.facts.processes import Parent
from nodediag.facts.root_slot import RootSlot
from nodediag.facts.runtime_programs import RuntimeProgram, RuntimePrograms
from nodediag.facts.shims import Left, Shim, Shims
from nodediag.facts.snapshot import Facts
from nodediag.facts.software import Manager, Software
from nodediag.facts.storage import Storage, Use, Uses
from nodediag.facts.stray_processes import Stray, StrayProcesses
from nodediag.facts.sysctls import Sysctl
from nodediag.facts.unit_files import UnitFile
from nodediag.facts.units import Units
from nodediag.facts.update_engine import EngineState, UpdateEngine
from nodediag.host.answer_parts import UnitState
from nodediag.model.evidence import FileEvidence, JournalEvidence, PathEvidence, ProcessEvidence
from nodediag.model.image import Answer, Contradiction, Finding, Image, ImageType, OsFamily, RuntimeName
from nodediag.model.logs import AbruptEnd, LogFinding, LogRelation, LogResult, LogSample
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.profile import Profile
from tests.checks.kubelet_faults import kubelet_faults
from tests.checks.looks import CONTAINER, SERVICE
from tests.sockets import READY

MISSING_NEEDS: Final = "/the/file"
STOPPED: Final = Kubelet(running=False, state_folder=True)
LOGS: Final = {"logs.readable", "logs.critical", "logs.warning", "logs.crashes", "logs.complete"}
NEVER_FAILS: Final = {"image.identified", "runtime.identified", "logs.readable"}  # what they miss is unknown
HUNG: Final = ProcessEvidence(pid=81, name="df", text="D df")
PARENT: Final = Parent(pid=80, name="app", zombies=200, evidence=ProcessEvidence(pid=80, name="app", text="S app"))
OF_OBJECT: Final = {"image.node-object", "node.conditions", "node.conditions-agree"}
SYSTEMD: Final = {"boot.finished", "boot.jobs", "units.failed", "units.flapping", "journald.bounded"}
ALWAYS_ASKED: Final = {"image.identified", "image.consistent", *OF_OBJECT, *LOGS, *SYSTEMD}
OF_PACKAGES: Final = ("apt.", "drift.packages", "kubelet.version-skew")  # COS has none; see test_apt.py, test_skew.py
IDS: Final = [check.id for check in CHECKS if not check.id.startswith(OF_PACKAGES)]


WITHOUT_RULE: Final = {"logs.crashes", "logs.complete", "units.failed"}  # no profile asks for them
SAMPLE: Final = LogSample(time="2026-11-20T10:00:00Z", unit="kubelet.service", cursor="s=1;i=2", text="PLEG")
FINDING: Final = LogFinding(
    id="kubelet.pleg-unhealthy", condition="pleg-unhealthy", title="PLEG", severity=Severity.CRITICAL, count=3,
    first="2026-11-20T10:00:00Z", last="2026-11-20T11:00:00Z", active=True, subjects=("pod=a",),
    units=("kubelet.service",), samples=(SAMPLE,), cause="the runtime hangs", remedy="look", source="pleg/generic.go",
    follows=(LogRelation(id="context.drain", title="A drain", time="2026-11-20T09:59:00Z", after_ms=60_000),),
)  # fmt: skip
MILD: Final = msgspec.structs.replace(FINDING, id="kubelet.mild", severity=Severity.WARNING, follows=(), count=1)
HARMLESS: Final = msgspec.structs.replace(FINDING, id="kubelet.harmless", severity=Severity.INFO)
CRASH: Final = AbruptEnd(boot="b" * 32, last="2026-11-20T10:00:00Z", lines=(SAMPLE,))
FILE: Final = "/var/log/journal/a/system.journal"
DAMAGE: Final = BlindSpot(what=FILE, reason=Reason(code=Code.UNPARSABLE, detail=f"{FILE}: damaged"))
SUPPRESSED: Final = BlindSpot(
    what="the journal of kubelet.service", reason=Reason(code=Code.NOT_CAPTURED, detail="dropped: 7 messages")
)


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


class Grown(Protocol):
    def __call__(self, of: Table, name: str, seconds: float = ..., **more: int) -> Facts: ...


class Systemd(Protocol):
    def __call__(self, *states: UnitState, without: tuple[str, ...] = ..., **said: object) -> Fact[Units]: ...


class Rows(Protocol):
    def __call__(self, *rows: str, without: tuple[str, ...] = ...) -> Fact[Mounts]: ...


class Usage(Protocol):
    def __call__(self, available: int = ..., inodes_free: int = ...) -> Fact[Disks]: ...


def image_with(facts: Facts, **fields: object) -> Known[Image]:
    image = known(facts.image)
    assert image is not None
    return Known(msgspec.structs.replace(image, **fields))


def logs_with(facts: Facts, **fields: object) -> Known[LogResult]:
    logs = known(facts.logs)
    assert logs is not None
    return Known(msgspec.structs.replace(logs, **fields))


def with_superblock_read_only(facts: Facts) -> Mounts:
    table = known(facts.mounts)
    assert table is not None
    turned = tuple(
        msgspec.structs.replace(mount, super_options=("ro", "errors=remount-ro")) if mount.device == "8:1" else mount
        for mount in table.mounts
    )
    return msgspec.structs.replace(table, mounts=turned)


S = TypeVar("S", bound=msgspec.Struct)


def with_fields(fact: Fact[S], **fields: object) -> Known[S]:
    held = known(fact)
    assert held is not None
    return Known(msgspec.structs.replace(held, **fields))


def in_use(facts: Facts, name: str) -> Known[Storage]:
    held = known(facts.storage)
    assert held is not None
    session = Use(what="session1", evidence=PathEvidence(path="/sys/class/iscsi_session/session1", type="link"))
    used = msgspec.structs.replace(held.volumes[name], in_use=Known(Uses(uses=(session,), total=1)))
    return Known(Storage(volumes={**held.volumes, name: used}))


def stalled(facts: Facts, resource: str) -> Known[Pressure]:
    held = known(facts.pressure)
    assert held is not None
    stalls = tuple(
        msgspec.structs.replace(one, avg10=95, avg60=92, avg300=91) if one.resource == resource else one
        for one in held.stalls
    )
    return Known(Pressure(kept=True, stalls=stalls))


def judged(one: str, facts: Facts, profile: Profile) -> CheckResult:
    return run(next(check for check in CHECKS if check.id == one), facts, profile, Request(logs=True))


@pytest.fixture
def failing(healthy: Make, table: Rows, disks: Usage, systemd: Systemd, grown: Grown) -> dict[str, Facts]:
    whole = healthy()
    release = known(whole.os_release)
    assert release is not None
    doubt = Contradiction(name="two", says="this and that", expected="one", evidence=(release.evidence("ID"),))
    partitions = known(whole.partitions)
    cgroups = known(whole.cgroups)
    assert partitions is not None
    assert cgroups is not None
    astray = tuple(msgspec.structs.replace(one, part_label="OEM") for one in partitions.devices)
    gone_read_only = with_superblock_read_only(whole)
    few = Limit(most=64, evidence=FileEvidence(path="/proc/sys/fs/inotify", line=1, text="64"))
    theirs, versions = known(whole.node_object), known(whole.gke_versions)
    source = known(whole.metadata)
    assert theirs is not None
    assert versions is not None
    assert source is not None
    changed = msgspec.structs.replace(theirs, info={**theirs.info, "kernelVersion": "5.15.0-1044-gke"})
    ready, writable = theirs.conditions
    sick = msgspec.structs.replace(theirs, conditions=(msgspec.structs.replace(ready, status="Unknown"), writable))
    copied = msgspec.structs.replace(source, image=source.image.replace("gke-node-images", "acme"))
    updated = msgspec.structs.replace(source, image=source.image.replace("199-28", "90-4"))
    other = msgspec.structs.replace(versions, entries=(MapEntry("1.34.0-gke.1662000", "cos-121-18867-90-4"),))
    elsewhere = Finding(says="the hardware is another", evidence=release.evidence("ID"))
    read_only = msgspec.structs.replace(FINDING, condition="filesystem-readonly")
    legacy = msgspec.structs.replace(cgroups, version=1, mode=CgroupMode.LEGACY)
    dead = UnitState(name="mine.service", load="loaded", active="failed", sub="failed", result="exit-code")
    long_ago = dead.changed_us + 1
    loops = UnitState(
        name="mine.service", load="loaded", active="activating", sub="auto-restart", restarts=9, job="start",
        changed_us=long_ago,
    )  # fmt: skip
    drop_in = UnitFile(unit="kubelet.service", path="/etc/systemd/system/kubelet.service.d/mine.conf")
    files = known(whole.unit_files)
    assert files is not None
    return {
        "boot.finished": healthy(units=systemd(state="starting", finished_us=0)),
        "boot.jobs": healthy(units=systemd(loops)),
        "units.expected": healthy(units=systemd(without=("kubernetes.target",))),
        "units.failed": healthy(units=systemd(dead)),
        "units.flapping": healthy(units=systemd(loops)),
        "units.drop-ins": healthy(unit_files=Known(msgspec.structs.replace(files, drop_ins=(drop_in,)))),
        "journald.persistent": healthy(journal_use=Known(JournalUse(folder=False, files=0, bytes=0))),
        "journald.bounded": healthy(journal_use=Known(JournalUse(folder=True, files=9, bytes=6 << 30))),
        "image.consistent": healthy(image=image_with(whole, contradictions=(doubt,))),
        "image.platform": healthy(image=image_with(whole, gce=Answer.NO, findings={"gce": (elsewhere,)})),
        "image.node-object": healthy(node_object=Known(changed)),
        "image.source-project": healthy(metadata=Known(copied)),
        "image.source-version": healthy(metadata=Known(updated)),
        "image.version-map": healthy(gke_versions=Known(other)),
        "node.conditions": healthy(node_object=Known(sick)),
        "node.conditions-agree": healthy(logs=logs_with(whole, signatures=(read_only,))),
        "mounts.root-read-only": healthy(mounts=table("/dev/mapper/vroot 254:0 / ext2 rw")),
        "mounts.writable": healthy(mounts=table("/dev/sda1 8:1 /var ext4 ro,nosuid,nodev,noexec")),
        "mounts.executable": healthy(mounts=table("/dev/sda1 8:1 /var ext4 rw,nosuid,nodev")),
        "mounts.suid-and-devices": healthy(mounts=table("/dev/sda1 8:1 /var ext4 rw,nodev,noexec")),
        "mounts.persistence": healthy(mounts=table("/dev/sda1 8:1 /tmp ext4 rw,noexec")),
        "mounts.stateful-partition": healthy(mounts=table("/dev/sdb 8:16 /home ext4 rw,nosuid,nodev,noexec")),
        "mounts.unexpected": healthy(mounts=table("/dev/sdb 8:16 /var/mine ext4 rw")),
        "mounts.root-verified": healthy(mounts=table("/dev/sda3 8:3 / ext2 ro")),
        "partitions.root-slot": healthy(root_slot=Known(RootSlot(device="dm-0", partitions=astray))),
        "cgroups.version": healthy(cgroups=Known(legacy)),
        "kubelet.running": healthy(kubelet=Known(STOPPED)),
        "logs.critical": healthy(logs=logs_with(whole, signatures=(FINDING,))),
        "logs.warning": healthy(logs=logs_with(whole, signatures=(HARMLESS, MILD))),
        "logs.crashes": healthy(logs=logs_with(whole, abrupt_ends=(CRASH,))),
        "logs.complete": healthy(logs=logs_with(whole, losses=(DAMAGE, SUPPRESSED))),
        "memory.available": healthy(memory=with_fields(whole.memory, available_bytes=90 << 20)),
        "memory.reserved": healthy(memory=with_fields(whole.memory, available_bytes=5 << 30)),
        "limits.pids": healthy(load=with_fields(whole.load, threads=28_000)),
        "limits.files": healthy(file_handles=with_fields(whole.file_handles, allocated=700_000)),
        "limits.conntrack": healthy(conntrack=with_fields(whole.conntrack, entries=200_000)),
        "limits.inotify": healthy(inotify=with_fields(whole.inotify, instances=few)),
        "limits.cgroups": healthy(kubepods=with_fields(whole.kubepods, dying=10_000)),
        "memory.swap": healthy(memory=with_fields(whole.memory, swap_total_bytes=1 << 30, swaps=("/swapfile",))),
        "pressure.cpu": healthy(pressure=stalled(whole, "cpu")),
        "pressure.memory": healthy(pressure=stalled(whole, "memory")),
        "pressure.io": healthy(pressure=stalled(whole, "io")),
        "processes.load": healthy(load=with_fields(whole.load, avg15=16.0)),
        "processes.blocked": healthy(processes=with_fields(whole.processes, blocked=20, blocked_processes=(HUNG,))),
        "processes.zombies": healthy(processes=with_fields(whole.processes, zombies=200, parents=(PARENT,))),
        "disks.space": healthy(disks=disks(available=14_000)),
        "disks.inodes": healthy(disks=disks(inodes_free=200)),
        "disks.writable": healthy(mounts=Known(gone_read_only)),
        "storage.supported": healthy(storage=in_use(whole, "iscsi")),
        "issues.known": healthy(cgroups=Known(legacy)),
        **drifted(healthy, table),
        **kubelet_faults(healthy),
        **of_runtime(healthy),
        **changing(grown),
    }


def of_runtime(healthy: Make) -> dict[str, Facts]:
    whole = healthy()
    mirror = '[plugins.cri.registry.mirrors."a"]\n  endpoint = ["https://b"]\n'
    line = FileEvidence(path="/etc/containerd/config.toml", line=3, text="root =")
    shim = ProcessEvidence(pid=8, name="containerd-shim", text="-id a")
    left = Shim(pid=8, namespace="k8s.io", id="a", gone=Left.BUNDLE, evidence=shim)
    broken = Broken(path=line.path, why="no TOML", evidence=line)
    return {
        "runtime.socket": healthy(runtime_sockets=with_fields(whole.runtime_sockets, sockets=())),
        "runtime.shims": healthy(shims=Known(Shims(total=12, left=(left,), left_total=1))),
        "runtime.ready": healthy(cri=Known(CriStatus(path="/s", refused="unknown service"))),
        "runtime.network-ready": healthy(
            cri=with_fields(whole.cri, answer=msgspec.structs.replace(READY, conditions=()))
        ),
        "runtime.config": healthy(containerd_config=with_fields(whole.containerd_config, broken=(broken,))),
        "runtime.config-deprecated": healthy(containerd_config=Known(runtime.parse(mirror))),
        "runtime.cgroup-driver": healthy(
            kubelet=with_fields(whole.kubelet, cgroup_driver="cgroupfs", version="v1.27.2")
        ),
        "runtime.cni": healthy(cni=with_fields(whole.cni, configurations=(), programs=())),
        "runtime.snapshotter": healthy(snapshotter=with_fields(whole.snapshotter, there=False)),
    }


def both(one: Facts, other: Facts) -> Facts:
    """Give the facts of one, with the pressure of another."""
    counters, pressed = known(one.counters), known(other.counters)
    assert counters is not None
    assert pressed is not None
    tables = {**counters.tables, Table.PRESSURE: pressed.tables[Table.PRESSURE]}
    return msgspec.structs.replace(one, counters=Known(msgspec.structs.replace(counters, tables=tables)))


def changing(grown: Grown) -> dict[str, Facts]:
    return {
        "rates.disk-latency": grown(Table.DISKS, "sda", writes=100, write_ms=20_000),
        "rates.disk-queue": grown(Table.DISKS, "sda", queue_ms=6_000_000),
        "rates.disk-stuck": grown(Table.DISKS, "sda", reads=0, writes=0, in_flight=2),
        "rates.throttled-services": grown(Table.THROTTLING, SERVICE, nr_throttled=1500),
        "rates.throttled-pods": grown(Table.THROTTLING, CONTAINER, nr_throttled=1500),
        "rates.oom-kills": grown(Table.MEMORY, NODE, oom_kill=2),
        "rates.interface-errors": grown(Table.INTERFACES, "eth0", rx_errors=2000),
        "rates.interface-drops": grown(Table.INTERFACES, "eth0", tx_drops=2000),
        "rates.packet-backlog": grown(Table.BACKLOG, NODE, dropped=900),
        "rates.conntrack-drops": grown(Table.CONNTRACK, NODE, drop=900),
        "rates.listen-overflows": grown(Table.TCP, NODE, ListenOverflows=900),
        "rates.forks": grown(Table.FORKS, NODE, processes=900_000),
        "rates.thrashing": both(
            grown(Table.MEMORY, NODE, pgmajfault=600_000), grown(Table.PRESSURE, "memory.some", total_us=90_000_000)
        ),
        "rates.swapping": grown(Table.MEMORY, NODE, pswpin=300_000, pswpout=300_000),
        "rates.restarts": grown(Table.RESTARTS, "kubelet.service", restarts=3),
        "rates.pressure": grown(Table.PRESSURE, "io.full", total_us=280_000_000),
    }


def drifted(healthy: Make, table: Rows) -> dict[str, Facts]:
    whole = healthy()
    found = FileEvidence(path="/proc/a", line=1, text="x")
    apt = Manager(name="apt", folder="/usr/bin", evidence=PathEvidence(path="/usr/bin/apt", type="entry"))
    module = Module(name="rootkit", taints="OE", evidence=found)
    process = ProcessEvidence(pid=9, name="python3", text="python3 /home/app/run.py")
    stray = Stray(pid=9, program="/home/app/run.py", evidence=process)
    other = RuntimeProgram(name="containerd", path="/opt/bin/containerd", replaced=False, evidence=process)
    changed = Sysctl(name="vm.swappiness", was="60", value="1", evidence=(found,))
    policy = ChainPolicy(chain="INPUT", policy="ACCEPT", evidence=found)
    updated = UpdateEngine(state=EngineState.UPDATED, evidence=(found,))
    cmdline = with_fields(whole.cmdline, arguments=(Argument("mitigations", "off"),)).value
    return {
        "software.package-manager": healthy(software=Known(Software(managers=(apt,)))),
        "software.toolbox": healthy(toolbox=with_fields(whole.toolbox, present=False)),
        "software.toolbox-image": healthy(toolbox=with_fields(whole.toolbox, image="example.com/tools")),
        "software.cloud-init": healthy(cloud_init=Known(CloudInit(state=CloudInitState.FAILED, errors=("no user",)))),
        "software.stray-processes": healthy(stray_processes=Known(StrayProcesses(processes=(stray,), total=1))),
        "kernel.module-signing": healthy(modules=with_fields(whole.modules, enforced=found)),
        "kernel.loadpin": healthy(modules=with_fields(whole.modules, lsm=found)),
        "kernel.modules": healthy(modules=with_fields(whole.modules, tainting=(module,))),
        "network.filter-policy": healthy(packet_filter=Known(PacketFilter(policies=(policy,)))),
        "updates.engine": healthy(update_engine=Known(updated)),
        "drift.overmounts": healthy(mounts=table("/dev/sda1 8:1 /usr/bin/containerd ext4 rw")),
        "drift.kernel": healthy(kernel=with_fields(whole.kernel, release="6.8.0-31-generic")),
        "drift.runtime": healthy(runtime_programs=Known(RuntimePrograms(programs=(other,)))),
        "drift.sysctls": healthy(sysctls=with_fields(whole.sysctls, changed=(changed,))),
        "drift.cmdline": healthy(cmdline=Known(cmdline)),
    }


@pytest.fixture
def unknown(healthy: Make, missing: object) -> dict[str, Facts]:
    short = Reason(code=Code.NOT_CAPTURED, detail="it is not in this folder", needs=MISSING_NEEDS)
    fields = {"image_type": ImageType.UNKNOWN, "runtime": RuntimeName.UNKNOWN, "gce": Answer.UNKNOWN}
    unsure = image_with(healthy(), **fields, open={"image_type": short, "runtime": short, "gce": short})
    blind = healthy(
        mounts=missing, kubelet=missing, image=unsure, partitions=missing, root_slot=missing, cmdline=missing,
        cgroups=missing, logs=missing, disks=missing, storage=missing, memory=missing, pressure=missing, load=missing,
        processes=missing, pids=missing, file_handles=missing, inotify=missing, conntrack=missing, kubepods=missing,
        metadata=missing, node_object=missing, gke_versions=missing, os_release=missing,
        runtime_sockets=missing, shims=missing, cri=missing,
        units=missing, unit_files=missing, journald=missing, journal_use=missing,
        software=missing, toolbox=missing, cloud_init=missing, modules=missing, packet_filter=missing, kernel=missing,
        counters=missing, earlier=missing,
        update_engine=missing, stray_processes=missing, runtime_programs=missing, sysctls=missing, packages=missing,
        kubelet_certificates=missing, healthz=missing, kubelet_files=missing,
    )  # fmt: skip
    single = Facts(host_view=blind.host_view, os_release=healthy().os_release, image=unsure)
    return {check.id: single if check.id == "image.consistent" else blind for check in CHECKS}


@pytest.mark.parametrize("one", IDS)
def test_a_healthy_node_passes(one: str, healthy: Make, profile: Profile) -> None:
    result = judged(one, healthy(), profile)
    assert (result.outcome, result.problems, result.reason) == (Outcome.PASSED, (), msgspec.UNSET)


@pytest.mark.parametrize("one", [one for one in IDS if one not in NEVER_FAILS])
def test_a_fault_is_told_with_all_that_belongs_to_it(one: str, failing: dict[str, Facts], profile: Profile) -> None:
    result = judged(one, failing[one], profile)
    assert result.outcome is Outcome.FAILED
    for problem in result.problems:
        assert problem.message
        assert problem.expected
        assert problem.observed
        assert problem.expected != problem.observed
        assert problem.remedy
        assert problem.evidence
        assert problem.subject.name
        if one in WITHOUT_RULE:
            continue
        assert problem.requirement
        assert problem.requirement.profile == ("signatures" if one in LOGS else "cos_containerd")
        assert problem.requirement.key
        assert problem.requirement.why
        assert problem.requirement.source
    again = judged(one, failing[one], profile)
    prints = [problem.fingerprint for problem in result.problems]
    assert prints == [problem.fingerprint for problem in again.problems]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("one", IDS)
def test_what_cannot_be_seen_is_unknown_and_says_what_is_missing(
    one: str, unknown: dict[str, Facts], profile: Profile
) -> None:
    result = judged(one, unknown[one], profile)
    assert result.outcome is Outcome.UNKNOWN
    assert result.reason
    assert result.reason.detail
    assert result.reason.needs
    assert result.problems == ()


@pytest.mark.parametrize("one", [check.id for check in CHECKS if check.id not in ALWAYS_ASKED])
def test_where_nothing_is_asked_a_check_is_not_applicable(one: str, healthy: Make, base: Profile) -> None:
    nothing = msgspec.structs.replace(base, paths={}, thresholds={}, eviction={}, issues=(), states={}, cmdline=())
    nothing = msgspec.structs.replace(nothing, deprecated_keys={}, skew={})
    elsewhere = image_with(healthy(), gke=Answer.NO, image_type=ImageType.NONE, os_family=OsFamily.OTHER)
    result = judged(one, healthy(kubelet=Known(Kubelet(running=False)), image=elsewhere), nothing)
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert result.reason
    assert result.reason.detail


@pytest.mark.parametrize(
    "one", ["mounts.executable", "mounts.persistence", "mounts.stateful-partition", "cgroups.version"]
)
def test_what_a_profile_does_not_ask_is_not_unknown_where_it_was_not_seen(
    one: str, healthy: Make, missing: object, base: Profile
) -> None:
    facts = healthy(mounts=missing, cgroups=missing, partitions=missing, root_slot=missing, cmdline=missing)
    assert judged(one, facts, base).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize("one", [check.id for check in CHECKS if check.id.startswith("mounts.")])
def test_a_list_that_lacks_a_mount_leaves_it_open(one: str, healthy: Make, table: Rows, profile: Profile) -> None:
    facts = healthy(mounts=table(without=("/proc", "/", "/home", "/var", "/mnt/stateful_partition")))
    wanted = Outcome.PASSED if one == "mounts.root-verified" else Outcome.UNKNOWN  # sysfs and command line tell of it
    assert judged(one, facts, profile).outcome is wanted


def test_a_disk_that_is_read_only_as_a_whole_is_a_failed_disk_whatever_the_path_is_for(
    healthy: Make, table: Rows, profile: Profile
) -> None:
    facts = healthy(mounts=table("/dev/sda1 8:1 /var/lib/containerd ext4 ro,nosuid,nodev"))
    (problem,) = judged("mounts.writable", facts, profile).problems
    assert problem.message == "/var/lib/containerd is read-only, as all of /dev/sda1 is; it must be writable"
    assert "journalctl -k" in problem.remedy


def test_a_path_whose_mount_is_missing_above_a_root_that_is_meant_to_be_read_only_keeps_its_own_remedy(
    healthy: Make, table: Rows, profile: Profile
) -> None:
    (problem,) = judged("mounts.writable", healthy(mounts=table(without=("/etc",))), profile).problems
    assert problem.message == "/etc is read-only (it lies on /); it must be writable"
    assert problem.remedy == profile.paths["/etc"].remedy


def test_a_failure_that_is_over_is_no_problem(healthy: Make, profile: Profile) -> None:
    over = msgspec.structs.replace(FINDING, active=False)
    result = judged("logs.critical", healthy(logs=logs_with(healthy(), signatures=(over,))), profile)
    assert result.outcome is Outcome.PASSED


def test_a_log_problem_says_what_it_followed_and_how_its_entries_are_found_again(
    healthy: Make, profile: Profile
) -> None:
    (problem,) = judged("logs.critical", healthy(logs=logs_with(healthy(), signatures=(FINDING,))), profile).problems
    assert "1 min after: A drain" in problem.message
    assert problem.subject.name == FINDING.id
    (evidence,) = problem.evidence
    assert isinstance(evidence, JournalEvidence)
    assert (evidence.cursor, evidence.unit) == (SAMPLE.cursor, SAMPLE.unit)
    assert problem.values["condition"] == "pleg-unhealthy"


@pytest.mark.parametrize("one", ["logs.critical", "logs.warning", "logs.crashes"])
def test_a_journal_that_we_did_not_read_to_its_end_is_not_known_to_be_quiet(
    one: str, healthy: Make, profile: Profile
) -> None:
    late = BlindSpot(what="kubelet.service", reason=Reason(code=Code.TIMED_OUT, detail="the time was over"))
    assert judged(one, healthy(logs=logs_with(healthy(), losses=(late,))), profile).outcome is Outcome.UNKNOWN


def test_a_failure_found_before_the_time_was_over_is_told_with_what_is_missing(healthy: Make, profile: Profile) -> None:
    late = BlindSpot(what="kubelet.service", reason=Reason(code=Code.TIMED_OUT, detail="the time was over"))
    logs = logs_with(healthy(), losses=(late,), signatures=(FINDING,))
    result = judged("logs.critical", healthy(logs=logs), profile)
    assert (result.outcome, len(result.problems)) == (Outcome.FAILED, 1)
    assert result.reason
    assert result.reason.code is Code.TIMED_OUT


def test_a_journal_without_an_entry_is_not_readable(healthy: Make, profile: Profile) -> None:
    assert judged("logs.readable", healthy(logs=logs_with(healthy(), entries=0)), profile).outcome is Outcome.UNKNOWN


def test_lines_that_journald_dropped_are_told_and_damage_asks_for_action(
    profile: Profile, failing: dict[str, Facts]
) -> None:
    result = judged("logs.complete", failing["logs.complete"], profile)
    severities = {problem.subject.name: problem.severity for problem in result.problems}
    assert severities == {FILE: Severity.WARNING, "the journal of kubelet.service": Severity.INFO}


def test_no_sign_of_kubernetes_is_one_only_where_it_was_looked_for(healthy: Make, base: Profile) -> None:
    reason = Reason(code=Code.NOT_CAPTURED, detail="/var/lib/kubelet of the node is not mounted here")
    unseen = healthy(kubelet=Known(Kubelet(running=False, state_reason=reason)))
    result = judged("kubelet.running", unseen, base)
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, reason)
    nothing = healthy(kubelet=Known(Kubelet(running=False)))
    assert judged("kubelet.running", nothing, base).outcome is Outcome.NOT_APPLICABLE
