"""Three answers kept apart: what the kernel can, what user space can, what is in use."""

from typing import TYPE_CHECKING

import pytest

from nodediag.facts import kernel, mounts, storage
from nodediag.facts.fact import Fact, Known, Unknown, known, need
from nodediag.facts.kernel import Kernel
from nodediag.facts.mounts import Mounts
from nodediag.facts.partitions import BlockDevice, Partitions
from nodediag.facts.storage import KernelCan, Storage, Support
from nodediag.host.answer import Failure
from nodediag.host.host import Line
from nodediag.model.evidence import FileEvidence, PathEvidence, UnameEvidence
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from nodediag.host.host import Host
    from tests.conftest import Files, MakeHost

MODULES = "/lib/modules/6.6.97+/modules"
REFUSED = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))
RUNNING: Fact[Kernel] = Known(
    Kernel(
        release="6.6.97+", version="#1", machine="x86_64", taints=kernel.decode(0), taints_known=True,
        evidence=UnameEvidence(text="6.6.97+"),
    )
)  # fmt: skip
FILES: "Files" = {
    storage.FILESYSTEMS_PATH: "nodev\tsysfs\n\text4\n\txfs\nnodev\tnfs4\n",
    storage.MODULES_PATH: "iscsi_tcp 24576 1 - Live 0x0000000000000000\nxfs 2031616 1 - Live 0x0000000000000000\n",
    f"{MODULES}.builtin": "kernel/fs/ext4/ext4.ko\nkernel/fs/nfs/nfsv3.ko\n",
    f"{MODULES}.dep": "kernel/fs/ceph/ceph.ko.xz: kernel/net/ceph/libceph.ko.xz\nkernel/fs/nfs/nfsv4.ko.xz:\n",
    "/usr/sbin/mkfs.ext4": "",
    "/sbin/mount.nfs": "",
    "/home/kubernetes/containerized_mounter/mounter": "",
    "/sys/class/iscsi_session/session1": "",
}
DISKS: Fact[Partitions] = Known(Partitions(devices=(), total=0))


def table(*rows: str, root: bool = True) -> Mounts:
    first = ("/dev/sda1 8:1 / ext4", "proc 0:5 /proc proc") if root else ()
    lines = []
    for number, row in enumerate((*first, *rows), 1):
        source, device, target, fstype = row.split()
        lines.append(Line(mounts.PATH, number, f"{number} 0 {device} / {target} rw - {fstype} {source} rw"))
    return mounts.parse(tuple(lines), mounts.PATH)


def found(host: "Host", listed: Mounts | None = None, disks: Fact[Partitions] = DISKS) -> Storage:
    return storage.derive(host, listed or table(), disks, RUNNING)


def can(found: Storage, name: str) -> KernelCan:
    answer = found.volumes[name].kernel
    assert isinstance(answer, Known)
    return answer.value


@pytest.mark.parametrize(
    ("name", "support", "line"),
    [
        ("persistent-disk-ext4", Support.BUILTIN, FileEvidence(path="/proc/filesystems", line=2, text="ext4")),
        ("persistent-disk-xfs", Support.LOADED, None),
        ("nfs-v3", Support.BUILTIN, FileEvidence(path=f"{MODULES}.builtin", line=2, text="kernel/fs/nfs/nfsv3.ko")),
        ("nfs-v4", Support.MODULE, FileEvidence(path=f"{MODULES}.dep", line=2, text="kernel/fs/nfs/nfsv4.ko.xz")),
        ("cephfs", Support.MODULE, FileEvidence(path=f"{MODULES}.dep", line=1, text="kernel/fs/ceph/ceph.ko.xz")),
        ("iscsi", Support.LOADED, None),
        ("rbd", Support.NONE, None),
    ],
)
def test_the_kernels_answer_names_the_line_it_stands_on(
    name: str, support: Support, line: FileEvidence | None, host: "MakeHost"
) -> None:
    answer = can(found(host({**FILES})), name)
    assert answer.support is support
    assert line is None or answer.evidence == (line,)
    assert bool(answer.evidence) is (support is not Support.NONE)


def test_a_loaded_module_is_found_on_the_first_line_too(host: "MakeHost") -> None:
    answer = can(found(host({**FILES})), "iscsi")
    assert answer.evidence == (
        FileEvidence(path=storage.MODULES_PATH, line=1, text="iscsi_tcp 24576 1 - Live 0x0000000000000000"),
    )


@pytest.mark.parametrize("path", [f"{MODULES}.dep", f"{MODULES}.builtin", storage.MODULES_PATH])
def test_a_list_of_modules_that_cannot_be_read_leaves_open_what_is_in_no_other(path: str, host: "MakeHost") -> None:
    answer = found(host({**FILES, path: REFUSED})).volumes["rbd"].kernel
    assert isinstance(answer, Unknown)
    assert answer.reason == REFUSED.reason


def test_a_pod_that_was_given_usr_lib_alone_finds_the_modules_there(host: "MakeHost") -> None:
    lists = {f"/usr{path}": text for path, text in FILES.items() if path.startswith("/lib/")}
    given = {path: text for path, text in FILES.items() if path.startswith("/proc/")} | lists
    told = found(host(given, missing=Code.NOT_CAPTURED))
    assert can(told, "cephfs").evidence[0] == FileEvidence(
        path=f"/usr{MODULES}.dep", line=1, text="kernel/fs/ceph/ceph.ko.xz"
    )
    assert can(told, "rbd").support is Support.NONE


def test_without_the_running_release_only_what_is_there_already_is_known(host: "MakeHost") -> None:
    nothing = Unknown(Reason(code=Code.NOT_CAPTURED, detail="no release"))
    told = storage.derive(host({**FILES}), table(), DISKS, nothing)
    assert can(told, "iscsi").support is Support.LOADED
    assert told.volumes["cephfs"].kernel == nothing


def test_helpers_are_found_by_path_and_gkes_own_mounter_counts_for_nfs(host: "MakeHost") -> None:
    volumes = found(host({**FILES})).volumes
    paths = {name: one.helper.value.path for name, one in volumes.items() if isinstance(one.helper, Known)}
    assert paths == {
        "persistent-disk-ext4": "/usr/sbin/mkfs.ext4", "persistent-disk-xfs": "", "nfs-v3": "/sbin/mount.nfs",
        "nfs-v4": "/home/kubernetes/containerized_mounter/mounter", "cephfs": "", "rbd": "", "iscsi": "",
    }  # fmt: skip


def test_a_helper_that_was_not_captured_is_not_absent(host: "MakeHost") -> None:
    answer = found(host({**FILES}, missing=Code.NOT_CAPTURED)).volumes["rbd"].helper
    assert isinstance(answer, Unknown)
    assert answer.reason.code is Code.NOT_CAPTURED


def test_mounts_sessions_and_devices_are_in_use(host: "MakeHost") -> None:
    listed = table(
        "10.0.0.2:/x 0:50 /a nfs4", "10.0.0.2:/x 0:50 /b nfs4", "mon:/ 0:51 /c ceph",
        "/dev/sdx 8:80 /var/lib/kubelet/pods/1/volumes/kubernetes.io~cinder/v ext4",
    )  # fmt: skip
    link = PathEvidence(path="/sys/class/block/rbd0", type="link")
    disks = tuple(
        BlockDevice(name=name, kind=kind, evidence=link) for name, kind in (("rbd0", "disk"), ("rbd0p1", "part"))
    )
    volumes = found(host({**FILES}), listed, Known(Partitions(devices=disks, total=2))).volumes
    used = {name: [use.what for use in need(one.in_use).uses] for name, one in volumes.items()}
    assert {name: what for name, what in used.items() if what} == {
        "persistent-disk-ext4": ["/dev/sda1 on /"], "nfs-v4": ["10.0.0.2:/x on /a"], "cephfs": ["mon:/ on /c"],
        "rbd": ["rbd0"], "iscsi": ["session1"],
        "cinder": ["/dev/sdx on /var/lib/kubelet/pods/1/volumes/kubernetes.io~cinder/v"],
    }  # fmt: skip


def test_of_many_volumes_some_are_named_and_all_are_counted(host: "MakeHost") -> None:
    listed = table(*(f"server:/{number} 0:{number} /v/{number} nfs" for number in range(100, 130)))
    uses = need(found(host({**FILES}), listed).volumes["nfs-v3"].in_use)
    assert (len(uses.uses), uses.total) == (storage.MOST, 30)


def test_a_list_without_root_or_a_class_that_was_not_captured_leaves_use_open(host: "MakeHost") -> None:
    volumes = found(host({}, missing=Code.NOT_CAPTURED), table("mon:/ 0:51 /c ceph", root=False)).volumes
    known_uses = {name for name, one in volumes.items() if known(one.in_use) is not None}
    assert known_uses == {"cephfs", "rbd"}


def test_a_kernel_that_lacks_a_class_has_no_such_device(host: "MakeHost") -> None:
    volumes = found(host({})).volumes
    assert need(volumes["iscsi"].in_use).total == need(volumes["fibre-channel"].in_use).total == 0


def test_disks_that_were_not_seen_leave_rbd_open(host: "MakeHost") -> None:
    nothing = Unknown(Reason(code=Code.NOT_CAPTURED, detail="no sysfs"))
    assert found(host({}), disks=nothing).volumes["rbd"].in_use == nothing
