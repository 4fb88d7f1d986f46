"""What several problems rest on at once: a disk whose file system the kernel has made read-only as a whole.

Each check still tells its own problem; that they have one cause is said beside it, so that a reader sees one.
"""

import re
from typing import Final

import msgspec

from nodediag.facts.disks import disk_of
from nodediag.facts.fact import known
from nodediag.facts.mounts import Backing, Mount, Mounts
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Subject

_DEVICES: Final = "/dev/"
_OF_JOURNAL: Final = re.compile(r"-[0-9]+$")  # jbd2 names the journal of sda1 `sda1-8`


class Failed(msgspec.Struct, frozen=True):
    """The failed file systems by their devices' names, those of their disks among them where that is not ambiguous."""

    mounts: Mounts | None
    devices: dict[str, Subject]

    def of(self, subjects: tuple[str, ...]) -> Subject | msgspec.UnsetType:
        """Give the one thing that the devices and paths a failure is about rest on; unset where they do not."""
        pairs = [subject.partition("=")[::2] for subject in subjects]
        found = {self._of(kind, name) for kind, name in pairs if kind in {"device", "path"}}
        one = found.pop() if len(found) == 1 else None
        return msgspec.UNSET if one is None else one

    def _of(self, kind: str, name: str) -> Subject | None:
        """Find what `device=sda1`, `device=/dev/sda`, the journal `device=sda1-8` or `path=/var/log/a` rests on."""
        if kind == "path" and self.mounts is not None and not name.startswith(_DEVICES):
            mount = self.mounts.holding(name) if name.startswith("/") else None
            return self.devices.get(mount.source.removeprefix(_DEVICES)) if mount is not None else None
        device = name.removeprefix(_DEVICES)
        return self.devices.get(device) or self.devices.get(_OF_JOURNAL.sub("", device))


def of_mount(mount: Mount) -> Subject | msgspec.UnsetType:
    """Name the device that a mount's problems rest on."""
    return Subject("device", mount.source) if mount.source.startswith(_DEVICES) else msgspec.UNSET


def failed(facts: Facts) -> Failed:
    """Find the file systems of disks that are read-only as a whole while their mounts are not."""
    mounts, partitions = known(facts.mounts), known(facts.partitions)
    devices: dict[str, Subject] = {}
    disks: dict[str, set[Subject]] = {}
    for mount in mounts.visible() if mounts is not None else ():
        cause = of_mount(mount)
        turned = mount.backing is Backing.DISK and not mount.super_writable and "ro" not in mount.options
        if turned and isinstance(cause, Subject):
            device = partitions.numbered(mount.device) if partitions is not None else None
            names = {mount.source.removeprefix(_DEVICES), device.name if device is not None else ""} - {""}
            devices |= dict.fromkeys(names, cause)
            disks.setdefault(disk_of(mount, partitions), set()).add(cause)
    whole = {disk: causes.pop() for disk, causes in disks.items() if disk and len(causes) == 1}
    return Failed(mounts, {**whole, **devices})
