"""Block devices out of lists: lsblk(8), blkid(8)."""

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError, ReadError
from nodediag.facts import partition_lists
from nodediag.facts.partition_lists import Parser
from nodediag.facts.partitions import MOST, BlockDevice, Partitions
from nodediag.host.answer import Content, Failure, Reply
from nodediag.host.ask import Ask, Read
from nodediag.host.host import Host, Line, Seen
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

PATH = "/a/list"
MIB = 1024**2
GIB = 1024**3


class Table:
    """A node that has these files and nothing else."""

    def __init__(self, files: dict[str, str], code: Code = Code.NOT_CAPTURED) -> None:
        self._files = files
        self._code = code

    def answer(self, ask: Ask) -> Reply:
        if isinstance(ask, Read) and ask.path in self._files:
            return Content(self._files[ask.path].encode())
        return Failure(Reason(code=self._code, detail="it is not in the table"))


def host(files: dict[str, str], code: Code = Code.NOT_CAPTURED) -> Host:
    return Host(Table(files, code), Seen(origin=Origin.TREE, root="/t", uid=0))


def lines(text: str) -> tuple[Line, ...]:
    return tuple(Line(PATH, number, one) for number, one in enumerate(text.split("\n"), 1))


def lsblk(text: str) -> Partitions:
    return partition_lists.parse_lsblk(lines(text), PATH)


def blkid(text: str) -> Partitions:
    return partition_lists.parse_blkid(lines(text), PATH)


def named(found: Partitions, name: str) -> BlockDevice:
    device = found.named(name)
    assert device is not None
    return device


COS = """\
NAME      MAJ:MIN RM   SIZE RO TYPE MOUNTPOINT
sda         8:0    0    10G  0 disk
├─sda1      8:1    0 195.9G  0 part /mnt/stateful_partition
├─sda3      8:3    0     2G  0 part
│ └─vroot 253:0    0     2G  1 dm   /
├─sda8      8:8    0    16M  1 part /usr/share/my oem
└─sda12     8:12   0   512B  0 part
sdb         8:16   0    32G  0 disk"""


def drawn_in_ascii(text: str) -> str:
    return text.replace("├─", "|-").replace("└─", "`-").replace("│", "|")


def squeezed(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.split("\n"))


@pytest.mark.parametrize("text", [COS, drawn_in_ascii(COS)], ids=["utf-8", "ascii"])
def test_a_tree_of_lsblk_gives_disks_partitions_and_what_stands_on_them(text: str) -> None:
    found = lsblk(text)
    assert found.total == 7
    assert [(device.name, device.kind, device.device, device.parent, device.number) for device in found.devices] == [
        ("sda", "disk", "8:0", "", 0),
        ("sda1", "part", "8:1", "sda", 1),
        ("sda3", "part", "8:3", "sda", 3),
        ("vroot", "dm", "253:0", "", 0),
        ("sda8", "part", "8:8", "sda", 8),
        ("sda12", "part", "8:12", "sda", 12),
        ("sdb", "disk", "8:16", "", 0),
    ]
    assert {device.name for device in found.devices if device.read_only} == {"vroot", "sda8"}
    assert named(found, "sda8").targets == ("/usr/share/my oem",)
    assert named(found, "sda12").targets == ()
    root = named(found, "vroot")
    assert (root.dm_name, root.on, root.targets) == ("vroot", ("sda3",), ("/",))
    assert [device.name for device in found.below(root)] == ["sda3"]
    assert root.evidence == FileEvidence(path=PATH, line=5, text=text.split("\n")[4])


def test_a_squeezed_table_tells_the_same_but_what_a_mapped_device_stands_on() -> None:
    found = lsblk(squeezed(COS))
    assert [(device.name, device.parent, device.number, device.targets) for device in found.devices] == [
        (device.name, device.parent, device.number, device.targets) for device in lsblk(COS).devices
    ]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("512B", 512),
        ("16M", 16 * MIB),
        ("10G", 10 * GIB),
        ("195.9G", 1959 * GIB // 10),
        ("195,9G", 1959 * GIB // 10),
        ("1.8T", 18 * 1024 * GIB // 10),
        ("2P", 2 * 1024**2 * GIB),
        ("10737418240", 10 * GIB),
        ("8E", -1),
        ("7E", 7 * 1024**3 * GIB),
        ("99999999999999999999E", -1),
        ("many", -1),
        ("", -1),
    ],
)
def test_a_size_is_counted_in_powers_of_1024(size: str, expected: int) -> None:
    text = f"NAME MAJ:MIN RM         SIZE RO TYPE MOUNTPOINT\nsda    8:0    0 {size:>12}  0 disk"
    assert named(lsblk(text), "sda").size_bytes == expected


@pytest.mark.parametrize(
    ("row", "size_bytes", "read_only", "kind", "targets"),
    [
        pytest.param("sda    8:0        10G  1 disk /x", 10 * GIB, True, "disk", ("/x",), id="no RM"),
        pytest.param("sda    8:0    0        1 disk /x", -1, True, "disk", ("/x",), id="no SIZE"),
        pytest.param("sda    8:0    0   10G    disk /x", 10 * GIB, False, "disk", ("/x",), id="no RO"),
        pytest.param("sda    8:0    0   10G  1      /x", 10 * GIB, True, "", ("/x",), id="no TYPE"),
        pytest.param("sda    8:0    0   10G  1 disk", 10 * GIB, True, "disk", (), id="no MOUNTPOINT"),
        pytest.param("sda    8:0             1 disk /a b", -1, True, "disk", ("/a b",), id="most"),
        pytest.param("sda    8:0    0   10G  0 part [SWAP]", 10 * GIB, False, "part", (), id="swap"),
    ],
)
def test_an_empty_cell_moves_no_other(
    row: str, size_bytes: int, *, read_only: bool, kind: str, targets: tuple[str, ...]
) -> None:
    device = named(lsblk(f"NAME MAJ:MIN RM  SIZE RO TYPE MOUNTPOINT\n{row}"), "sda")
    assert (device.size_bytes, device.read_only, device.kind, device.targets) == (size_bytes, read_only, kind, targets)


def test_further_mount_points_stand_below_the_first() -> None:
    found = lsblk("""\
NAME    MAJ:MIN RM  SIZE RO TYPE MOUNTPOINTS
sda       8:0    0  100G  0 disk
├─sda1    8:1    0 99.9G  0 part /var/lib/kubelet
│                                /home/my bin
│                                /
└─sda15   8:15   0  106M  0 part /boot/efi
                                 /efi
sdb       8:16   0  375G  0 disk""")
    assert named(found, "sda1").targets == ("/var/lib/kubelet", "/home/my bin", "/")
    assert named(found, "sda15").targets == ("/boot/efi", "/efi")
    assert found.total == 4


def test_a_device_printed_below_each_of_its_disks_is_one() -> None:
    found = lsblk("""\
NAME          MAJ:MIN RM  SIZE RO TYPE  MOUNTPOINTS
nvme0n1       259:0    0  375G  0 disk
└─md0           9:0    0  750G  0 raid0 /mnt/disks/a
                                        /mnt/disks/b
nvme0n2       259:1    0  375G  0 disk
└─md0           9:0    0  750G  0 raid0 /mnt/disks/a
                                        /mnt/disks/b
sdb             8:16   0   10G  0 disk
└─sdb1          8:17   0   10G  0 part
  └─vg-lv     253:1    0   20G  0 lvm
    └─luks    253:2    0   20G  0 crypt /data
sdc             8:32   0   10G  0 disk
└─vg-lv       253:1    0   20G  0 lvm
  └─luks      253:2    0   20G  0 crypt /data""")
    assert found.total == 8
    raid = named(found, "md0")
    assert (raid.kind, raid.on, raid.targets) == ("raid", ("nvme0n1", "nvme0n2"), ("/mnt/disks/a", "/mnt/disks/b"))
    assert (named(found, "vg-lv").kind, named(found, "vg-lv").on) == ("dm", ("sdb1", "sdc"))
    assert named(found, "luks").on == ("vg-lv",)
    assert [device.name for device in found.below(named(found, "luks"))] == ["sdb1", "sdc"]


@pytest.mark.parametrize(
    ("name", "parent", "number"),
    [
        ("sda12", "sda", 12),
        ("sdaa1", "sdaa", 1),
        ("xvda2", "xvda", 2),
        ("nvme0n1p3", "nvme0n1", 3),
        ("mmcblk0p1", "mmcblk0", 1),
        ("odd", "", 0),
    ],
)
def test_a_list_without_a_tree_names_a_partitions_disk_by_its_own_name(name: str, parent: str, number: int) -> None:
    text = f"NAME      MAJ:MIN RM SIZE RO TYPE MOUNTPOINT\n{name:<9}   8:1    0  10G  0 part"
    device = named(lsblk(text), name)
    assert (device.parent, device.number) == (parent, number)


def test_whole_paths_are_read_as_names() -> None:
    found = lsblk("""\
NAME                MAJ:MIN RM SIZE RO TYPE MOUNTPOINT
/dev/sda              8:0    0  10G  0 disk
└─/dev/sda3           8:3    0   2G  0 part
  └─/dev/mapper/vroot 253:0  0   2G  1 dm   /""")
    assert [device.name for device in found.devices] == ["sda", "sda3", "vroot"]
    assert named(found, "vroot").on == ("sda3",)
    assert named(found, "sda3").parent == "sda"


BLKID = r"""/dev/sda1: LABEL="STATE" UUID="4E2A-77" TYPE="ext4" PARTLABEL="STATE" PARTUUID="5B64-AB-01"
/dev/sda3: TYPE="ext2" PARTLABEL="ROOT-A" PARTUUID="5b64-ab-03"
/dev/sda8: SEC_TYPE="msdos" LABEL_FATBOOT="OEM" LABEL="my \"OEM\" = 1" TYPE="vfat"
/dev/mapper/vroot: LABEL="ROOT" TYPE="ext2"
/dev/nvme0n1: TYPE="ext4"
/dev/loop0: TYPE="squashfs"
/dev/sr0: LABEL="cidata" TYPE="iso9660"
/dev/sda: PTUUID="5B64" PTTYPE="gpt"
blkid: warning: something else"""


def test_blkid_gives_labels_and_types() -> None:
    found = blkid(BLKID)
    assert [(device.name, device.kind, device.parent, device.number, device.fstype) for device in found.devices] == [
        ("sda1", "part", "sda", 1, "ext4"),
        ("sda3", "part", "sda", 3, "ext2"),
        ("sda8", "part", "sda", 8, "vfat"),
        ("vroot", "dm", "", 0, "ext2"),
        ("nvme0n1", "disk", "", 0, "ext4"),
        ("loop0", "loop", "", 0, "squashfs"),
        ("sr0", "rom", "", 0, "iso9660"),
        ("sda", "disk", "", 0, ""),
    ]
    state = named(found, "sda1")
    assert (state.label, state.part_label, state.part_uuid) == ("STATE", "STATE", "5b64-ab-01")
    assert state.size_bytes == -1
    assert named(found, "sda8").label == 'my "OEM" = 1'
    assert named(found, "sda3").names == {"ROOT-A"}
    assert named(found, "vroot").dm_name == "vroot"


def test_a_merge_keeps_what_the_first_tells_and_fills_what_it_left_empty() -> None:
    found = partition_lists.merge(lsblk(COS), blkid(BLKID))
    root = named(found, "vroot")
    assert (root.on, root.label, root.fstype, root.read_only) == (("sda3",), "ROOT", "ext2", True)
    state = named(found, "sda1")
    assert (state.size_bytes, state.label, state.part_uuid) == (1959 * GIB // 10, "STATE", "5b64-ab-01")
    assert [device.name for device in found.devices[7:]] == ["nvme0n1", "loop0", "sr0"]
    assert found.total == 10


def test_a_merge_of_one_list_is_that_list() -> None:
    assert partition_lists.merge(lsblk(COS)) == lsblk(COS)


def test_devices_beyond_the_bound_are_counted() -> None:
    rows = "\n".join(f"d{number} 8:{number} 0 1G 0 disk" for number in range(MOST + 3))
    found = partition_lists.merge(lsblk(f"NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINT\n{rows}"), blkid("/dev/d0: "))
    assert len(found.devices) == MOST
    assert found.total == MOST + 3


LSBLK_FILE = "/sos_commands/block/lsblk"
BLKID_FILE = "/sos_commands/block/blkid_-c_.dev.null"
OLD_BLKID_FILE = "/sos_commands/block/blkid"


@pytest.mark.parametrize(
    ("files", "names", "label"),
    [
        ({LSBLK_FILE: COS, BLKID_FILE: BLKID}, 10, "STATE"),
        ({LSBLK_FILE: COS, OLD_BLKID_FILE: BLKID}, 10, "STATE"),
        ({LSBLK_FILE: COS}, 7, ""),
        ({OLD_BLKID_FILE: BLKID}, 8, "STATE"),
        ({BLKID_FILE: '/dev/sda1: LABEL="NEW"', OLD_BLKID_FILE: '/dev/sda1: LABEL="OLD"'}, 1, "NEW"),
    ],
)
def test_the_lists_that_are_there_are_joined(files: dict[str, str], names: int, label: str) -> None:
    found = partition_lists.collect(host(files))
    assert len(found.devices) == names
    assert named(found, "sda1").label == label


@pytest.mark.parametrize("code", [Code.NOT_CAPTURED, Code.ABSENT, Code.NOT_PERMITTED])
def test_without_any_list_the_first_ones_error_stands(code: Code) -> None:
    with pytest.raises(ReadError) as caught:
        partition_lists.collect(host({}, code))
    assert (caught.value.path, caught.value.reason.code) == (LSBLK_FILE, code)


def test_a_list_that_may_not_be_read_is_not_passed_over() -> None:
    with pytest.raises(ReadError, match=r"blkid_-c"):
        partition_lists.collect(host({LSBLK_FILE: COS}, Code.NOT_PERMITTED))


PARSERS = (partition_lists.parse_lsblk, partition_lists.parse_blkid)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    "text", ["", "\n", "lsblk: command not found", "NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINT", "sda 8:0 0 10G 0 disk"]
)
def test_a_text_without_a_device_is_refused(parser: Parser, text: str) -> None:
    with pytest.raises(ParseError, match="/a/list: found "):
        parser(lines(text), PATH)


def test_a_hundred_thousand_mount_points_of_one_device_are_read() -> None:
    text = (
        "NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINTS\nsda    8:0    0  10G  0 disk /0" + "\n                  /x" * 100_000
    )
    assert len(named(lsblk(text), "sda").targets) == 100_001


WORDS = st.sampled_from([
    "NAME", "MAJ:MIN", "RM", "SIZE", "RO", "TYPE", "MOUNTPOINT", "MOUNTPOINTS", "sda", "├─sda1", "|-vroot", "`-md0",
    "/dev/sda1:", "/dev/mapper/x:", "8:0", "8:1", "0", "1", "10G", "9.9T", "disk", "part", "dm", "raid0", "/", "/x y",
    'LABEL="a"', 'TYPE="', '\\"', " ", "  ", "│ ", "\n", "\nNAME MAJ:MIN RM  SIZE RO TYPE MOUNTPOINT\n",
])  # fmt: skip
TEXTS = st.one_of(
    st.text(), st.lists(st.one_of(WORDS, st.text(max_size=3))).map(" ".join), st.lists(WORDS).map("".join)
)


@pytest.mark.parametrize("parser", PARSERS)
@given(text=TEXTS)
def test_whatever_the_text_there_are_devices_or_a_parse_error(parser: Parser, text: str) -> None:
    try:
        found = parser(lines(text), PATH)
    except ParseError:
        return
    assert found.devices
    assert len({device.name for device in found.devices}) == found.total
    assert all(device.size_bytes >= -1 and device.number >= 0 for device in found.devices)
