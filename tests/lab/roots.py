"""The file systems that nodes boot from: one Debian userland from a cache, dressed as an image by the trees below."""

import fcntl
import hashlib
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.certificates import KEY, der, pem
from tests.lab.machine import LabError, call, mount, remove, unmount_below

SUITE: Final = "bookworm"  # its systemd still boots with cgroup version 1
PACKAGES: Final = (
    "containerd", "dbus", "iproute2", "kmod", "openssh-server", "procps", "runc", "systemd", "systemd-container",
    "systemd-sysv",
)  # fmt: skip
IMAGES: Final = Path(__file__).parent / "images"
KUBELET: Final = Path(__file__).parent / "kubelet.c"
PROGRAM: Final = {"cos": "/var/lib/toolbox/nodediag", "ubuntu": "/opt/nodediag"}
_UNNEEDED: Final = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
_ROOT_MIB: Final = 700
_STATE_MIB: Final = 1024
_ENABLED: Final = (
    "kubelet.service", "containerd.service", "lab-node.service", "ssh.service", "kubernetes.target",
    "kube-node-installation.service", "kube-node-configuration.service", "kubelet-monitor.service",
    "kube-logrotate.timer",
)  # fmt: skip
_DISABLED: Final = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "getty@tty1.service", "console-getty.service", "systemd-networkd.service",
)  # fmt: skip


class NoArchiveError(LabError):
    """The userland could not be fetched."""


def cache() -> Path:
    """Give the folder that keeps the userland between runs."""
    named = os.environ.get("NODEDIAG_LAB_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(named) if named else Path(home) / "nodediag/lab"


def userland() -> Path:
    """Give the image of the plain Debian userland; made once, which needs Debian's archive."""
    recipe = " ".join((SUITE, str(_ROOT_MIB), *PACKAGES, *_UNNEEDED))
    folder = cache()
    image = folder / f"{SUITE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.ext2"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not image.exists():
            _make_userland(folder / "draft", image)
    return image


def _make_userland(draft: Path, image: Path) -> None:
    unmount_below(draft)
    shutil.rmtree(draft, ignore_errors=True)
    root = draft / "root"
    root.mkdir(parents=True)
    try:
        call("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, root, timeout=900)
    except LabError as error:
        log = root / "debootstrap/debootstrap.log"
        last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        raise NoArchiveError(" ".join([str(error), *last])) from error
    for name in _UNNEEDED:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)
    (root / "etc/machine-id").write_text("")
    filled = draft / "image"
    call("mke2fs", "-q", "-t", "ext2", "-d", root, filled, f"{_ROOT_MIB}M")
    filled.replace(image)
    shutil.rmtree(draft)


def certificate(subject: str, *, since_days: int, until_days: int, authority: bool = False) -> str:
    """Make a certificate that was and is valid for some days, seen from now."""
    since, until = (datetime.now(UTC) + timedelta(days=days) for days in (-since_days, until_days))
    return pem(der(subject, since, until, authority=authority))


def _certify(root: Path) -> None:
    """Give the kubelet its certificates, and the authority that it trusts."""
    own = certificate("O=system:nodes,CN=system:node:gke-lab", since_days=30, until_days=335)
    for name in ("client", "server"):
        pair = root / f"var/lib/kubelet/pki/kubelet-{name}-current.pem"
        pair.write_text(own + KEY)
        pair.chmod(0o600)
    authority = root / "etc/srv/kubernetes/pki/ca-certificates.crt"
    authority.parent.mkdir(parents=True)
    authority.write_text(certificate("CN=lab", since_days=1000, until_days=2000, authority=True))


class Disks:
    """The disks of an image's nodes as the first boot finds them: made once, and copied for each node.

    `root` is the file of the root, `state` that of the data disk where the image has one.
    """

    def __init__(self, image: str, folder: Path, onedir: Path) -> None:
        folder.mkdir()
        self.image = image
        self.root = folder / "root.img"
        self.state = folder / "state.img" if image == "cos" else None
        self._mounted = folder / "root"
        call("cp", "--sparse=always", userland(), self.root)
        if image == "ubuntu":
            call("tune2fs", "-j", "-L", "cloudimg-rootfs", self.root)
        mount_root(image, self.root, self._mounted)
        self._dress()
        held = self._mounted if self.state is None else self._split(self.state, folder / "state")
        call("cp", "-a", onedir, held / PROGRAM[image][1:])
        unmount_below(folder)

    def _dress(self) -> None:
        root = self._mounted
        for tree in ("all", self.image):
            call("cp", "-a", "--no-preserve=ownership", f"{IMAGES / tree}/.", root)
        call("cc", "-static", "-O1", "-o", root / "usr/share/lab/kubelet", KUBELET)
        for name in ("home/kubernetes/bin", "var/lib/kubelet/pki", "etc/cni/net.d", "var/log/journal"):
            (root / name).mkdir(parents=True, exist_ok=True)
        shutil.move(root / "usr/share/lab/kubelet", root / "home/kubernetes/bin/kubelet")
        _certify(root)
        own = [path.name for path in (IMAGES / self.image / "usr/lib/systemd/system").glob("*")]
        call("chroot", root, "systemctl", "enable", *_ENABLED, *own)
        call("chroot", root, "systemctl", "mask", *_DISABLED)

    def _split(self, disk: Path, state: Path) -> Path:
        """Move what COS keeps on its stateful partition there."""
        root = self._mounted
        call("mke2fs", "-q", "-t", "ext4", "-L", "STATE", "-e", "remount-ro", disk, f"{_STATE_MIB}M")
        mount(disk, state, "-o", "loop")
        for name in ("var", "home"):
            call("cp", "-a", root / name, state)
            shutil.rmtree(root / name)
            (root / name).mkdir()
        for name in ("google", "docker", "containerd", "toolbox", "kubelet", "cloud"):
            (state / "var/lib" / name).mkdir(parents=True, exist_ok=True)
        shutil.rmtree(state / "var/lib/dpkg")  # COS has no packages
        for name in ("mnt/stateful_partition", "mnt/disks", "media/root"):
            (root / name).mkdir(parents=True)
        (root / "etc/machine-id").write_text("")
        return state


class Roots:
    """What one node stands on: `root` is mounted and complete, `state` is the mounted data disk where it has one."""

    def __init__(self, disks: Disks, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.root = folder / "root"
        self.disk = folder / "root.img"
        self.state = None if disks.state is None else folder / "state"
        call("cp", "--sparse=always", disks.root, self.disk)
        mount_root(disks.image, self.disk, self.root)
        if disks.state is not None and self.state is not None:
            disk = folder / "state.img"
            call("cp", "--sparse=always", disks.state, disk)
            mount(disk, self.state, "-o", "loop,nosuid,nodev,noexec,commit=30")
            call(
                "mount", "-o", "remount,ro", self.root
            )  # its device stays writable, as that of a root broken open would be

    def close(self) -> None:
        """Take it all down."""
        unmount_below(self.folder)
        remove(self.folder)


def mount_root(image: str, disk: Path, where: Path) -> None:
    """Mount an image's root."""
    mount(disk, where, "-t", "ext4" if image == "ubuntu" else "ext2", "-o", "loop")
