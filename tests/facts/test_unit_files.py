"""What somebody put below /etc and /run about units, as systemd.unit(5) has it."""

from typing import Protocol

import pytest

from nodediag.errors import ReadError
from nodediag.facts import unit_files
from nodediag.facts.unit_files import UnitFile
from nodediag.host.answer import Failure, Target
from nodediag.host.host import Host
from nodediag.model.reason import Code, Reason

E = "/etc/systemd/system"
FILES: dict[str, str | Target] = {
    f"{E}/kubelet.service": "[Service]\n",
    f"{E}/own.timer": "[Timer]\n",
    f"{E}/empty.service": "",
    f"{E}/masked.service": Target("/dev/null"),
    f"{E}/dbus-org.freedesktop.x.service": Target("/usr/lib/systemd/system/x.service"),
    f"{E}/notes.txt": "no unit",
    f"{E}/multi-user.target.wants/kubelet.service": Target(f"{E}/kubelet.service"),
    f"{E}/kubernetes.target.requires/own.timer": Target(f"{E}/own.timer"),
    f"{E}/multi-user.target.wants/README": "",
    f"{E}/kubelet.service.d/10-mine.conf": "[Service]\n",
    f"{E}/kubelet.service.d/10-mine.conf.bak": "",
    f"{E}/service.d/all.conf": "",
    "/run/systemd/system/late.service": Target("/dev/null"),
    "/run/systemd/system.control/containerd.service.d/50-MemoryMax.conf": "",
    "/usr/lib/systemd/system/kubelet.service": "[Service]\n",
    "/usr/lib/systemd/system/multi-user.target.wants/image.service": Target("../image.service"),
}


class MakeHost(Protocol):
    def __call__(self, files: dict[str, str | Target | Failure], *, missing: Code = ...) -> Host: ...


def test_files_masks_links_and_drop_ins_are_told_apart(host: MakeHost) -> None:
    found = unit_files.collect(host({**FILES}))
    assert found.files == (
        UnitFile(unit="kubelet.service", path=f"{E}/kubelet.service", over="/usr/lib/systemd/system/kubelet.service"),
        UnitFile(unit="own.timer", path=f"{E}/own.timer"),
    )
    assert [file.unit for file in found.masked] == ["empty.service", "masked.service", "late.service"]
    assert [file.unit for file in found.enabled] == ["own.timer", "kubelet.service"]
    assert [(file.unit, file.path.rpartition("/")[2]) for file in found.drop_ins] == [
        ("kubelet.service", "10-mine.conf"), ("service", "all.conf"), ("containerd.service", "50-MemoryMax.conf"),
    ]  # fmt: skip
    mask = found.mask("masked.service")
    assert mask is not None
    assert mask.evidence.path == f"{E}/masked.service"
    assert found.mask("kubelet.service") is None


def test_a_node_without_any_has_none(host: MakeHost) -> None:
    found = unit_files.collect(host({}))
    assert (found.files, found.masked, found.enabled, found.drop_ins) == ((), (), (), ())


def test_a_place_that_was_not_captured_leaves_all_open(host: MakeHost) -> None:
    with pytest.raises(ReadError) as caught:
        unit_files.collect(host({**FILES}, missing=Code.NOT_CAPTURED))
    assert caught.value.reason.code is Code.NOT_CAPTURED


def test_a_file_that_may_not_be_looked_at_leaves_all_open_and_is_no_mask(host: MakeHost) -> None:
    denied = Failure(Reason(code=Code.NOT_PERMITTED, detail="denied"))
    with pytest.raises(ReadError) as caught:
        unit_files.collect(host({**FILES, f"{E}/odd.service": denied}))
    assert caught.value.reason.code is Code.NOT_PERMITTED


def test_a_plain_file_is_no_blind_spot(host: MakeHost) -> None:
    whole = host({**FILES})
    unit_files.collect(whole)
    assert whole.blind_spots() == ()


def test_a_folder_of_very_many_names_is_not_read_through(host: MakeHost) -> None:
    many: dict[str, str | Target | Failure] = {f"{E}/a{number}.service": "x" for number in range(2001)}
    with pytest.raises(ReadError) as caught:
        unit_files.collect(host(many))
    assert caught.value.reason.code is Code.TOO_LARGE
