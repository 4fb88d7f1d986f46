"""Block devices out of sysfs and udev's database."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ReadError
from nodediag.facts import partitions
from nodediag.facts.partitions import MOST, BlockDevice, Partitions
from nodediag.host.answer import Content, Failure, Names, Reply, Target
from nodediag.host.ask import Ask, List, Read, Readlink
from nodediag.host.host import Host, Seen
from nodediag.model.evidence import PathEvidence
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

if TYPE_CHECKING:
    from tests.conftest import MakeHost

CLASS = partitions.PATH
SDA1 = "../../devices/pci0000:00/0000:00:03.0/virtio0/host0/target0:0:1/0:0:1:0/block/sda/sda1"
COS = {
    f"{CLASS}/sda/uevent": "MAJOR=8\nMINOR=0\nDEVNAME=sda\nDEVTYPE=disk\n",
    f"{CLASS}/sda/size": "20971520\n",
    f"{CLASS}/sda1/uevent": "MAJOR=8\nMINOR=1\nDEVNAME=sda1\nDEVTYPE=partition\nPARTN=1\nPARTUUID=AB-1\n",
    f"{CLASS}/sda1/size": "8000000\n",
    "/run/udev/data/b8:1": "S:by-label/STATE\nE:ID_FS_LABEL=STATE\nE:ID_FS_TYPE=ext4\nE:ID_PART_ENTRY_NAME=STATE\n",
    f"{CLASS}/sda3/uevent": "MAJOR=8\nMINOR=3\nDEVTYPE=partition\nPARTN=3\nPARTNAME=ROOT-A\n",
    "/run/udev/data/b8:3": "E:ID_PART_ENTRY_UUID=AB-3\nE:ID_PART_ENTRY_NAME=OTHER\n",
    f"{CLASS}/dm-0/uevent": "MAJOR=254\nMINOR=0\nDEVTYPE=disk\n",
    f"{CLASS}/dm-0/ro": "1\n",
    f"{CLASS}/dm-0/dm/name": "vroot\n",
    f"{CLASS}/dm-0/dm/uuid": "CRYPT-VERITY-1\n",
    f"{CLASS}/dm-0/slaves/sda3/size": "1\n",
    f"{CLASS}/loop0/uevent": "MAJOR=7\nMINOR=0\nDEVTYPE=disk\n",
    f"{CLASS}/loop0/size": "0\n",
    f"{CLASS}/loop1/uevent": "MAJOR=7\nMINOR=1\nDEVTYPE=disk\n",
    f"{CLASS}/loop1/size": "8\n",
    f"{CLASS}/ram0/size": "8\n",
    f"{CLASS}/sr0/uevent": "DEVTYPE=disk\n",
}


class Linked:
    """A node that has these files, and a link for each device."""

    def __init__(self, files: dict[str, str], links: dict[str, str]) -> None:
        self._files = files
        self._links = links

    def answer(self, ask: Ask) -> Reply:
        if isinstance(ask, Read) and ask.path in self._files:
            return Content(self._files[ask.path].encode())
        if isinstance(ask, Readlink) and ask.path in self._links:
            return Target(self._links[ask.path])
        if isinstance(ask, List):
            names = {
                file.removeprefix(ask.path + "/").split("/")[0] for file in self._files if file.startswith(ask.path)
            }
            return Names(tuple(sorted(names)))
        return Failure(Reason(code=Code.ABSENT, detail="it is not there"))


def named(found: Partitions, name: str) -> BlockDevice:
    device = found.named(name)
    assert device is not None
    return device


def test_sysfs_tells_disks_partitions_and_mapped_devices(host: "MakeHost") -> None:
    found = partitions.collect(host({**COS}))
    assert [(device.name, device.kind, device.device, device.size_bytes) for device in found.devices] == [
        ("dm-0", "dm", "254:0", -1),
        ("loop1", "loop", "7:1", 4096),
        ("sda", "disk", "8:0", 10 * 1024**3),
        ("sda1", "part", "8:1", 8000000 * 512),
        ("sda3", "part", "8:3", -1),
        ("sr0", "rom", "", -1),
    ]
    assert found.total == 6


def test_udev_gives_labels_and_the_kernels_own_win(host: "MakeHost") -> None:
    found = partitions.collect(host({**COS}))
    state, root = named(found, "sda1"), named(found, "sda3")
    assert (state.number, state.label, state.part_label, state.part_uuid, state.fstype) == (
        1, "STATE", "STATE", "ab-1", "ext4",
    )  # fmt: skip
    assert state.names == {"STATE"}
    assert (root.part_label, root.part_uuid, list(root.names)) == ("ROOT-A", "ab-3", ["ROOT-A"])


def test_a_mapped_device_is_known_by_either_name_and_stands_on_a_partition(host: "MakeHost") -> None:
    found = partitions.collect(host({**COS}))
    root = named(found, "vroot")
    assert root is named(found, "dm-0")
    assert (root.read_only, root.dm_uuid, root.on) == (True, "CRYPT-VERITY-1", ("sda3",))
    assert [device.name for device in found.below(root)] == ["sda3"]
    assert found.numbered("254:0") is root
    assert (found.named(""), found.numbered(""), found.named("sdz")) == (None, None, None)


def test_the_link_of_a_partition_names_its_disk() -> None:
    source = Linked(COS, {f"{CLASS}/sda1": SDA1, f"{CLASS}/sda3": "sda3"})
    found = partitions.collect(Host(source, Seen(origin=Origin.TREE, root="/t", uid=0)))
    assert [named(found, name).parent for name in ("sda1", "sda3", "sda")] == ["sda", "", ""]
    assert named(found, "sda1").evidence == PathEvidence(path=f"{CLASS}/sda1", type="link", target=SDA1)


@pytest.mark.parametrize(
    ("size", "size_bytes"),
    [
        ("8", 4096), ("0", 0), ("", -1), ("-8", -1), ("8.0", -1), ("1_0", -1), ("\u0663", -1),
        ("9" * 15, 999_999_999_999_999 * 512), ("9" * 16, -1), ("9" * 5000, -1),
    ],
)  # fmt: skip
def test_a_size_that_is_none_is_not_known(host: "MakeHost", size: str, size_bytes: int) -> None:
    found = partitions.collect(host({f"{CLASS}/sda/size": size}))
    assert named(found, "sda").size_bytes == size_bytes


@pytest.mark.parametrize("number", ["", "x", "-1", "\u0663", "9" * 5000])
def test_a_number_that_is_none_is_zero(host: "MakeHost", number: str) -> None:
    found = partitions.collect(host({f"{CLASS}/sda1/uevent": f"DEVTYPE=partition\nPARTN={number}\nodd\n=x"}))
    assert named(found, "sda1").number == 0


def test_what_a_device_is_stays_empty_where_it_is_not_told(host: "MakeHost") -> None:
    device = named(partitions.collect(host({f"{CLASS}/sda1/size": "8"})), "sda1")
    assert (device.kind, device.device, device.parent) == ("", "", "")


def test_devices_beyond_the_bound_are_counted(host: "MakeHost") -> None:
    found = partitions.collect(host({f"{CLASS}/sd{number:04}/size": "8" for number in range(MOST + 5)}))
    assert (len(found.devices), found.total) == (MOST, MOST + 5)


def test_without_sysfs_nothing_is_known(host: "MakeHost") -> None:
    with pytest.raises(ReadError) as caught:
        partitions.collect(host({}, missing=Code.NOT_CAPTURED))
    assert caught.value.path == CLASS


def standing(on: dict[str, tuple[str, ...]]) -> Partitions:
    devices = tuple(
        BlockDevice(name=name, kind="dm", on=lower, evidence=PathEvidence(path=name, type="link"))
        for name, lower in on.items()
    )
    return Partitions(devices=devices, total=len(devices))


@pytest.mark.parametrize(
    ("on", "below"),
    [
        pytest.param({"a": ()}, ["a"], id="itself"),
        pytest.param({"a": ("b",), "b": ("c",), "c": ()}, ["c"], id="chain"),
        pytest.param({"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}, ["d"], id="diamond"),
        pytest.param({"a": ("c", "b"), "b": (), "c": ()}, ["c", "b"], id="order"),
        pytest.param({"a": ("gone", "b"), "b": ()}, ["b"], id="one is gone"),
        pytest.param({"a": ("gone",)}, [], id="gone"),
        pytest.param({"a": ("a",)}, [], id="itself again"),
        pytest.param({"a": ("b",), "b": ("a",)}, [], id="loop of two"),
        pytest.param({"a": ("b",), "b": ("c",), "c": ("a", "d"), "d": ()}, ["d"], id="loop of three"),
    ],
)
def test_below_a_device_is_what_it_finally_stands_on(on: dict[str, tuple[str, ...]], below: list[str]) -> None:
    found = standing(on)
    assert [device.name for device in found.below(named(found, "a"))] == below


def test_a_deep_pile_of_devices_is_no_trouble() -> None:
    found = standing({str(depth): (str(depth + 1),) if depth < 1500 else () for depth in range(1501)})
    assert [device.name for device in found.below(named(found, "0"))] == ["1500"]


NAMES = st.sampled_from("abcdef")


@given(on=st.dictionaries(NAMES, st.lists(NAMES, max_size=3).map(tuple), min_size=1))
def test_however_devices_stand_on_each_other_the_way_down_ends(on: dict[str, tuple[str, ...]]) -> None:
    found = standing(on)
    for device in found.devices:
        below = found.below(device)
        assert len(set(below)) == len(below)
        assert not any(lower.on for lower in below)
