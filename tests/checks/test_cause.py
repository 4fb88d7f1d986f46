"""What the kernel's words about a disk rest on."""

from typing import Protocol

import msgspec
import pytest

from nodediag.checks.cause import failed
from nodediag.facts.fact import Fact, Known, known
from nodediag.facts.mounts import Mount, Mounts
from nodediag.facts.partitions import Partitions
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Subject
from tests.checks.conftest import WHOLE, part


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


@pytest.fixture
def on_sda(healthy: Make) -> Make:
    """Make the facts of a healthy node whose disk sda is seen with all its partitions."""
    partitions = Known(Partitions(devices=(WHOLE, part("sda1", 1, "STATE"), part("sda8", 8, "OEM")), total=3))

    def made(**facts: object) -> Facts:
        return healthy(partitions=partitions, **facts)

    return made


def turned(facts: Facts, *targets: str) -> Fact[Mounts]:
    """Make the file systems of some mounts read-only as a whole."""
    held = known(facts.mounts)
    assert held is not None

    def change(mount: Mount) -> Mount:
        if mount.target not in targets:
            return mount
        options = tuple(option for option in mount.options if option != "ro")
        return msgspec.structs.replace(mount, options=options, super_options=("ro",))

    return Known(msgspec.structs.replace(held, mounts=tuple(map(change, held.mounts))))


@pytest.mark.parametrize(
    "subjects",
    [
        ("device=sda1",),
        ("device=/dev/sda1", "process=containerd"),
        ("device=sda1-8",),
        ("device=sda", "sector=2099200"),
        ("path=/var/lib/google/a",),
    ],
)
def test_it_is_the_device_that_failed_under_any_of_its_names(subjects: tuple[str, ...], on_sda: Make) -> None:
    seen = on_sda()
    found = failed(on_sda(mounts=turned(seen, "/var", "/home", "/mnt/stateful_partition", "/var/lib/google")))
    assert found.of(subjects) == Subject("device", "/dev/sda1")


@pytest.mark.parametrize(
    "subjects",
    [(), ("process=containerd",), ("device=sdb",), ("device=sda1", "device=sdb"), ("path=/tmp/a",), ("path=a",)],
)
def test_another_device_and_none_rest_on_something_else(subjects: tuple[str, ...], on_sda: Make) -> None:
    assert failed(on_sda(mounts=turned(on_sda(), "/var"))).of(subjects) is msgspec.UNSET


def test_where_nothing_has_failed_nothing_rests_on_it(on_sda: Make) -> None:
    assert failed(on_sda()).of(("device=sda1", "path=/var/a")) is msgspec.UNSET


def test_the_disk_of_two_failed_file_systems_is_not_taken_for_one_of_them(on_sda: Make) -> None:
    found = failed(on_sda(mounts=turned(on_sda(), "/var", "/usr/share/oem")))
    names = {name for name in ("sda", "sda1", "sda8") if found.of((f"device={name}",)) is not msgspec.UNSET}
    assert "sda" not in names
    assert "sda1" in names
