"""The running kernel and its taints."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ReadError
from nodediag.facts import kernel
from nodediag.host.answer import Failure, UnameAnswer
from nodediag.model.evidence import UnameEvidence
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost

NAME = UnameAnswer("Linux", "node-1", "6.6.97+", "#1 SMP Sat Aug  9 2025", "x86_64")


@pytest.mark.parametrize(
    ("mask", "taints"),
    [
        (0, ()),
        (1, ("proprietary module",)),
        (1 << 7, ("died (oops or bug)",)),
        (1 << 9, ("warning",)),
        ((1 << 12) | (1 << 13), ("out-of-tree module", "unsigned module")),
        (1 << 14, ("soft lockup",)),
        (1 << 18, ("in-kernel test",)),
        (1 << 40, ("bit 40",)),
    ],
)
def test_each_bit_of_the_mask_has_its_name(mask: int, taints: tuple[str, ...]) -> None:
    assert kernel.decode(mask) == taints


def test_the_kernel_is_asked(host: "MakeHost") -> None:
    found = kernel.collect(host({kernel.TAINT_PATH: "4096\n"}, uname=NAME))
    assert (found.release, found.version, found.machine) == ("6.6.97+", "#1 SMP Sat Aug  9 2025", "x86_64")
    assert (found.taints, found.taints_known) == (("out-of-tree module",), True)
    assert found.evidence == UnameEvidence(text="Linux 6.6.97+ #1 SMP Sat Aug  9 2025 x86_64")


@pytest.mark.parametrize("text", ["", "many", "-1", "1_0", "\u0663", "1.0", "9" * 21, "9" * 5000])
def test_a_mask_that_is_none_is_not_known(host: "MakeHost", text: str) -> None:
    found = kernel.collect(host({kernel.TAINT_PATH: text}, uname=NAME))
    assert (found.taints, found.taints_known) == ((), False)


def test_without_the_mask_taints_are_not_known(host: "MakeHost") -> None:
    assert not kernel.collect(host({}, uname=NAME)).taints_known


@pytest.mark.parametrize(
    ("files", "release"),
    [
        ({"/proc/sys/kernel/osrelease": "5.15.1+\n", "/proc/version": "Linux version 1.2 (x)"}, "5.15.1+"),
        ({"/proc/version": "Linux version 6.6.97+ (builder@x) (Chromium OS 17.0 clang)"}, "6.6.97+"),
        ({"/proc/version": "FreeBSD 14", "/proc/cmdline": "BOOT_IMAGE=/vmlinuz-5.4.0-1039-gke x"}, "5.4.0-1039-gke"),
        ({"/proc/cmdline": "BOOT_IMAGE=/vmlinuz-6.8.0-gcp"}, "6.8.0-gcp"),
    ],
)  # fmt: skip
def test_a_capture_without_uname_may_keep_the_release(host: "MakeHost", files: dict[str, str], release: str) -> None:
    found = kernel.collect(host({**files}, missing=Code.NOT_CAPTURED))
    assert (found.release, found.version, found.machine) == (release, "unknown", "unknown")


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"/proc/version": "Linux version"},
        {"/proc/cmdline": "BOOT_IMAGE=/syslinux/vmlinuz.A quiet"},
        {"/proc/cmdline": "BOOT_IMAGE=/vmlinuz- quiet"},
        {"/proc/sys/kernel/osrelease": "\n"},
    ],
)
def test_a_capture_that_keeps_no_release_does_not_know_the_kernel(host: "MakeHost", files: dict[str, str]) -> None:
    with pytest.raises(ReadError) as caught:
        kernel.collect(host({**files}, missing=Code.NOT_CAPTURED))
    assert (caught.value.path, caught.value.reason.code) == ("uname", Code.NOT_CAPTURED)


def test_a_kernel_that_will_not_answer_is_not_guessed_from_files(host: "MakeHost") -> None:
    refused = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))
    with pytest.raises(ReadError):
        kernel.collect(host({"/proc/sys/kernel/osrelease": "1.2", kernel.TAINT_PATH: refused}))
