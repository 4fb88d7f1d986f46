"""Which certificates the kubelet lives by, and where they are found."""

from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec
import pytest

from nodediag.errors import ReadError
from nodediag.facts import kubelet, kubelet_certificates
from nodediag.facts.kubelet_certificates import Held, KubeletCertificates, Role
from nodediag.host.answer import Failure, Process, SystemdAnswer, Target
from nodediag.host.host import Host
from nodediag.model.reason import Code, Reason
from tests.certificates import der, pem

PEM: Final = pem(der("CN=a", datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))
PKI: Final = "/var/lib/kubelet/pki"
NAMED: Final = "users: [{user: {client-certificate: pki/kubelet-client-current.pem}}]\ncontexts: [{context: {}}]\n"
TRUST: Final = "clusters: [{cluster: {certificate-authority: /etc/srv/kubernetes/pki/ca-certificates.crt}}]\n"
Files = dict[str, str | bytes | Target | SystemdAnswer | Failure]


class MakeHost(Protocol):
    def __call__(self, files: Files, *, processes: tuple[Process, ...] = ..., missing: Code = ...) -> Host: ...


def seen(host: MakeHost, files: Files, *flags: str, missing: Code = Code.ABSENT) -> KubeletCertificates:
    running = (Process(9, 1, "kubelet", ("/usr/bin/kubelet", *flags)),) if flags else ()
    node = host(files, processes=running, missing=missing)
    return kubelet_certificates.derive(node, kubelet.collect(node))


def roles(found: KubeletCertificates) -> list[tuple[Role, str, bool, bool]]:
    return [(held.role, held.path, held.rotates, bool(held.certificates)) for held in found.held]


def test_the_kubeconfig_names_its_own_and_the_servers(host: MakeHost) -> None:
    files: Files = {
        "/var/lib/kubelet/kubeconfig": NAMED + TRUST,
        f"{PKI}/kubelet-client-current.pem": PEM,
        "/etc/srv/kubernetes/pki/ca-certificates.crt": PEM,
        "/k": "rotateCertificates: true\n",
    }
    found = seen(host, files, "--kubeconfig=/var/lib/kubelet/kubeconfig", "--config=/k")
    assert roles(found) == [
        (Role.CLIENT, f"{PKI}/kubelet-client-current.pem", True, True),
        (Role.API_AUTHORITY, "/etc/srv/kubernetes/pki/ca-certificates.crt", False, True),
    ]


@pytest.mark.parametrize(
    ("config", "role", "path", "rotates"),
    [
        ("serverTLSBootstrap: true\n", Role.SERVING, f"{PKI}/kubelet-server-current.pem", True),
        ("tlsCertFile: /s.pem\nserverTLSBootstrap: true\n", Role.SERVING, "/s.pem", False),
        ("x: 1\n", Role.SELF_SIGNED, f"{PKI}/kubelet.crt", False),
    ],
)
def test_what_it_shows_depends_on_its_configuration(
    host: MakeHost,
    config: str,
    role: Role,
    path: str,
    rotates: bool,  # noqa: FBT001 - a column
) -> None:
    assert roles(seen(host, {"/k": config, path: PEM}, "--config=/k")) == [(role, path, rotates, True)]


def test_the_folder_and_whom_it_lets_in_are_told_by_flags_too(host: MakeHost) -> None:
    flags = ("--cert-dir=/pki/", "--rotate-server-certificates", "--client-ca-file=/ca.crt")
    found = seen(host, {"/pki/kubelet-server-current.pem": PEM, "/ca.crt": PEM}, *flags)
    assert roles(found) == [
        (Role.SERVING, "/pki/kubelet-server-current.pem", True, True),
        (Role.CLIENT_AUTHORITY, "/ca.crt", False, True),
    ]


def test_a_program_or_token_needs_no_certificate(host: MakeHost) -> None:
    files: Files = {"/c": "users: [{user: {exec: {command: gke-exec-auth-plugin}}}]\ncontexts: [{context: {}}]\n"}
    assert roles(seen(host, files, "--kubeconfig=/c")) == []


def test_the_one_to_begin_with_is_told_while_its_file_is_there(host: MakeHost) -> None:
    files: Files = {"/b": NAMED.replace("pki/", "/"), "/kubelet-client-current.pem": PEM, "/c": "kind: Config\n"}
    found = seen(host, files, "--kubeconfig=/c", "--bootstrap-kubeconfig=/b")
    assert roles(found) == [(Role.BOOTSTRAP, "/kubelet-client-current.pem", False, True)]
    assert roles(seen(host, {"/c": "kind: Config\n"}, "--kubeconfig=/c", "--bootstrap-kubeconfig=/b")) == []


@pytest.mark.parametrize("path", ["/var/lib/kubelet/kubeconfig", "/etc/kubernetes/kubelet.conf"])
def test_of_a_kubelet_that_does_not_run_the_usual_places_are_looked_at(host: MakeHost, path: str) -> None:
    files: Files = {path: NAMED.replace("pki/", f"{PKI}/"), f"{PKI}/kubelet-client-current.pem": PEM}
    assert roles(seen(host, files)) == [(Role.CLIENT, f"{PKI}/kubelet-client-current.pem", False, True)]


def test_what_cannot_be_read_says_why(host: MakeHost) -> None:
    closed = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))
    files: Files = {"/c": NAMED + TRUST, "/pki/kubelet-client-current.pem": closed}
    client, authority = seen(host, files, "--kubeconfig=/c").held
    assert (client.role, client.reason) == (Role.CLIENT, closed.reason)
    assert isinstance(authority.reason, Reason)
    assert authority.reason.code is Code.ABSENT
    flags = ("--kubeconfig=/c", "--tls-cert-file=s.pem", "--client-ca-file=/pki/kubelet-client-current.pem")
    held, relative, authority = seen(host, {**files, "/c": closed, "/pki/kubelet-client-current.pem": PEM}, *flags).held
    assert held == Held(role=Role.CLIENT, path="/c", reason=closed.reason)
    assert isinstance(relative.reason, Reason)
    assert relative.reason.code is Code.UNSUPPORTED
    assert authority.certificates


def test_where_none_can_be_looked_at_the_whole_is_unknown(host: MakeHost) -> None:
    with pytest.raises(ReadError) as raised:
        seen(host, {}, "--kubeconfig=/c", missing=Code.NOT_CAPTURED)
    assert raised.value.reason.code is Code.NOT_CAPTURED


def test_a_kubelet_whose_configuration_is_not_read_may_have_more(host: MakeHost) -> None:
    found = seen(host, {"/c": NAMED, "/pki/kubelet-client-current.pem": PEM}, "--kubeconfig=/c", "--config=/gone")
    assert roles(found) == [(Role.CLIENT, "/pki/kubelet-client-current.pem", False, True)]
    assert found.reason is not msgspec.UNSET
