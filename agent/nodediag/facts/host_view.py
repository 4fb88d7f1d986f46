"""Whether what we see is the node, or only a container on it. A container's own view is never judged.

The mount table decides: no COS or Ubuntu node has an overlay or a mere folder as its root, and only a container has
single files such as /etc/hosts mounted into it. The cgroup of PID 1 decides where the table does not: on a node it is
init's. A PID namespace alone, as `unshare --pid --mount-proc` makes it, leaves both as they are: what stands there in
PID 1's place is told by its name, where the kernel's own first thread does not stand beside it.
"""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.cmdline import Cmdline
from nodediag.facts.fact import Fact, Known
from nodediag.facts.mounts import Mount, Mounts
from nodediag.facts.os_release import OsRelease
from nodediag.host.answer import Sharing
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.evidence import Evidence, PathEvidence
from nodediag.model.image import Answer
from nodediag.model.reason import Code, Reason

CGROUP_PATH: Final = "/proc/1/cgroup"
INIT_PATH: Final = "/proc/1/comm"
KERNEL_PATH: Final = "/proc/2/comm"
_FILES: Final = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log")
_SECRETS: Final = ("/var/run/secrets/kubernetes.io/serviceaccount", "/run/secrets/kubernetes.io/serviceaccount")
_CGROUPS: Final = ("kubepods", "/docker", "libpod", "/lxc", "cri-containerd", "crio-")
_LAYERED: Final = frozenset({"overlay", "aufs", "fuse.fuse-overlayfs", "fuse-overlayfs"})
_PLAIN: Final = frozenset({"ext2", "ext3", "ext4", "xfs"})  # others have a subvolume or data set for a root
_DEPLOYED: Final = "/ostree/"  # where OSTree keeps a machine's root
_ENOUGH: Final = 2
_KERNEL: Final = "kthreadd"  # PID 2 wherever PID 1 is the machine's, and nowhere else
_INITS: Final = frozenset({  # what systems boot with; of them also those that run in containers of whole systems
    "systemd", "init", "busybox", "dinit", "finit", "machined", "openrc-init", "runit", "runit-init", "s6-svscan",
    "shepherd",
})  # fmt: skip
NEEDS: Final = (
    "the node's own files: in a pod, its /proc and other paths mounted read-only at their places below /host (hostPath "
    "volumes); in a container, `-v /:/host:ro`; in the COS toolbox they are at /media/root"
)


class HostView(msgspec.Struct, frozen=True, kw_only=True):
    """`node` is yes where PID 1's mount table is a machine's, no where it is a container's."""

    node: Answer
    says: str
    evidence: tuple[Evidence, ...] = ()

    @property
    def elsewhere(self) -> Reason | None:
        """The reason why nothing seen here may be called the node's, where that is so."""
        if self.node is not Answer.NO:
            return None
        return Reason(code=Code.OTHER_NAMESPACE, detail=self.says, needs=NEEDS)


def derive(host: Host, mounts: Fact[Mounts], os_release: Fact[OsRelease], cmdline: Fact[Cmdline]) -> HostView:
    """Decide from the mount table, then from PID 1's cgroup, then by whether userland and kernel belong together."""
    apart = _apart(host)
    if apart is not None:
        return apart
    if isinstance(mounts, Known):
        marks = _container_marks(mounts.value)
        if marks:
            return HostView(
                node=Answer.NO,
                says=f"this is a container's own view, not the node's: {marks[0].target} is {_told(marks[0])}",
                evidence=tuple(mark.evidence for mark in marks),
            )
    try:
        lines = host.lines(CGROUP_PATH)
    except ReadError:
        lines = ()
    for line in lines:
        if any(mark in line.text for mark in _CGROUPS):
            says = f"this is a container's own view, not the node's: the cgroup of PID 1 is {line.text[:200]}"
            return HostView(node=Answer.NO, says=says, evidence=(line.evidence,))
    alone = _no_init(host)
    if alone is not None:
        return alone
    root = mounts.value.at("/") if isinstance(mounts, Known) else None
    if root is not None:
        return HostView(node=Answer.YES, says=f"/ is {_told(root)}", evidence=(root.evidence,))
    return _belonging(os_release, cmdline)


def _apart(host: Host) -> HostView | None:
    """Tell a pod that shares the node's PIDs and not its files: PID 1 is the node's, what we would read is not."""
    try:
        sharing = host.namespaces().sharing.get(Namespace.MOUNT, Sharing.UNKNOWN)
    except ReadError:
        return None
    if sharing is not Sharing.OTHER:
        return None
    says = "this is a container's own view, not the node's: our mount namespace is not that of PID 1"
    return HostView(node=Answer.NO, says=says, evidence=(PathEvidence(path="/proc/1/ns/mnt", type="link"),))


def _no_init(host: Host) -> HostView | None:
    """Tell a PID namespace that some program was started in: its PID 1 is that program, and no init."""
    try:
        first = host.first_line(INIT_PATH)
        second = host.absent(host.first_line, KERNEL_PATH)
    except ReadError:
        return None
    if first.text in _INITS or (second is not None and second.text == _KERNEL):
        return None
    says = "this is a container's own view, not the node's: "
    says += f"PID 1 is {first.text}, no init, in a PID namespace of its own"
    return HostView(node=Answer.NO, says=says, evidence=(first.evidence,))


def _belonging(os_release: Fact[OsRelease], cmdline: Fact[Cmdline]) -> HostView:
    """Tell a container on a COS host, as Cloud Shell is: COS's kernel below another system's files."""
    if isinstance(os_release, Known) and isinstance(cmdline, Known):
        named = os_release.value.id
        if named != "cos" and cmdline.value.boots_cos:
            says = f"this is a container's own view, not the node's: a kernel started as COS's below files of {named}"
            return HostView(
                node=Answer.NO, says=says, evidence=(os_release.value.evidence("ID"), cmdline.value.evidence)
            )
    return HostView(node=Answer.UNKNOWN, says="no mount table with a root was seen")


def _container_marks(mounts: Mounts) -> tuple[Mount, ...]:
    root = mounts.at("/")
    if root is not None and (root.fstype in _LAYERED or (not root.fstype and root.source in _LAYERED)):
        return (root,)
    roots = sum(mount.target == "/" for mount in mounts.mounts)  # over a machine's root a folder may be mounted too
    if root is not None and roots == 1 and root.fstype in _PLAIN and _inside(root) and not _deployed(root):
        return (root,)  # systemd-nspawn, as COS's toolbox; LXC
    singles = [mount for path in (*_FILES, *_SECRETS) if (mount := mounts.at(path)) is not None]
    disks = [mount for mount in singles if mount.fstype != "tmpfs" or mount.target in _SECRETS]
    if len(disks) < _ENOUGH:
        return ()
    return tuple(disks)


def _deployed(root: Mount) -> bool:
    return root.root.startswith(_DEPLOYED)


def _inside(root: Mount) -> str:
    """Give the folder of its file system that stands as the root, in brackets as findmnt(8) does."""
    return f"[{root.root}]" if root.target == "/" and root.root not in {"", "/"} else ""


def _told(mount: Mount) -> str:
    return f"{mount.fstype or 'a file system'} on {mount.source or 'no source'}{_inside(mount)}"[:200]
