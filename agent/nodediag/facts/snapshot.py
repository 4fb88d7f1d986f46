"""All facts of a node, a field each, read in one pass. One that fails leaves the others whole."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from nodediag.facts import (
    apt as apt_,
    boot as boot_,
    cgroups as cgroups_,
    cloud_init as cloud_init_,
    cmdline as cmdline_,
    cni as cni_,
    conntrack as conntrack_,
    counters as counters_,
    cri as cri_,
    disks as disks_,
    earlier as earlier_,
    file_handles as file_handles_,
    folder_sizes as folder_sizes_,
    healthz as healthz_,
    host_view as host_view_,
    hostname as hostname_,
    inotify as inotify_,
    inputs as inputs_,
    instance as instance_,
    instance_data,
    journal_use as journal_use_,
    journald as journald_,
    kernel as kernel_,
    kubelet as kubelet_,
    kubelet_certificates as kubelet_certificates_,
    kubelet_files as kubelet_files_,
    kubepods as kubepods_,
    load as load_,
    lsb_release as lsb_release_,
    machine as machine_,
    memory as memory_,
    metadata as metadata_,
    modules as modules_,
    mounts as mounts_,
    node_name,
    node_object,
    os_release as os_release_,
    package_files as package_files_,
    packages as packages_,
    packet_filter as packet_filter_,
    partitions as partitions_,
    pids as pids_,
    pressure as pressure_,
    processes as processes_,
    root_slot as root_slot_,
    runtime as runtime_,
    runtime_programs as runtime_programs_,
    runtime_sockets as runtime_sockets_,
    shims as shims_,
    snapshotter as snapshotter_,
    software as software_,
    storage as storage_,
    stray_processes as stray_processes_,
    sysctls as sysctls_,
    toolbox as toolbox_,
    unit_files as unit_files_,
    units as units_,
    update_engine as update_engine_,
)
from nodediag.facts.apt import Apt
from nodediag.facts.boot import Boot
from nodediag.facts.cgroups import Cgroups
from nodediag.facts.cloud_init import CloudInit
from nodediag.facts.cmdline import Cmdline
from nodediag.facts.cni import Cni
from nodediag.facts.conntrack import Conntrack
from nodediag.facts.counters import Counters
from nodediag.facts.cri import CriStatus
from nodediag.facts.disks import Disks
from nodediag.facts.fact import NOT_COLLECTED, Fact, Known, Unknown, attempt, known, settle
from nodediag.facts.file_handles import FileHandles
from nodediag.facts.folder_sizes import FolderSizes
from nodediag.facts.gke_versions import GkeVersions
from nodediag.facts.healthz import Healthz
from nodediag.facts.host_view import HostView
from nodediag.facts.hostname import Hostname
from nodediag.facts.inotify import Inotify
from nodediag.facts.inputs import NO_INPUTS, Inputs
from nodediag.facts.instance import Instance
from nodediag.facts.instance_data import InstanceData
from nodediag.facts.journal_use import JournalUse
from nodediag.facts.journald import Journald
from nodediag.facts.kernel import Kernel
from nodediag.facts.kubelet import Kubelet
from nodediag.facts.kubelet_certificates import KubeletCertificates
from nodediag.facts.kubelet_files import KubeletFiles
from nodediag.facts.kubepods import Kubepods
from nodediag.facts.load import Load
from nodediag.facts.lsb_release import LsbRelease
from nodediag.facts.machine import Machine
from nodediag.facts.memory import Memory
from nodediag.facts.modules import Modules
from nodediag.facts.mounts import Mounts
from nodediag.facts.node_name import NodeName
from nodediag.facts.node_object import NodeObject
from nodediag.facts.os_release import OsRelease
from nodediag.facts.package_files import PackageFiles
from nodediag.facts.packages import Packages
from nodediag.facts.packet_filter import PacketFilter
from nodediag.facts.partitions import Partitions
from nodediag.facts.pids import Pids
from nodediag.facts.pressure import Pressure
from nodediag.facts.processes import Processes
from nodediag.facts.restarts import with_restarts
from nodediag.facts.root_slot import RootSlot
from nodediag.facts.runtime import ContainerdConfig
from nodediag.facts.runtime_programs import RuntimePrograms
from nodediag.facts.runtime_sockets import RuntimeSockets
from nodediag.facts.shims import Shims
from nodediag.facts.snapshotter import Snapshotter
from nodediag.facts.software import Software
from nodediag.facts.storage import Storage
from nodediag.facts.stray_processes import StrayProcesses
from nodediag.facts.sysctls import Sysctls
from nodediag.facts.toolbox import Toolbox
from nodediag.facts.unit_files import UnitFiles
from nodediag.facts.units import Units
from nodediag.facts.update_engine import UpdateEngine
from nodediag.host.host import Host
from nodediag.model.image import Image
from nodediag.model.logs import LogResult
from nodediag.model.reason import BlindSpot, Code

T = TypeVar("T")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One field for each collector; a test names only those it uses.

    `logs`, `gke_versions` and `image` are put in once known; `metadata` and what options gave are not from the node.
    """

    host_view: Fact[HostView] = NOT_COLLECTED
    os_release: Fact[OsRelease] = NOT_COLLECTED
    lsb_release: Fact[LsbRelease] = NOT_COLLECTED
    cmdline: Fact[Cmdline] = NOT_COLLECTED
    kernel: Fact[Kernel] = NOT_COLLECTED
    machine: Fact[Machine] = NOT_COLLECTED
    boot: Fact[Boot] = NOT_COLLECTED
    hostname: Fact[Hostname] = NOT_COLLECTED
    instance: Fact[Instance] = NOT_COLLECTED
    mounts: Fact[Mounts] = NOT_COLLECTED
    partitions: Fact[Partitions] = NOT_COLLECTED
    root_slot: Fact[RootSlot] = NOT_COLLECTED
    disks: Fact[Disks] = NOT_COLLECTED
    storage: Fact[Storage] = NOT_COLLECTED
    cgroups: Fact[Cgroups] = NOT_COLLECTED
    kubelet: Fact[Kubelet] = NOT_COLLECTED
    kubelet_certificates: Fact[KubeletCertificates] = NOT_COLLECTED
    kubelet_files: Fact[KubeletFiles] = NOT_COLLECTED
    healthz: Fact[Healthz] = NOT_COLLECTED
    containerd_config: Fact[ContainerdConfig] = NOT_COLLECTED
    cni: Fact[Cni] = NOT_COLLECTED
    snapshotter: Fact[Snapshotter] = NOT_COLLECTED
    runtime_sockets: Fact[RuntimeSockets] = NOT_COLLECTED
    cri: Fact[CriStatus] = NOT_COLLECTED
    shims: Fact[Shims] = NOT_COLLECTED
    packages: Fact[Packages] = NOT_COLLECTED
    metadata: Fact[InstanceData] = NOT_COLLECTED
    instance_data: Fact[InstanceData] = NOT_COLLECTED
    node_name: Fact[NodeName] = NOT_COLLECTED
    node_object: Fact[NodeObject] = NOT_COLLECTED
    gke_versions: Fact[GkeVersions] = NOT_COLLECTED
    units: Fact[Units] = NOT_COLLECTED
    unit_files: Fact[UnitFiles] = NOT_COLLECTED
    journald: Fact[Journald] = NOT_COLLECTED
    journal_use: Fact[JournalUse] = NOT_COLLECTED
    logs: Fact[LogResult] = NOT_COLLECTED
    memory: Fact[Memory] = NOT_COLLECTED
    pressure: Fact[Pressure] = NOT_COLLECTED
    load: Fact[Load] = NOT_COLLECTED
    processes: Fact[Processes] = NOT_COLLECTED
    pids: Fact[Pids] = NOT_COLLECTED
    file_handles: Fact[FileHandles] = NOT_COLLECTED
    inotify: Fact[Inotify] = NOT_COLLECTED
    conntrack: Fact[Conntrack] = NOT_COLLECTED
    kubepods: Fact[Kubepods] = NOT_COLLECTED
    counters: Fact[Counters] = NOT_COLLECTED
    earlier: Fact[Counters] = NOT_COLLECTED
    software: Fact[Software] = NOT_COLLECTED
    toolbox: Fact[Toolbox] = NOT_COLLECTED
    cloud_init: Fact[CloudInit] = NOT_COLLECTED
    modules: Fact[Modules] = NOT_COLLECTED
    packet_filter: Fact[PacketFilter] = NOT_COLLECTED
    update_engine: Fact[UpdateEngine] = NOT_COLLECTED
    stray_processes: Fact[StrayProcesses] = NOT_COLLECTED
    runtime_programs: Fact[RuntimePrograms] = NOT_COLLECTED
    apt: Fact[Apt] = NOT_COLLECTED
    sysctls: Fact[Sysctls] = NOT_COLLECTED
    package_files: Fact[PackageFiles] = NOT_COLLECTED
    folder_sizes: Fact[FolderSizes] = NOT_COLLECTED
    image: Fact[Image] = NOT_COLLECTED

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """List the facts that are not known, by name; what a node is known not to have is no blind spot.

        Nor is the earlier look one, which few runs have.
        """
        pairs = ((name, getattr(self, name)) for name in self.__struct_fields__ if name != "earlier")
        return tuple(
            BlindSpot(what=name, reason=fact.reason)
            for name, fact in pairs
            if isinstance(fact, Unknown) and fact.reason.code not in {Code.ABSENT, Code.NOT_ASKED}
        )


def collect(host: Host, inputs: Inputs = NO_INPUTS, *, deep: bool = False) -> Facts:
    """Read every fact, and take what was given. What depends on a namespace is unknown where ours is a container's."""
    mounts = attempt(mounts_, host, None)
    if _not_captured(mounts):
        from nodediag.facts import mount_lists  # noqa: PLC0415 - a running node never needs it

        mounts = _instead(mounts, attempt(mount_lists, host, None))
    os_release = attempt(os_release_, host, None)
    cmdline = attempt(cmdline_, host, None)
    view = host_view_.derive(host, mounts, os_release, cmdline)
    elsewhere = view.elsewhere
    if elsewhere is not None:
        mounts = os_release = Unknown(elsewhere)
    partitions = attempt(partitions_, host, elsewhere)
    if _not_captured(partitions):
        from nodediag.facts import partition_lists  # noqa: PLC0415 - as above

        partitions = _instead(partitions, attempt(partition_lists, host, elsewhere))
    root_slot = settle(lambda: root_slot_.derive(mounts, partitions, cmdline))
    kernel = attempt(kernel_, host, elsewhere)
    packages = attempt(packages_, host, elsewhere)
    cgroups = _cgroups(host, mounts)
    instance = attempt(instance_, host, elsewhere)
    containerd = attempt(runtime_, host, elsewhere)
    kubelet = attempt(kubelet_, host, elsewhere)
    sockets = Unknown(elsewhere) if elsewhere is not None else _sockets(host, kubelet)
    facts = Facts(
        host_view=Known(view),
        os_release=os_release,
        lsb_release=attempt(lsb_release_, host, elsewhere),
        cmdline=cmdline,
        kernel=kernel,
        machine=attempt(machine_, host, elsewhere),
        boot=attempt(boot_, host, elsewhere),
        hostname=attempt(hostname_, host, elsewhere),
        instance=instance,
        mounts=mounts,
        partitions=partitions,
        root_slot=root_slot,
        disks=_disks(host, mounts, partitions, root_slot),
        storage=_storage(host, mounts, partitions, kernel),
        cgroups=cgroups,
        kubelet=kubelet,
        kubelet_certificates=_of_kubelet(kubelet, lambda told: kubelet_certificates_.derive(host, told)),
        kubelet_files=_of_kubelet(kubelet, lambda told: kubelet_files_.derive(host, told)),
        healthz=attempt(healthz_.Collector(kubelet), host, elsewhere),
        containerd_config=containerd,
        cni=_configured(containerd, lambda config: cni_.derive(host, config)),
        snapshotter=_configured(containerd, lambda config: snapshotter_.derive(host, config)),
        runtime_sockets=sockets,
        cri=_cri(host, sockets),
        shims=attempt(shims_, host, elsewhere),
        packages=packages,
        memory=attempt(memory_, host, elsewhere),
        pressure=attempt(pressure_, host, elsewhere),
        load=attempt(load_, host, elsewhere),
        processes=attempt(processes_, host, elsewhere),
        pids=Unknown(elsewhere) if elsewhere is not None else settle(lambda: pids_.derive(host, kernel)),
        file_handles=attempt(file_handles_, host, elsewhere),
        inotify=attempt(inotify_, host, elsewhere),
        conntrack=attempt(conntrack_, host, elsewhere),
        kubepods=_kubepods(host, cgroups),
        metadata=settle(lambda: metadata_.collect(host, instance, inputs.metadata)),
        instance_data=inputs_.fact(inputs.instance, f"{instance_data.OPTION} FILE", "a file about the instance"),
        node_name=inputs_.fact(inputs.node_name, node_name.VARIABLE, "the name that Kubernetes has for the node"),
        node_object=inputs_.fact(inputs.node_object, f"{node_object.OPTION} FILE", "the node's object"),
        units=attempt(units_, host, elsewhere),
        unit_files=attempt(unit_files_, host, elsewhere),
        journald=attempt(journald_, host, elsewhere),
        journal_use=attempt(journal_use_, host, elsewhere),
        package_files=_package_files(host, kernel, packages) if deep else NOT_COLLECTED,
        folder_sizes=attempt(folder_sizes_, host, elsewhere) if deep else NOT_COLLECTED,
        software=attempt(software_, host, elsewhere),
        toolbox=attempt(toolbox_, host, elsewhere),
        cloud_init=attempt(cloud_init_, host, elsewhere),
        modules=attempt(modules_, host, elsewhere),
        packet_filter=attempt(packet_filter_, host, elsewhere),
        update_engine=attempt(update_engine_, host, elsewhere),
        stray_processes=attempt(stray_processes_, host, elsewhere),
        runtime_programs=attempt(runtime_programs_, host, elsewhere),
        apt=settle(lambda: apt_.derive(host, packages)),
        sysctls=attempt(sysctls_, host, elsewhere),
    )
    counters = _counted(attempt(counters_, host, elsewhere), facts.units)
    return msgspec.structs.replace(facts, counters=counters, earlier=earlier_.derive(inputs.earlier, counters))


def _cgroups(host: Host, mounts: Fact[Mounts]) -> Fact[Cgroups]:
    if isinstance(mounts, Unknown):
        return mounts
    table = mounts.value
    cgroups = settle(lambda: cgroups_.derive(host, table))
    if isinstance(cgroups, Known):
        return cgroups
    code = Code.ABSENT if table.complete else Code.NOT_CAPTURED
    return Unknown(msgspec.structs.replace(cgroups.reason, code=code))


def _counted(counters: Fact[Counters], units: Fact[Units]) -> Fact[Counters]:
    return counters if isinstance(counters, Unknown) else Known(with_restarts(counters.value, units))


def _sockets(host: Host, kubelet: Fact[Kubelet]) -> Fact[RuntimeSockets]:
    return settle(lambda: runtime_sockets_.derive(host, known(kubelet)))


def _cri(host: Host, sockets: Fact[RuntimeSockets]) -> Fact[CriStatus]:
    if isinstance(sockets, Unknown):
        return sockets
    found = sockets.value
    return settle(lambda: cri_.derive(host, found))


def _configured(config: Fact[ContainerdConfig], work: Callable[[ContainerdConfig], T]) -> Fact[T]:
    """Give what follows from containerd's configuration, where that is known as a whole."""
    if isinstance(config, Unknown):
        return config
    found = config.value
    return settle(lambda: work(found)) if found.incomplete is msgspec.UNSET else Unknown(found.incomplete)


def _of_kubelet(kubelet: Fact[Kubelet], work: Callable[[Kubelet], T]) -> Fact[T]:
    """Give what follows from what the kubelet was told."""
    if isinstance(kubelet, Unknown):
        return kubelet
    told = kubelet.value
    return settle(lambda: work(told))


def _kubepods(host: Host, cgroups: Fact[Cgroups]) -> Fact[Kubepods]:
    if isinstance(cgroups, Unknown):
        return cgroups
    hierarchy = cgroups.value
    return settle(lambda: kubepods_.derive(host, hierarchy))


def _disks(host: Host, mounts: Fact[Mounts], partitions: Fact[Partitions], root: Fact[RootSlot]) -> Fact[Disks]:
    if isinstance(mounts, Unknown):
        return mounts
    table = mounts.value
    return settle(lambda: disks_.derive(host, table, partitions, root))


def _storage(host: Host, mounts: Fact[Mounts], partitions: Fact[Partitions], kernel: Fact[Kernel]) -> Fact[Storage]:
    return mounts if isinstance(mounts, Unknown) else Known(storage_.derive(host, mounts.value, partitions, kernel))


def _package_files(host: Host, kernel: Fact[Kernel], packages: Fact[Packages]) -> Fact[PackageFiles]:
    return settle(lambda: package_files_.derive(host, kernel, packages))


def _not_captured(fact: Fact[T]) -> bool:
    return isinstance(fact, Unknown) and fact.reason.code is Code.NOT_CAPTURED


def _instead(first: Fact[T], second: Fact[T]) -> Fact[T]:
    """Take the other list of the same thing, unless it was not captured either."""
    return first if _not_captured(second) else second
