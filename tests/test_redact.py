"""Secrets are masked, whatever stands around them, and nothing else is."""

import pytest
import re2
from hypothesis import given, settings, strategies as st

from nodediag.redact import MARK, Rule, redact, redact_text, rules

SAMPLES = [pytest.param(rule, sample, id=rule.id) for rule in rules() for sample in rule.samples]
NEAR_MISSES = [pytest.param(near_miss, id=rule.id) for rule in rules() for near_miss in rule.near_misses]


def matches(rule: Rule, text: str) -> bool:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.search(rule.pattern.encode(), text.encode(), options) is not None


@pytest.mark.parametrize(("rule", "sample"), SAMPLES)
def test_each_rule_matches_its_samples_which_are_masked_once_and_for_all(rule: Rule, sample: str) -> None:
    assert matches(rule, sample)
    assert not rule.hints or any(hint in sample.lower() for hint in rule.hints)
    masked = redact_text(sample)
    assert MARK.decode() in masked
    assert redact_text(masked) == masked


@pytest.mark.parametrize("near_miss", NEAR_MISSES)
def test_a_near_miss_stays_as_it_is(near_miss: str) -> None:
    assert redact_text(near_miss) == near_miss


def test_rules_have_ids_reasons_samples_and_near_misses() -> None:
    assert len({rule.id for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule.why
        assert rule.samples
        assert rule.near_misses
        assert "<secret>" not in rule.pattern


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("--token=-abc,def", "abc"),
        ("--token=abc,def", "def"),
        ('--password="two words" --v=2', "words"),
        ("kubelet\0--password\0two words\0--v=2", "two"),
        ("x --bootstrap-token 07401b.f395accd246ae52d y", "f395"),
        ("password: 'it''s'", "it"),
        ('password = "say \\"x\\" twice"', "twice"),
        ('{"auths":{"https://gcr.io":{"auth":"X2pzb25fa2V5OnsK"}}}', "X2pz"),
        ('annotation: "{\\"data\\":{\\"password\\":\\"aHVudGVyMg\\"}}"', "aHVu"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJal"),
        ("client_secret: GOCSPX-abcdef", "GOCSPX"),
        ("url=https://user:p%40ss@host/x", "p%40ss"),
        ("url=mongodb+srv://user:p:a:s@host", "p:a:s"),
        ("Cookie: x\r\nAuthorization: Bearer abc.def-ghi\r\n", "abc.def"),
        ("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4\n\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n", "MHcC"),
        ('"key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n-----END PRIVATE KEY-----\\n"', "MIIEvQ"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEcut off", "MIIE"),
    ],
)  # fmt: skip
def test_the_secret_is_gone(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in redact_text(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a --token x b", "a --token [redacted] b"),
        ("kubelet\0--token\0x y\0--v=2\0", "kubelet\0--token\0[redacted] y\0--v=2\0"),
        ("kubelet\0--token=x\0--v=2", "kubelet\0--token=[redacted]\0--v=2"),
        ('["--token=x", "--v=2"]', '["--token=[redacted]", "--v=2"]'),
        ("[--password=x --v=2]", "[--password=[redacted] --v=2]"),
        ('{"token": "x", "user": "y"}', '{"token": "[redacted]", "user": "y"}'),
        ("token: abcdef # why", "token: [redacted] # why"),
        ("A_TOKEN=abcdef\nB=c", "A_TOKEN=[redacted]\nB=c"),
        ("https://u:p@h/ and https://h/", "https://u:[redacted]@h/ and https://h/"),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, masked: str) -> None:
    assert redact_text(text) == masked


def test_what_follows_a_private_key_stays_however_often_it_is_masked() -> None:
    text = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nhello\n-----BEGIN CERTIFICATE-----"
    once = redact_text(text)
    assert once.endswith("-----END RSA PRIVATE KEY-----\nhello\n-----BEGIN CERTIFICATE-----")
    assert redact_text(once) == once


KUBELET = """\
/home/kubernetes/bin/kubelet --v=2 --cloud-provider=external --config=/home/kubernetes/kubelet-config.yaml
--kubeconfig=/var/lib/kubelet/kubeconfig --bootstrap-kubeconfig=/var/lib/kubelet/bootstrap-kubeconfig
--cert-dir=/var/lib/kubelet/pki/ --image-credential-provider-config=/etc/srv/kubernetes/cri_auth_config.yaml
--image-credential-provider-bin-dir=/home/kubernetes/bin --anonymous-auth=false --authentication-token-webhook=true
--service-account-key-file=/etc/kubernetes/pki/sa.pub --tls-private-key-file=/var/lib/kubelet/pki/kubelet.key
--pod-sysctls=net.core.somaxconn=1024,net.ipv4.conf.all.accept_redirects=0,net.ipv4.tcp_mtu_probing=1
--feature-gates=LegacyServiceAccountTokenCleanUp=true,KubeletServiceAccountTokenForCredentialProviders=false
--node-labels=cloud.google.com/gke-os-distribution=cos,cloud.google.com/machine-family=e2
--container-runtime-endpoint=unix:///run/containerd/containerd.sock --version=v1.34.0-gke.1662000"""
CONFIG = """\
kind: KubeletConfiguration
authentication:
  anonymous:
    enabled: false
  webhook:
    enabled: true
    cacheTTL: 2m0s
  x509:
    clientCAFile: /etc/srv/kubernetes/pki/ca-certificates.crt
authorization:
  mode: Webhook
tokenTTL: 24h
tlsPrivateKeyFile: /var/lib/kubelet/pki/kubelet.key
serverTLSBootstrap: true
featureGates:
  BoundServiceAccountTokenVolume: true
volumes:
- projected:
    sources:
    - serviceAccountToken:
        expirationSeconds: 3607
        path: token
  secret:
    secretName: default-token-x7k2p
"""
OTHERS = (
    "28 26 8:1 /var /var/lib/kubelet/pods/1/volumes/kubernetes.io~secret/default-token-abcde rw - tmpfs tmpfs rw",
    "open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory",
    "failed to fetch token: googleapi: Error 403: permission denied",
    "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.0.0.1",
    'dm="1 vroot none ro 1,0 4077568 verity payload=PARTUUID=AB hashtree=PARTUUID=AB salt=5c8b root_hexdigest=8db9"',
    '{"message": "no pull secret pod=\\"a/b\\" secret=\\"\\" err=\\"secret \\\\\\"x\\\\\\" not found\\""}',
    'root@node:~# echo "a: b"; ls /etc/kubernetes/pki/apiserver.key',
    "-----BEGIN CERTIFICATE-----\nMIIDdTCCAl2g\n-----END CERTIFICATE-----",
)


@pytest.mark.parametrize("text", ["\0".join(KUBELET.split()), " ".join(KUBELET.split()), CONFIG, *OTHERS])
def test_what_nodes_really_hold_is_not_damaged(text: str) -> None:
    assert redact_text(text) == text


def test_bytes_that_are_no_text_stay_and_hide_nothing() -> None:
    assert redact(b"\xff--x\xfe") == b"\xff--x\xfe"
    assert redact(b"\xff --token=s3cr3t\xfe \xfd") == b"\xff --token=[redacted] \xfd"
    assert redact_text("\udcff --token=\udcfe \udcfd") == "\udcff --token=[redacted] \udcfd"


def test_data_without_a_secret_is_given_back_itself() -> None:
    data = b"nothing to see"
    text = "nothing to see"
    assert redact(data) is data
    assert redact_text(text) is text
    assert redact(b"") == b""


@pytest.mark.parametrize(
    "data",
    [b"token" * 100_000, b"-----BEGIN PRIVATE KEY-----" + b"-a" * 200_000, b"http://a:" * 50_000, b"eyJ" * 200_000],
)
def test_hostile_data_is_masked_in_linear_time(data: bytes) -> None:
    masked = redact(data + b"\n--password=hunter2\n")
    assert b"hunter2" not in masked


FRAGMENTS = st.sampled_from([
    "--token", "--x-password", "-secret", "=", ":", ": ", " ", "  ", "\0", "\n", "\t", '"', "'", "\\", '\\"', ",",
    ";", "[", "]", "{", "}", "(", ")", "@", "/", "?", "-", "--", "- ", "|", ">", "|-\n ", "a", "7", "abc", "abcdef",
    "hunter22", "password", "DB_PASSWORD", "auth", "api-key", "token", "tokenTTL", "Authorization", "Basic",
    "Bearer", "x509:", "http://u", "u:p@h", "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----", "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg==", "07401b.f395accd246ae52d",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeX0.c2ln", "AKIAIOSFODNN7EXAMPLE", "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "[redacted]", "redacted", "\xff",
])  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.lists(st.one_of(FRAGMENTS, st.text(max_size=2)), max_size=16).map("".join), max_size=12))
def test_what_is_masked_is_not_changed_again(texts: list[str]) -> None:
    for text in texts:
        once = redact_text(text)
        assert redact_text(once) == once


@settings(max_examples=100)
@given(
    before=st.lists(FRAGMENTS, max_size=4).map("".join),
    value=st.from_regex(r"[A-Za-z0-9+/_]{6,20}", fullmatch=True),
    after=st.sampled_from(["", " ", "\n", "\0", " --v=2", "\0--v=2", ", x"]),
    flag=st.sampled_from([" --token={}", "\0--password={}", "\n--token {}", "\0--x-secret\0{}", "\nDB_PASSWORD={}"]),
)
def test_a_secret_given_to_a_flag_is_gone_whatever_stands_around_it(
    before: str, value: str, after: str, flag: str
) -> None:
    secret = f"Zq{value}qZ"
    assert secret not in redact_text(before + flag.format(secret) + after)
