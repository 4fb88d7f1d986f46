"""Which cgroup hierarchy the node has, see cgroups(7): version 2 alone, version 1, or both side by side ("hybrid").

Container runtimes and the kubelet take a hybrid node for version 1: they look at the file system on /sys/fs/cgroup.
"""

from enum import StrEnum
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts.mounts import Mounts
from nodediag.host.host import Host
from nodediag.model.evidence import FileEvidence

PATH: Final = "/sys/fs/cgroup"
_CONTROLLERS_PATH: Final = "/sys/fs/cgroup/cgroup.controllers"
_V1_CONTROLLERS_PATH: Final = "/proc/cgroups"
_ENABLED_FIELD: Final = 3  # subsys_name, hierarchy, num_cgroups, enabled


class CgroupMode(StrEnum):
    """systemd's words for the three set-ups."""

    UNIFIED = "unified"
    HYBRID = "hybrid"
    LEGACY = "legacy"


class Cgroups(msgspec.Struct, frozen=True, kw_only=True):
    """The hierarchy; `version` is as the kubelet counts. Controllers stay empty where the kernel was not asked."""

    mode: CgroupMode
    version: int
    controllers: tuple[str, ...]
    evidence: FileEvidence


def derive(host: Host, mounts: Mounts) -> Cgroups:
    """Tell it from the mount table; raises ParseError where no cgroup file system is in it."""
    top = mounts.at(PATH)
    if top is not None and top.fstype == "cgroup2":
        return Cgroups(mode=CgroupMode.UNIFIED, version=2, controllers=_controllers(host), evidence=top.evidence)
    held = [mount for mount in mounts.visible() if f"{mount.target}/".startswith(f"{PATH}/")]
    legacy = next((mount for mount in held if mount.fstype == "cgroup"), None)
    if legacy is None:
        raise ParseError(mounts.path, "", f"a cgroup file system at {PATH} or below it")
    both = any(mount.fstype == "cgroup2" for mount in held)
    mode = CgroupMode.HYBRID if both else CgroupMode.LEGACY
    evidence = (top or legacy).evidence
    return Cgroups(mode=mode, version=1, controllers=_v1_controllers(host), evidence=evidence)


def _controllers(host: Host) -> tuple[str, ...]:
    try:
        return tuple(host.first_line(_CONTROLLERS_PATH).text.split())
    except ReadError:
        return ()


def _v1_controllers(host: Host) -> tuple[str, ...]:
    try:
        rows = [line.text.split() for line in host.lines(_V1_CONTROLLERS_PATH) if not line.text.startswith("#")]
    except ReadError:
        return ()
    return tuple(row[0] for row in rows if row[_ENABLED_FIELD:] == ["1"])
