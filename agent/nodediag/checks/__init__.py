"""Compare what is with what should be: pure functions of facts and profile, in the order of the report."""

from typing import Final

from nodediag.checks import (
    cgroups,
    disks,
    image,
    kubelet,
    limits,
    logs,
    memory,
    mounts,
    partitions,
    pressure,
    processes,
)
from nodediag.checks.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    *image.CHECKS,
    *mounts.CHECKS,
    *partitions.CHECKS,
    *cgroups.CHECKS,
    *kubelet.CHECKS,
    *disks.CHECKS,
    *memory.CHECKS,
    *pressure.CHECKS,
    *processes.CHECKS,
    *limits.CHECKS,
    *logs.CHECKS,
)
