"""Package managers: which stand where programs are started from, in the image or where somebody can have put them."""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.host.answer import PathType
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.evidence import PathEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT
MANAGERS: Final = frozenset({
    "apk", "apt", "apt-get", "brew", "conda", "dnf", "dpkg", "emerge", "equo", "flatpak", "guix", "ipkg", "mamba",
    "microdnf", "micromamba", "nix", "nix-env", "opkg", "pacman", "pkgin", "rpm", "slackpkg", "snap", "swupd", "tdnf",
    "xbps-install", "yum", "zypper",
})  # fmt: skip
IMAGE: Final = ("/usr/bin", "/usr/sbin")
_LINKS: Final = ("/bin", "/sbin")  # to the above where /usr is merged
ADDED: Final = (
    "/usr/local/bin", "/usr/local/sbin", "/opt/bin", "/etc", "/home/kubernetes/bin", "/var/lib/google",
    "/var/lib/google/bin", "/var/lib/toolbox", "/mnt/disks", "/nix",
)  # fmt: skip


class Manager(msgspec.Struct, frozen=True, kw_only=True):
    """A name in a folder; `folder` is where it stands."""

    name: str
    folder: str
    evidence: PathEvidence


class Software(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and the folders into which we could not look, with the first reason."""

    managers: tuple[Manager, ...]
    unseen: tuple[str, ...] = ()
    unseen_reason: Reason | msgspec.UnsetType = msgspec.UNSET


def collect(host: Host) -> Software:
    """List the folders; raises ReadError where the image's own cannot be listed."""
    folders = [*IMAGE, *(path for path in _LINKS if not _is_link(host, path)), *ADDED]
    found: list[Manager] = []
    unseen: dict[str, Reason] = {}
    for folder in folders:
        try:
            names = host.list(folder)
        except ReadError as error:
            if folder in IMAGE:
                raise
            if error.reason.code not in {Code.ABSENT, Code.WRONG_KIND}:
                unseen[folder] = error.reason
            continue
        found += [_manager(name, folder) for name in names if name in MANAGERS and _is_program(host, folder, name)]
    reason = next(iter(unseen.values()), msgspec.UNSET)
    return Software(managers=tuple(found), unseen=tuple(unseen), unseen_reason=reason)


def _manager(name: str, folder: str) -> Manager:
    return Manager(name=name, folder=folder, evidence=PathEvidence(path=f"{folder}/{name}", type="entry"))


def _is_program(host: Host, folder: str, name: str) -> bool:
    """Tell a program from a folder of its name, such as /etc/apt; what a link leads to need not be there."""
    try:
        return host.stat(f"{folder}/{name}").kind is not PathType.DIRECTORY
    except ReadError:
        return True


def _is_link(host: Host, path: str) -> bool:
    try:
        host.readlink(path)
    except ReadError:
        return False
    return True
