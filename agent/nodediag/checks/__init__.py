"""Compare what is with what should be: pure functions of facts and profile, in the order of the report."""

from typing import Final

from nodediag.checks import (
    boot,
    cgroups,
    conditions,
    disks,
    image,
    image_source,
    issues,
    journald,
    kubelet,
    limits,
    logs,
    memory,
    mounts,
    node_object,
    partitions,
    pressure,
    processes,
    storage,
    units,
)
from nodediag.checks.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    *image.CHECKS,
    *node_object.CHECKS,
    *image_source.CHECKS,
    *mounts.CHECKS,
    *partitions.CHECKS,
    *cgroups.CHECKS,
    *kubelet.CHECKS,
    *boot.CHECKS,
    *units.CHECKS,
    *journald.CHECKS,
    *disks.CHECKS,
    *storage.CHECKS,
    *memory.CHECKS,
    *pressure.CHECKS,
    *processes.CHECKS,
    *limits.CHECKS,
    *conditions.CHECKS,
    *issues.CHECKS,
    *logs.CHECKS,
)
