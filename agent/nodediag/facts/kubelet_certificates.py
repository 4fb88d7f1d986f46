"""The certificates the kubelet lives by, public parts alone, from where flags, configuration and kubeconfig say.

See "PKI certificates and requirements" and "Configure Certificate Rotation for the Kubelet" in Kubernetes'
documentation.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.kubelet import Kubelet
from nodediag.host.answer import Certificate, CertificateList, KubeconfigAnswer
from nodediag.host.answer_parts import Login
from nodediag.host.host import Host
from nodediag.model.reason import Code, Reason

FOLDER: Final = "/var/lib/kubelet/pki"
# Where GKE and kubeadm put it, for a kubelet that does not run and so cannot be asked.
KUBECONFIGS: Final = ("/var/lib/kubelet/kubeconfig", "/etc/kubernetes/kubelet.conf")
_CLIENT: Final = "kubelet-client-current.pem"
_SERVER: Final = "kubelet-server-current.pem"
_SELF_SIGNED: Final = "kubelet.crt"


class Role(StrEnum):
    """What a certificate is for. With `bootstrap` the kubelet asks for its first; nobody verifies a `self-signed` one.

    The API server's authority is what the kubelet trusts, the clients' is what lets the API server in to the kubelet.
    """

    CLIENT = "client"
    SERVING = "serving"
    SELF_SIGNED = "self-signed"
    BOOTSTRAP = "bootstrap"
    API_AUTHORITY = "api-authority"
    CLIENT_AUTHORITY = "client-authority"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """The certificates of one role, or why they are not known; `rotates` where the kubelet renews them by itself."""

    role: Role
    path: str
    field: str = ""  # of the kubeconfig at the path, where the certificate stands inside it
    rotates: bool = False
    certificates: tuple[Certificate, ...] = ()
    reason: Reason | msgspec.UnsetType = msgspec.UNSET


class KubeletCertificates(msgspec.Struct, frozen=True, kw_only=True):
    """All of them; `reason` says why not every one could be looked for."""

    held: tuple[Held, ...]
    reason: Reason | msgspec.UnsetType = msgspec.UNSET


def derive(host: Host, kubelet: Kubelet) -> KubeletCertificates:
    """Read those that are named, and those at their usual places, where what is not there is left out.

    Raises ReadError where none of them could be looked at.
    """
    unread = kubelet.config_reason
    held = (*_of_kubeconfig(host, kubelet), *_bootstrap(host, kubelet))
    if unread is msgspec.UNSET:
        held = (*held, *_of_configuration(host, kubelet))
    unseen = [one.reason for one in held if one.reason is not msgspec.UNSET and one.reason.code is not Code.ABSENT]
    if held and len(unseen) == len(held):
        raise ReadError(held[0].path, unseen[0])
    return KubeletCertificates(held=held, reason=unread)


def _of_kubeconfig(host: Host, kubelet: Kubelet) -> Iterator[Held]:
    """Give what it shows the API server, and by what it knows it."""
    named = kubelet.flags.get("kubeconfig", "")
    current = f"{_folder(kubelet)}/{_CLIENT}"
    for path in (named,) if named or kubelet.running else KUBECONFIGS:
        if not path:
            return
        try:
            found = host.kubeconfig(path)
        except ReadError as error:
            if error.reason.code is Code.ABSENT and not named:
                continue
            yield Held(role=Role.CLIENT, path=path, reason=error.reason)
            return
        if found.login is Login.CERTIFICATE:
            rotates = found.client_path == current and _is_true(kubelet, "rotateCertificates")
            yield _either(host, Role.CLIENT, path, found, rotates=rotates)
        if found.authority_path or found.authority.total:
            yield _either(host, Role.API_AUTHORITY, path, found)
        return


def _bootstrap(host: Host, kubelet: Kubelet) -> Iterator[Held]:
    """Give what it asks for its first certificate with; once it has one, the file may be gone."""
    path = kubelet.flags.get("bootstrap-kubeconfig", "")
    found = _settled(host.kubeconfig, path) if path else None
    if isinstance(found, KubeconfigAnswer) and found.login is Login.CERTIFICATE:
        yield _either(host, Role.BOOTSTRAP, path, found)


def _of_configuration(host: Host, kubelet: Kubelet) -> Iterator[Held]:
    """Give what it shows those who ask it, and whose certificates it lets in."""
    folder = _folder(kubelet)
    if named := _value(kubelet, "tlsCertFile"):
        yield _in_file(host, Role.SERVING, named)
    elif _is_true(kubelet, "serverTLSBootstrap"):
        yield _in_file(host, Role.SERVING, f"{folder}/{_SERVER}", rotates=True)
    else:
        own = _in_file(host, Role.SELF_SIGNED, f"{folder}/{_SELF_SIGNED}")
        if own.reason is msgspec.UNSET or own.reason.code is not Code.ABSENT:
            yield own
    if authority := _value(kubelet, "authentication.x509.clientCAFile"):
        yield _in_file(host, Role.CLIENT_AUTHORITY, authority)


def _either(host: Host, role: Role, path: str, found: KubeconfigAnswer, *, rotates: bool = False) -> Held:
    """Give what stands in the kubeconfig itself, or else in the file it names."""
    authority = role is Role.API_AUTHORITY
    field = "certificate-authority-data" if authority else "client-certificate-data"
    inline = found.authority if authority else found.client
    if inline.total:
        return Held(role=role, path=path, field=field, certificates=inline.certificates)
    return _in_file(host, role, found.authority_path if authority else found.client_path, rotates=rotates)


def _in_file(host: Host, role: Role, path: str, *, rotates: bool = False) -> Held:
    found = _settled(host.certificates, path)
    if isinstance(found, CertificateList):
        return Held(role=role, path=path, rotates=rotates, certificates=found.certificates)
    return Held(role=role, path=path, rotates=rotates, reason=found if isinstance(found, Reason) else msgspec.UNSET)


def _settled(
    look: Callable[[str], CertificateList] | Callable[[str], KubeconfigAnswer], path: str
) -> CertificateList | KubeconfigAnswer | Reason:
    if not path.startswith("/"):
        return Reason(code=Code.UNSUPPORTED, detail=f"{path} is relative to a folder we cannot know")
    try:
        return look(path)
    except ReadError as error:
        return error.reason


def _folder(kubelet: Kubelet) -> str:
    return kubelet.flags.get("cert-dir", FOLDER).rstrip("/")


def _value(kubelet: Kubelet, key: str) -> str:
    told = kubelet.told.get(key)
    return told.value if told is not None else ""


def _is_true(kubelet: Kubelet, key: str) -> bool:
    return _value(kubelet, key).lower() in {"true", "t", "1"}
