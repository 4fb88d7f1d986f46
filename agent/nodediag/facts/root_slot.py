"""On which partitions the root stands: the active one of an image's two slots, or a plain root partition.

Below a verity device it is found by sysfs' `slaves` or lsblk(8)'s tree; where neither was seen, by the PARTUUID of the
verity table on the kernel's command line.
"""

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.cmdline import Cmdline
from nodediag.facts.fact import Fact, Unknown, known
from nodediag.facts.mounts import Mounts
from nodediag.facts.partitions import BlockDevice, Partitions
from nodediag.model.reason import Code, Reason

_MAPPER = "/dev/mapper/"
_NEEDS = "/sys/class/block, with the slaves of the device below /"


class RootSlot(msgspec.Struct, frozen=True, kw_only=True):
    """The device that is mounted as the root, and the partitions it finally stands on."""

    device: str
    partitions: tuple[BlockDevice, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Give the slots' labels, such as ROOT-A."""
        return tuple(part.part_label for part in self.partitions)


def derive(mounts: Fact[Mounts], partitions: Fact[Partitions], cmdline: Fact[Cmdline]) -> RootSlot:
    """Find them; raises ReadError where what was seen does not lead to a partition."""
    if isinstance(mounts, Unknown) and mounts.reason.code is Code.OTHER_NAMESPACE:
        raise ReadError("/", mounts.reason)
    if isinstance(partitions, Unknown):
        raise ReadError("/", partitions.reason)
    device = _root_device(partitions.value, known(mounts), known(cmdline))
    if device is not None and (device.on or device.kind != "dm"):
        return RootSlot(device=device.name, partitions=partitions.value.below(device))
    named = known(cmdline)
    uuids = {made.part_uuid for made in named.verity[:1]} - {""} if named is not None else set()
    found = tuple(part for part in partitions.value.devices if part.part_uuid in uuids)
    if not found:
        unseen = Reason(code=Code.NOT_CAPTURED, detail="the device below / was not seen", needs=_NEEDS)
        raise ReadError("/", mounts.reason if isinstance(mounts, Unknown) else unseen)
    return RootSlot(device=named.verity[0].name if named is not None else "", partitions=found)


def _root_device(partitions: Partitions, mounts: Mounts | None, cmdline: Cmdline | None) -> BlockDevice | None:
    """Give the device that is mounted as /: by its device-mapper name, by its number, or as the first verity device."""
    root = mounts.at("/") if mounts is not None else None
    if root is None:
        listed = next((device for device in partitions.devices if "/" in device.targets), None)
        verity = cmdline.verity[0].name if cmdline is not None and cmdline.verity else ""
        return listed or partitions.named(verity)
    by_name = partitions.named(root.source.removeprefix(_MAPPER)) if root.source.startswith(_MAPPER) else None
    return by_name or partitions.numbered(root.device) or partitions.named(root.source.removeprefix("/dev/"))
