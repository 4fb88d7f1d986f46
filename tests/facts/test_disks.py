"""Which file systems are asked, and what is taken of their answers."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ReadError
from nodediag.facts import disks, mounts
from nodediag.facts.fact import Known, Unknown
from nodediag.facts.mounts import Mounts
from nodediag.facts.partitions import BlockDevice, Partitions
from nodediag.facts.root_slot import RootSlot
from nodediag.host.answer import Failure, VfsStat
from nodediag.host.host import Line
from nodediag.model.evidence import PathEvidence, StatvfsEvidence
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost

UNSEEN = Unknown(Reason(code=Code.NOT_CAPTURED, detail="not there"))
AT_SDB = VfsStat("8:17", 100, 50, 10, 5, read_only=False)
HALF = VfsStat("8:1", 100, 50, 10, 5, read_only=False)


def table(*rows: str) -> Mounts:
    lines = []
    for number, row in enumerate(rows, 21):
        device, target, fstype, source, options, superblock = row.split()
        text = f"{number} 1 {device} / {target} {options} - {fstype} {source} {superblock}"
        lines.append(Line(mounts.PATH, number - 20, text))
    return mounts.parse(tuple(lines), mounts.PATH)


def targets(*rows: str) -> list[str]:
    return [mount.target for mount in disks.local(table(*rows), table(*rows).visible())]


ROOT = "8:1 / ext4 /dev/sda1 rw rw"


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        pytest.param([ROOT, "8:1 /var/lib/kubelet ext4 /dev/sda1 rw rw"], ["/"], id="one, however often mounted"),
        pytest.param(["8:1 /mnt/state ext4 /dev/sda1 rw rw", "8:1 /var ext4 /dev/sda1 rw rw"], ["/var"], id="shortest"),
        pytest.param([ROOT, "0:30 /run tmpfs tmpfs rw rw"], ["/", "/run"], id="memory comes last"),
        pytest.param(["0:30 /run tmpfs tmpfs rw rw", ROOT], ["/", "/run"], id="wherever it stands"),
        pytest.param([ROOT, "0:40 /data nfs4 host:/x rw rw"], ["/"], id="nfs is not touched"),
        pytest.param([ROOT, "0:41 /a cifs //h/x rw rw", "0:42 /b ceph m:/ rw rw"], ["/"], id="nor cifs and ceph"),
        pytest.param([ROOT, "0:43 /c fuse.gcsfuse b rw rw", "0:44 /d 9p x rw rw"], ["/"], id="nor fuse and 9p"),
        pytest.param([ROOT, "8:17 /e fuseblk /dev/sdb1 rw rw"], ["/"], id="nor a disk that a process serves"),
        pytest.param([ROOT, "0:40 /n nfs4 h:/x rw rw", "8:17 /n/d ext4 /dev/sdb1 rw rw"], ["/"], id="nor through it"),
        pytest.param([ROOT, "7:1 /snap/a squashfs /dev/loop1 ro ro"], ["/"], id="a sealed image is always full"),
        pytest.param([ROOT, "8:2 /ro ext4 /dev/sda2 rw ro"], ["/"], id="what cannot be written needs no room"),
        pytest.param([ROOT, "8:1 /home ext4 /dev/sda1 ro rw"], ["/"], id="a bind that is read-only is passed over"),
        pytest.param(
            [ROOT, "8:33 /var/lib/kubelet/pods/u/volumes/kubernetes.io~csi/p/mount ext4 /dev/sdc rw rw"], ["/"],
            id="a pod's own volume",
        ),
        pytest.param([ROOT, "0:50 /run/containerd/io/sandboxes/s/shm tmpfs shm rw rw"], ["/"], id="a sandbox's shm"),
        pytest.param([ROOT, "0:51 /proc proc proc rw rw", "0:52 /x overlay overlay rw rw"], ["/"], id="no file system"),
        pytest.param(
            ["0:31 / btrfs /dev/sda1 rw rw", "0:32 /home btrfs /dev/sda1 rw rw"], ["/"], id="subvolumes are one"
        ),
    ],
)  # fmt: skip
def test_each_local_file_system_is_asked_once(rows: list[str], asked: list[str]) -> None:
    assert targets(*rows) == asked


def test_answers_are_kept_with_their_evidence_and_what_hung_is_named(host: "MakeHost") -> None:
    rows = (ROOT, "8:17 /mnt/disks/a ext4 /dev/sdb1 rw rw", "0:40 /data nfs4 host:/x rw rw")
    found = disks.derive(host({}, statvfs={"/": HALF}), table(*rows), UNSEEN, UNSEEN)
    assert [(one.target, one.available_bytes, one.inodes_free) for one in found.filesystems] == [("/", 50, 5)]
    assert list(found.unread) == ["/mnt/disks/a"]
    assert found.untouched == ("/data",)
    assert found.total == 2


@pytest.mark.parametrize(("fstype", "refused"), [("ext4", True), ("btrfs", False)])
def test_another_file_system_at_the_path_is_not_the_nodes(host: "MakeHost", fstype: str, *, refused: bool) -> None:
    rows = (ROOT, f"8:17 /mnt/disks/a {fstype} /dev/sdb1 rw rw")
    node = host({}, statvfs={"/": HALF, "/mnt/disks/a": HALF})
    found = disks.derive(node, table(*rows), UNSEEN, UNSEEN)
    assert [reason.code for reason in found.unread.values()] == ([Code.OTHER_NAMESPACE] if refused else [])


def test_a_pod_that_is_given_a_folder_of_a_file_system_asks_there(host: "MakeHost") -> None:
    rows = table("253:0 / ext2 /dev/mapper/vroot ro ro", "8:1 /var ext4 /dev/sda1 rw rw")
    pods_own = VfsStat("0:99", 1, 1, 1, 1, read_only=False)
    found = disks.derive(host({}, statvfs={"/var": pods_own, "/var/log/journal": HALF}), rows, UNSEEN, UNSEEN)
    (var,) = found.filesystems
    assert (var.target, var.available_bytes, found.unread) == ("/var", 50, {})
    assert isinstance(var.evidence[0], StatvfsEvidence)
    assert var.evidence[0].path == "/var/log/journal"


def test_a_file_system_that_hangs_is_not_asked_again_at_another_path(host: "MakeHost") -> None:
    slow = Failure(Reason(code=Code.TIMED_OUT, detail="no answer"))
    rows = table(ROOT, "8:17 /mnt/disks/a ext4 /dev/sdb1 rw rw")
    found = disks.derive(host({}, statvfs={"/": slow, "/usr/lib": HALF, "/mnt/disks/a": AT_SDB}), rows, UNSEEN, UNSEEN)
    assert [reason.code for reason in found.unread.values()] == [Code.TIMED_OUT]


def test_without_any_answer_the_first_reason_stands_for_all(host: "MakeHost") -> None:
    with pytest.raises(ReadError) as caught:
        disks.derive(host({}, missing=Code.NOT_CAPTURED), table(ROOT), UNSEEN, UNSEEN)
    assert caught.value.reason.code is Code.NOT_CAPTURED


def test_a_table_without_a_local_file_system_says_so(host: "MakeHost") -> None:
    with pytest.raises(ReadError) as caught:
        disks.derive(host({}), table("0:51 /proc proc proc rw rw"), UNSEEN, UNSEEN)
    assert caught.value.reason.code is Code.ABSENT


def device(name: str, number: str, parent: str = "", on: tuple[str, ...] = ()) -> BlockDevice:
    kind = "dm" if on else "part"
    evidence = PathEvidence(path=f"/sys/class/block/{name}", type="link")
    return BlockDevice(name=name, kind=kind, device=number, parent=parent, on=on, evidence=evidence)


def test_the_boot_disk_is_the_one_below_the_root_whatever_its_name(host: "MakeHost") -> None:
    root = device("nvme1n1p3", "259:3", "nvme1n1")
    state = device("nvme1n1p1", "259:1", "nvme1n1")
    mapped = device("dm-1", "254:1", on=("nvme1n1p1",))
    listed = Known(Partitions(devices=(root, state, mapped), total=3))
    slot = Known(RootSlot(device="dm-0", partitions=(root,)))
    rows = table("254:1 /var ext4 /dev/mapper/state rw rw")
    node = host({}, statvfs={"/var": VfsStat("254:1", 100, 50, 10, 5, read_only=False)})
    found = disks.derive(node, rows, listed, slot)
    assert (found.boot_disk, found.filesystems[0].disk) == ("nvme1n1", "nvme1n1")
