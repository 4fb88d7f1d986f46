"""Which operating system: os-release names it; without one, two independent marks do; short of that, what is told.

A mark must be one that no look-alike has. ChromeOS, Flatcar and others share much of COS's layout: the read-only root,
the stateful partition, /usr/share/oem, a BUILD_ID. None of that counts here.
"""

import re
from collections.abc import Callable
from typing import Final

from nodediag.facts.fact import Known, known
from nodediag.facts.mounts import Backing, Mount
from nodediag.facts.snapshot import Facts
from nodediag.images import told
from nodediag.images.decision import Decision, found, present, short
from nodediag.model.image import Finding, OsFamily

_ENOUGH: Final = 2
_NEEDS: Final = "/etc/os-release, or /proc/1/mountinfo and /proc/cmdline, or --node-object FILE"
_NAMED: Final = {"cos": OsFamily.COS, "ubuntu": OsFamily.UBUNTU}
UBUNTU_KERNEL: Final = re.compile(r"\d+\.\d+\.\d+-\d+-(?:generic|gke|gcp|aws|azure|oracle|kvm|lowlatency|virtual)")
_COS_LABELS: Final = frozenset({"STATE", "KERN-A", "ROOT-A", "KERN-B", "ROOT-B", "OEM", "RWFW", "EFI-SYSTEM"})
_COS_NUMBERS: Final = frozenset(range(1, 13))
_CLOUD_IMAGE_NUMBERS: Final = frozenset({1, 14, 15})
_CLOUD_IMAGE_BOOT: Final = 16  # /boot, from 24.04 on
_KUBERNETES_HOME: Final = "/home/kubernetes/"
_COS_BOARD: Final = "lakitu"
_SHARED_NAMES: Final = frozenset({"chromium os", "container-optimized os"})  # COS is built from ChromiumOS


def decide(facts: Facts) -> Decision[OsFamily]:
    """Decide by name, then by marks, then by what the node's object or instance tells."""
    release = known(facts.os_release)
    if release is None:
        own = _by_lsb(facts) or _by_marks(facts)
        word = told.family(facts) if own.value is OsFamily.UNKNOWN else None
        return own if word is None else Decision(value=word[0], findings=(*own.findings, word[1]))
    value = _NAMED.get(release.id, OsFamily.OTHER)
    return Decision(value=value, findings=(found(f"os-release: ID={release.id}", release.evidence("ID")),))


def _by_lsb(facts: Facts) -> Decision[OsFamily] | None:
    """Decide by Ubuntu's lsb-release or ChromeOS's. COS keeps the latter too, for its own board, lakitu."""
    lsb = known(facts.lsb_release)
    for key in ("DISTRIB_ID", "CHROMEOS_RELEASE_BOARD", "CHROMEOS_RELEASE_NAME") if lsb is not None else ():
        named = lsb.fields.get(key, "").lower() if lsb is not None else ""
        if lsb is None or not named or (key == "CHROMEOS_RELEASE_NAME" and named in _SHARED_NAMES):
            continue
        value = OsFamily.COS if named.startswith(_COS_BOARD) else _NAMED.get(named, OsFamily.OTHER)
        return Decision(value=value, findings=(found(f"lsb-release: {key}={lsb.fields[key]}", lsb.lines[key]),))
    return None


def _by_marks(facts: Facts) -> Decision[OsFamily]:
    cos = () if _is_chromeos(facts) else present(mark(facts) for mark in _COS_MARKS)
    ubuntu = present(mark(facts) for mark in _UBUNTU_MARKS)
    if len(cos) >= _ENOUGH > len(ubuntu):
        return Decision(value=OsFamily.COS, findings=cos)
    if len(ubuntu) >= _ENOUGH > len(cos):
        return Decision(value=OsFamily.UBUNTU, findings=ubuntu)
    detail = "no os-release was seen, and fewer than two independent marks name the operating system"
    if len(cos) >= _ENOUGH:
        detail = "no os-release was seen, and there are marks of both COS and Ubuntu"
    return Decision(value=OsFamily.UNKNOWN, findings=(*cos, *ubuntu), open=short(detail, _NEEDS))


def _is_chromeos(facts: Facts) -> bool:
    """Tell what ChromeOS and its kin have and COS has not."""
    if isinstance(facts.cmdline, Known) and facts.cmdline.value.has("cros_secure"):
        return True
    mounts, partitions = known(facts.mounts), known(facts.partitions)
    if partitions is not None and partitions.named("encstateful") is not None:  # its encrypted /var
        return True
    return mounts is not None and any(_chromium_mount(mount) for mount in mounts.mounts)


def _chromium_mount(mount: Mount) -> bool:
    """Tell a mount of ChromeOS, or one of the names that the images before COS gave to two of their tmpfs."""
    if "commit=600" in (*mount.options, *mount.super_options) or mount.target == "/mnt/stateful_partition/encrypted":
        return True
    return (mount.source, mount.target) in {("media", "/media"), ("shmfs", "/dev/shm")}  # noqa: S108


def _boot_loader(facts: Facts) -> Finding | None:
    cmdline = known(facts.cmdline)
    if cmdline is None or not cmdline.boots_cos:
        return None
    return found("COS's boot loader started the kernel (cros_efi)", cmdline.evidence)


def _vroot(facts: Facts) -> Finding | None:
    """Find the verity device `vroot`: on the command line, under the root, or in a list of block devices."""
    cmdline, mounts, partitions = known(facts.cmdline), known(facts.mounts), known(facts.partitions)
    if cmdline is not None and cmdline.boots_cos:
        return found("the root is the verity device vroot", cmdline.evidence)
    root = mounts.at("/") if mounts else None
    if root is not None and root.source == "/dev/mapper/vroot" and not root.writable:
        return found("the root is /dev/mapper/vroot, read-only", root.evidence)
    device = partitions.named("vroot") if partitions else None
    if device is not None and device.read_only:
        return found("the device-mapper device vroot is read-only", device.evidence)
    return None


def _etc_overlay(facts: Facts) -> Finding | None:
    mounts = known(facts.mounts)
    etc = mounts.at("/etc") if mounts else None
    if etc is None:
        return None
    ours = etc.fstype == "overlay" and etc.backing is Backing.MEMORY
    if ours or (etc.source == "overlayfs" and not etc.options_known):
        return found("/etc is an overlay whose upper layer is a hidden tmpfs", etc.evidence)
    return None


def _stateful_commit(facts: Facts) -> Finding | None:
    mounts = known(facts.mounts)
    for mount in mounts.mounts if mounts else ():
        named = mount.source.startswith("/dev/mapper/protected_stateful_partition")
        if named or (mount.fstype == "ext4" and "commit=30" in (*mount.options, *mount.super_options)):
            return found("the stateful partition is mounted as COS mounts it (commit=30)", mount.evidence)
    return None


def _google_folders(facts: Facts) -> Finding | None:
    mounts = known(facts.mounts)
    for path in ("/var/lib/google", "/var/lib/toolbox"):
        mount = mounts.at(path) if mounts else None
        if mount is not None and mount.backing is Backing.DISK:
            return found(f"{path} is a mount of its own", mount.evidence)
    return None


def _small_tmpfs(facts: Facts) -> Finding | None:
    mounts = known(facts.mounts)
    pair = [mounts.at(path) if mounts else None for path in ("/mnt/disks", "/var/lib/cloud")]
    if all(mount is not None and "tmpfs" in {mount.source, mount.fstype} for mount in pair) and pair[0] is not None:
        return found("/mnt/disks and /var/lib/cloud are tmpfs", pair[0].evidence)
    return None


def _partition_table(facts: Facts) -> Finding | None:
    """Find the twelve partitions of ChromiumOS's layout: by their labels, or by number and where two are mounted."""
    partitions = known(facts.partitions)
    for disk in partitions.devices if partitions else ():
        parts = [part for part in (partitions.devices if partitions else ()) if part.parent == disk.name]
        labels = {name for part in parts for name in part.names}
        numbers = {part.number for part in parts}
        mounted = {part.number: part.targets for part in parts}
        by_number = numbers == _COS_NUMBERS and "/mnt/stateful_partition" in mounted[1]
        if labels >= _COS_LABELS or by_number:
            return found(f"{disk.name} has COS's twelve partitions", disk.evidence)
    return None


def _kubernetes_on_it(facts: Facts) -> Finding | None:
    """Find Kubernetes' own folders on a disk of that layout: no other system with it is a Kubernetes node."""
    partitions = known(facts.partitions)
    if partitions is None or _partition_table(facts) is None:
        return None
    for device in partitions.devices:
        if any(target.startswith(_KUBERNETES_HOME) for target in device.targets):
            return found(f"{device.name} is mounted below {_KUBERNETES_HOME}", device.evidence)
    return None


def _cloud_image_root(facts: Facts) -> Finding | None:
    cmdline = known(facts.cmdline)
    if cmdline is not None and cmdline.last("root") == "LABEL=cloudimg-rootfs":
        return found("the root is that of Ubuntu's cloud images (LABEL=cloudimg-rootfs)", cmdline.evidence)
    return None


def _ubuntu_kernel(facts: Facts) -> Finding | None:
    kernel = known(facts.kernel)
    if kernel is not None and (UBUNTU_KERNEL.fullmatch(kernel.release) or "-Ubuntu" in kernel.version):
        return found(f"the kernel is Ubuntu's ({kernel.release})", kernel.evidence)
    return None


def _cloud_image_table(facts: Facts) -> Finding | None:
    """Find Ubuntu's cloud image: root on partition 1, BIOS boot on 14, EFI on 15."""
    partitions = known(facts.partitions)
    for disk in partitions.devices if partitions else ():
        parts = [part for part in (partitions.devices if partitions else ()) if part.parent == disk.name]
        mounted = {part.number: part.targets for part in parts}
        if set(mounted) - {_CLOUD_IMAGE_BOOT} == _CLOUD_IMAGE_NUMBERS and "/" in mounted[1]:
            return found(f"{disk.name} has the partitions of Ubuntu's cloud image", disk.evidence)
    return None


def _kubernetes_beside_root(facts: Facts) -> Finding | None:
    """Find GKE's folders bound on the partition that is also the root: only Ubuntu has one root."""
    partitions = known(facts.partitions)
    for device in partitions.devices if partitions else ():
        if "/" in device.targets and any(target.startswith(_KUBERNETES_HOME) for target in device.targets):
            return found(f"{device.name} holds both / and {_KUBERNETES_HOME}", device.evidence)
    return None


_Mark = Callable[[Facts], Finding | None]
_COS_MARKS: Final[tuple[_Mark, ...]] = (
    _boot_loader, _vroot, _etc_overlay, _stateful_commit, _google_folders, _small_tmpfs, _partition_table,
    _kubernetes_on_it,
)  # fmt: skip
_UBUNTU_MARKS: Final[tuple[_Mark, ...]] = (
    _cloud_image_root, _ubuntu_kernel, _cloud_image_table, _kubernetes_beside_root,
)  # fmt: skip
