"""Where the images' layers lie: the snapshotter that containerd uses for pods, and its folder or socket.

One that containerd brings has a folder below containerd's root; another's is a service at a socket (`proxy_plugins`).
"""

from typing import Final

import msgspec

from nodediag.facts.runtime import ContainerdConfig
from nodediag.host.answer import PathType
from nodediag.host.host import Host
from nodediag.model.evidence import Evidence, PathEvidence

DEFAULT: Final = "overlayfs"
ROOT: Final = "/var/lib/containerd"
_PREFIX: Final = "io.containerd.snapshotter.v1."


class Snapshotter(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshotter's name, the path it needs, what must stand there, and whether it does."""

    name: str
    path: str
    wanted: PathType
    there: bool
    evidence: Evidence


def derive(host: Host, config: ContainerdConfig) -> Snapshotter:
    """Look where the configuration says; raises ReadError where that cannot be seen."""
    name = config.value("cri.containerd.snapshotter", "") or config.value("cri.snapshotter", DEFAULT)
    said = config.get("cri.containerd.snapshotter") or config.get("cri.snapshotter")
    address = config.value(f"proxy_plugins.{name}.address", "")
    root = config.root or ROOT
    path = address or config.value(f"plugins.{_PREFIX}{name}.root_path", f"{root}/{_PREFIX}{name}")
    wanted = PathType.SOCKET if address else PathType.DIRECTORY
    found = host.absent(host.stat, path)
    evidence: tuple[Evidence, ...] = (PathEvidence(path=path, type=found.kind.value if found else "absent"),)
    return Snapshotter(
        name=name,
        path=path,
        wanted=wanted,
        there=found is not None and found.kind is wanted,
        evidence=said.evidence if said is not None else evidence[0],
    )
