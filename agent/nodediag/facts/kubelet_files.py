"""Who may read and write the files by which the kubelet is told what to do and logs in: chmod(1), chown(1)."""

from enum import StrEnum
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.kubelet import Kubelet
from nodediag.facts.kubelet_certificates import FOLDER
from nodediag.host.host import Host
from nodediag.model.evidence import PathEvidence
from nodediag.model.reason import Code, Reason

PROXY: Final = "/var/lib/kube-proxy/kubeconfig"  # where GKE puts it
_PAIRS: Final = ("kubelet-client-current.pem", "kubelet-server-current.pem")
_NOBODY: Final = 65_534  # also what a user namespace shows for ids that it has not


class Role(StrEnum):
    """What a file is for; a key pair is one in which the private key stands too."""

    KUBECONFIG = "kubeconfig"
    CONFIGURATION = "configuration"
    AUTHORITY = "authority"
    PROXY = "proxy-kubeconfig"
    KEY_PAIR = "key-pair"


class KubeletFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its owner and group as `0:0`, its mode in octal, or why they are not known."""

    role: Role
    path: str
    owner: str = ""
    mode: str = ""
    reason: Reason | msgspec.UnsetType = msgspec.UNSET

    @property
    def evidence(self) -> PathEvidence:
        """What stands there."""
        return PathEvidence(path=self.path, type="file", mode=f"{self.mode} {self.owner}")


class KubeletFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Those that the node has; `reason` says why there may be more."""

    files: tuple[KubeletFile, ...]
    reason: Reason | msgspec.UnsetType = msgspec.UNSET


def derive(host: Host, kubelet: Kubelet) -> KubeletFiles:
    """Look at those that are named, and at their usual places; raises ReadError where none could be looked at."""
    authority = kubelet.told.get("authentication.x509.clientCAFile")
    folder = kubelet.flags.get("cert-dir", FOLDER).rstrip("/")
    named = (
        (Role.KUBECONFIG, kubelet.flags.get("kubeconfig", "")),
        (Role.CONFIGURATION, kubelet.config_path),
        (Role.AUTHORITY, "" if authority is None else authority.value),
        (Role.PROXY, PROXY),
        *((Role.KEY_PAIR, f"{folder}/{name}") for name in _PAIRS),
    )
    looked = (_looked_at(host, role, path) for role, path in named if path.startswith("/"))
    files = tuple(file for file in looked if file is not None)
    unseen = [file.reason for file in files if file.reason is not msgspec.UNSET]
    if files and len(unseen) == len(files):
        raise ReadError(files[0].path, unseen[0])
    return KubeletFiles(files=files, reason=kubelet.config_reason)


def _looked_at(host: Host, role: Role, path: str) -> KubeletFile | None:
    """Look at one file; none where the node is known not to have it."""
    try:
        seen = host.stat(path)
    except ReadError as error:
        return None if error.reason.code is Code.ABSENT else KubeletFile(role=role, path=path, reason=error.reason)
    if isinstance(seen.uid, msgspec.UnsetType) or isinstance(seen.gid, msgspec.UnsetType):
        return _unknown(role, path, Code.NOT_CAPTURED, "whose it was on the node was not captured", "a recording of it")
    if _NOBODY in {seen.uid, seen.gid}:
        detail = "it is nobody's, or of an id that our user namespace does not have"
        return _unknown(role, path, Code.OTHER_NAMESPACE, detail, "the node's user namespace")
    return KubeletFile(role=role, path=path, owner=f"{seen.uid}:{seen.gid}", mode=seen.mode)


def _unknown(role: Role, path: str, code: Code, detail: str, needs: str) -> KubeletFile:
    return KubeletFile(role=role, path=path, reason=Reason(code=code, detail=f"{path}: {detail}", needs=needs))
