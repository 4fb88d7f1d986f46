"""Certificates and kubeconfigs: only their public parts pass the host's door, whatever the files hold."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from nodediag.host import certificates, kubeconfig
from nodediag.host.answer import Certificate, CertificateList, Content, Failure, KubeconfigAnswer, Reply
from nodediag.host.answer_parts import Login
from nodediag.host.ask import Ask, Certificates, Kubeconfig
from nodediag.host.live import LiveSource
from nodediag.host.tree import TreeSource
from nodediag.model.reason import Code
from tests.certificates import KEY, der, element, pem

SINCE: Final = datetime(2026, 11, 1, 8, 30, tzinfo=UTC)
UNTIL: Final = datetime(2027, 11, 1, 8, 30, tzinfo=UTC)
# openssl req -x509 -newkey rsa:2048 -nodes -days 1 -set_serial 0x80112233 -subj /O=system:nodes/CN=system:node:gke-a
OPENSSL: Final = """\
-----BEGIN CERTIFICATE-----
MIIDODCCAiCgAwIBAgIFAIARIjMwDQYJKoZIhvcNAQELBQAwMzEVMBMGA1UECgwM
c3lzdGVtOm5vZGVzMRowGAYDVQQDDBFzeXN0ZW06bm9kZTpna2UtYTAeFw0yNjEx
MjIwMDQ1NDJaFw0yNjExMjMwMDQ1NDJaMDMxFTATBgNVBAoMDHN5c3RlbTpub2Rl
czEaMBgGA1UEAwwRc3lzdGVtOm5vZGU6Z2tlLWEwggEiMA0GCSqGSIb3DQEBAQUA
A4IBDwAwggEKAoIBAQCY5FHwiPGOnXVWlyQ4xEYemnuyTMtgAYmzqjfDbMWF7EJ0
U8eE4o3jD2BZAUV3EMb03DNUpIFEuIEdk/etsAUKoHCisnTQZ5R8MRbN8eNW6TEw
kCoN/Ef0YvZATPCBO4qjnhukVvQqv8NQ3pDeg/DOSN1Q2la+1hSChlg3E0TVyPkL
dHKw66pVn26jxpU0mHX7Ivine2ERbkuHuDC6lGr0sBspLQSMtr13C3fRt2EnS4dW
ApPE53lQyQUIKGEGD7GKNmq/is7xVcYHIdSghiku1dAOAm2pzvbMw3M9VLksb4jg
vpVhK/ISfVkYjAIM94pylMJMyar0NTHIe/HaIiq3AgMBAAGjUzBRMB0GA1UdDgQW
BBRbr+0yy8Sfv8O8iMK65uBQyp4LmjAfBgNVHSMEGDAWgBRbr+0yy8Sfv8O8iMK6
5uBQyp4LmjAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQAJITdS
9zd8FModjNg2eSsvlYiWSTZnZfRaQmD616yFM6pksUq3Q7iJB4gb0IM2rgcHU9xa
51LE62qvKMJobZr77ny2HhMGgA8uEopVx60QqRc3kubYAdF/hYHez90sz1ojW6a9
7+uCnThs3nygE3sNhE0neUPbVjUatSwcv60cEh5/k/w1fVI+AFvj6/5KrvTya5iX
vdxGcJ3cZ/vIYA9r0xCBUYDGwEvuLPUzlOF8vEM+ZDWXVR13xbWT51AfrOdb5YkU
ueOp/ZFnflZm7fRGRo3Urf2HeAQm4SmkcC4bHlW9FXC5Pm4QyKKpqZ2/jcijCoZI
8ktJGEWbNq0rTe4c
-----END CERTIFICATE-----
"""
CLIENT: Final = der("O=system:nodes,CN=system:node:gke-a", SINCE, UNTIL)
PATH: Final = "/var/lib/kubelet/kubeconfig"
SECRET: Final = "hunter22hunter22"


def read(text: str | bytes) -> Reply:
    return certificates.answer(PATH, Content(text.encode() if isinstance(text, str) else text))


def kept(text: str) -> Reply:
    return kubeconfig.answer(PATH, Content(text.encode()))


def test_what_openssl_writes_is_read() -> None:
    found = read(OPENSSL)
    assert isinstance(found, CertificateList)
    (one,) = found.certificates
    assert (one.subject, one.issuer) == ("O=system:nodes,CN=system:node:gke-a",) * 2
    assert (one.serial, one.key, one.authority) == ("80112233", "RSA 2048", True)
    assert one.not_after - one.not_before == timedelta(days=1)
    assert one.not_before.tzinfo is not None


def test_a_pair_in_one_file_is_read_without_its_key() -> None:
    found = read(f"{pem(CLIENT)}{pem(der('CN=ca', SINCE, UNTIL, authority=True))}{KEY}")
    assert found == CertificateList(
        (
            Certificate(
                subject="O=system:nodes,CN=system:node:gke-a", issuer="CN=ca", serial="8102", not_before=SINCE,
                not_after=UNTIL, key="EC P-256", authority=False,
            ),
            Certificate(
                subject="CN=ca", issuer="CN=ca", serial="8102", not_before=SINCE, not_after=UNTIL, key="EC P-256",
                authority=True,
            ),
        ),
        2,
    )  # fmt: skip
    assert b"MIGH" not in msgspec.json.encode(found)


def test_of_a_large_bundle_the_first_are_told_and_the_rest_counted() -> None:
    found = read(pem(CLIENT) * 30)
    assert isinstance(found, CertificateList)
    assert (len(found.certificates), found.total) == (20, 30)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no certificate"),
        (KEY, "holds no certificate"),
        (pem(CLIENT)[:90], "holds no certificate"),
        (pem(CLIENT[:-4]), "cut short"),
        (pem(b"\x30\x80\x00\x00"), "indefinite"),
        (pem(b"\x30\x84\xff\xff\xff\xff"), "cut short"),
        (pem(b"\x3f\x81\x01\x00"), "several bytes"),
        (pem(element(0x02, b"\x01")), "wanted SEQUENCE"),
        (pem(element(0x30, element(0x30, b""))), "fields are missing"),
        (pem(element(0x30, element(0x30, b"\x02\x00" * 2000))), "more than 1000"),
        (pem(CLIENT.replace(b"20261101083000Z", b"20261301083000Z")), "month"),
        (pem(CLIENT.replace(b"20261101083000Z", b"2026110108300 Z")), "digits"),
        (f"-----BEGIN CERTIFICATE-----\n{SECRET}!\n-----END CERTIFICATE-----", "cannot be read"),
    ],
)
def test_what_is_no_certificate_is_refused_and_never_quoted(text: str, words: str) -> None:
    found = read(text)
    assert isinstance(found, Failure)
    assert found.reason.code is Code.UNPARSABLE
    assert words in found.reason.detail
    assert SECRET not in found.reason.detail
    assert "MIGH" not in found.reason.detail


@settings(max_examples=300)
@given(at=st.integers(0, len(CLIENT) - 1), byte=st.integers(0, 255), cut=st.integers(0, len(CLIENT)))
def test_a_damaged_certificate_is_read_or_refused(at: int, byte: int, cut: int) -> None:
    for data in (CLIENT[:at] + bytes((byte,)) + CLIENT[at + 1 :], CLIENT[:cut], CLIENT[cut:]):
        found = read(pem(data))
        assert isinstance(found, CertificateList | Failure)
        assert msgspec.json.decode(msgspec.json.encode(found), type=CertificateList | Failure) == found


@settings(max_examples=200)
@given(data=st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda content: element(0x30, content))))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert isinstance(read(pem(data)), CertificateList | Failure)
    assert isinstance(read(data), CertificateList | Failure)
    assert isinstance(kubeconfig.answer(PATH, Content(data)), KubeconfigAnswer | Failure)


def config(user: str, cluster: str = "{server: https://10.0.0.2, certificate-authority: ca.crt}") -> str:
    return f"""
apiVersion: v1
kind: Config
clusters: [{{name: local, cluster: {cluster}}}]
users: [{{name: other, user: {{token: {SECRET}}}}}, {{name: kubelet, user: {user}}}]
contexts: [{{name: c, context: {{cluster: local, user: kubelet}}}}]
current-context: c
"""


@pytest.mark.parametrize(
    ("user", "login", "path"),
    [
        (f"{{client-certificate: pki/c.pem, client-key: {SECRET}}}", Login.CERTIFICATE, "/var/lib/kubelet/pki/c.pem"),
        (f"{{client-certificate: /a/../c.pem, token: {SECRET}}}", Login.CERTIFICATE, "/c.pem"),
        (f"{{token: {SECRET}}}", Login.TOKEN, ""),
        (f"{{username: a, password: {SECRET}}}", Login.PASSWORD, ""),
        (f"{{exec: {{command: gke-exec-auth-plugin, args: [--token={SECRET}]}}}}", Login.PROGRAM, ""),
        ("{}", Login.NONE, ""),
        ("null", Login.NONE, ""),
    ],
)
def test_of_a_kubeconfig_no_secret_is_told(user: str, login: Login, path: str) -> None:
    found = kept(config(user))
    assert isinstance(found, KubeconfigAnswer)
    assert (found.login, found.client_path, found.server) == (login, path, "https://10.0.0.2")
    assert found.authority_path == "/var/lib/kubelet/ca.crt"
    assert SECRET.encode() not in msgspec.json.encode(found)


def test_a_password_in_a_kubeconfig_s_address_is_masked_and_counted() -> None:
    found = kept(config("{}").replace("https://10.0.0.2", f"https://u:{SECRET}@10.0.0.2"))
    assert isinstance(found, KubeconfigAnswer)
    assert (found.server, found.masked) == ("https://u:[redacted]@10.0.0.2", {"url-password": 1})


def test_certificates_inside_a_kubeconfig_are_read_where_they_stand() -> None:
    client = base64.b64encode(f"{pem(CLIENT)}{KEY}".encode()).decode()
    authority = base64.b64encode(pem(der("CN=ca", SINCE, UNTIL, authority=True)).encode()).decode()
    user = f"{{client-certificate-data: {client}, client-key-data: {base64.b64encode(KEY.encode()).decode()}}}"
    found = kept(config(user, f"{{certificate-authority-data: {authority}}}"))
    assert isinstance(found, KubeconfigAnswer)
    assert [one.subject for one in found.client.certificates] == ["O=system:nodes,CN=system:node:gke-a"]
    assert [one.subject for one in found.authority.certificates] == ["CN=ca"]
    assert b"BEGIN" not in msgspec.json.encode(found)


@pytest.mark.parametrize(
    "text", ["", "[]", f"token: [{SECRET}", f"- {SECRET}", config("{client-certificate-data: x}"), "\0"]
)
def test_what_is_no_kubeconfig_is_refused_and_never_quoted(text: str) -> None:
    found = kept(text)
    assert isinstance(found, Failure)
    assert found.reason.code is Code.UNPARSABLE
    assert SECRET not in found.reason.detail


@pytest.mark.parametrize("text", ["kind: Config", "users: x\ncontexts: [5]\nclusters: {a: b}", "current-context: [a]"])
def test_a_kubeconfig_without_a_context_names_nothing(text: str) -> None:
    found = kept(text)
    assert isinstance(found, KubeconfigAnswer)
    assert (found.login, found.server, found.client.total) == (Login.NONE, "", 0)


def test_a_text_that_is_no_unicode_can_be_told_on() -> None:
    found = kept(config("{}", r'{server: "\ud800"}'))
    assert msgspec.json.encode(found)


def test_they_are_read_from_a_folder_too_and_what_it_lacks_was_not_captured(tmp_path: Path) -> None:
    (tmp_path / "client.pem").write_text(pem(CLIENT) + KEY)
    (tmp_path / "kubeconfig").write_text(config("{}"))
    folder = TreeSource(LiveSource(str(tmp_path)))
    assert isinstance(folder.answer(Certificates("/client.pem")), CertificateList)
    assert isinstance(folder.answer(Kubeconfig("/kubeconfig")), KubeconfigAnswer)
    asks: tuple[Ask, ...] = (Certificates("/gone"), Kubeconfig("/gone"))
    for ask in asks:
        found = folder.answer(ask)
        assert isinstance(found, Failure)
        assert found.reason.code is Code.NOT_CAPTURED
