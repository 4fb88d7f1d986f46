"""Compare what is with what should be: pure functions of facts and profile, in the order of the report."""

from typing import Final

from nodediag.checks import cgroups, image, kubelet, logs, mounts, partitions
from nodediag.checks.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    *image.CHECKS,
    *mounts.CHECKS,
    *partitions.CHECKS,
    *cgroups.CHECKS,
    *kubelet.CHECKS,
    *logs.CHECKS,
)
