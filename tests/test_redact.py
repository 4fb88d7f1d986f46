"""Secrets are masked, whatever stands around them, and nothing else is."""

import pytest
from hypothesis import given, settings, strategies as st

from nodediag.redact import (
    MARK,
    Masker,
    Rule,
    compiled,
    counted,
    redact,
    redact_arguments,
    redact_entries,
    redact_field,
    redact_text,
    rules,
)
from tests.planted import BOUNDED, FORMATS, LINES, LONG_FORMATS, SECRETS, WORDS, Secret, plain

RULES = rules().rule
PRIVATE = f"-----BEGIN RSA PRIVATE KEY-----\n{'MIIEpAIBAAKCAQEA7' * 3}\n-----END RSA PRIVATE KEY-----\n"
SAMPLES = [pytest.param(rule, sample, id=rule.id) for rule in RULES for sample in rule.samples]
NEAR_MISSES = [pytest.param(near_miss, id=rule.id) for rule in RULES for near_miss in rule.near_misses]
NEAR = compiled("|".join(f"(?:{pattern})" for pattern in rules().near))


@pytest.mark.parametrize(("rule", "sample"), SAMPLES)
def test_each_rule_matches_its_samples_which_are_masked_once_and_for_all(rule: Rule, sample: str) -> None:
    match = compiled(rule.pattern).search(sample.encode())
    assert match
    line = sample.encode()[: match.start()].count(b"\n")
    first = sample.split("\n")[line]
    assert not rule.hints or any(hint in first.lower() for hint in rule.hints)
    start = len("\n".join(sample.split("\n")[:line]))
    near = NEAR.search(sample.encode(), start)
    assert near
    assert near.start() <= start + len(first) + 1
    masked = redact_text(sample)
    assert MARK.decode() in masked
    assert redact_text(masked) == masked


@pytest.mark.parametrize("near_miss", NEAR_MISSES)
def test_a_near_miss_stays_as_it_is(near_miss: str) -> None:
    assert redact_text(near_miss) == near_miss


def test_rules_have_ids_reasons_samples_and_near_misses() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.why
        assert rule.samples
        assert rule.near_misses
        assert not [word for word in rules().words if f"<{word}>" in rule.pattern + rule.unless + rule.below]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("--token=-abc,def", "abc"),
        ("--token=abc,def", "def"),
        ("password=hunt,er22 x", "er22"),
        ("with password=a7,b8,zone=c", "b8"),
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
        ("kubelet\0--token\0x y\0--v=2\0", "kubelet\0--token\0[redacted]\0--v=2\0"),
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


def test_secrets_enough_are_planted() -> None:
    assert len(SECRETS) >= 60
    assert len({secret.kind for secret in SECRETS}) >= 25


@pytest.mark.parametrize("form", FORMATS)
def test_no_planted_secret_is_left_whatever_holds_it(form: str) -> None:
    for secret in LINES:
        text = plain(secret).get(form)
        if text is not None:
            assert secret.left(text)
            masked = redact_text(text)
            assert not secret.left(masked), (secret.kind, secret.name)
            assert redact_text(masked) == masked


@pytest.mark.parametrize("form", BOUNDED)
def test_a_secret_of_several_words_goes_as_a_whole(form: str) -> None:
    masked = redact_text(FORMATS[form](WORDS.name, WORDS.value))
    assert not [word for word in WORDS.value.split() if word in masked and word != "7"]


@pytest.mark.parametrize("form", LONG_FORMATS)
def test_no_line_of_a_planted_private_key_is_left(form: str) -> None:
    for secret in SECRETS:
        if secret not in LINES:
            text = LONG_FORMATS[form](secret.value)
            masked = redact_text(text)
            assert secret.left(text)
            assert not secret.left(masked)
            assert redact_text(masked) == masked


def test_the_lines_of_a_private_key_are_masked_where_each_is_an_entry_of_its_own() -> None:
    secret = next(secret for secret in SECRETS if secret not in LINES)
    whole = [line for line in secret.value.split("\n") if len(line) == 64]
    assert whole
    assert [redact_text(line) for line in whole] == [MARK.decode()] * len(whole)


def test_a_private_key_is_masked_over_the_entries_of_a_journal_and_nothing_else_of_it() -> None:
    for secret in (secret for secret in SECRETS if secret not in LINES):
        key = secret.value.strip().encode().split(b"\n")
        said = [b"before", *key[:2], b'level=info msg="between"', *key[2:], b"after", b"YWZ0ZXI="]
        masked = list(redact_entries(said))
        assert len(masked) == len(said)
        assert not secret.left(b"\n".join(masked).decode())
        assert [line for line in key[1:-1] if line in masked] == []
        assert masked[0] == b"before"
        assert b'level=info msg="between"' in masked
        assert masked[-2:] == [b"after", b"YWZ0ZXI="]
        assert list(redact_entries(masked)) == masked


def test_arguments_are_masked_as_they_were_given() -> None:
    assert redact_arguments(("x", "--password", "two words\nand a line", "--v=2")) == (
        "x",
        "--password",
        "[redacted]",
        "--v=2",
    )
    assert redact_arguments(("x", "--token=a b", "")) == ("x", "--token=[redacted]", "")
    assert redact_arguments(("sh", "-c", "y --token a b")) == ("sh", "-c", "y --token [redacted] b")
    assert redact_arguments(("x", "--v=2")) == ("x", "--v=2")


def test_a_field_is_masked_by_its_name_or_by_what_it_holds() -> None:
    assert redact_field("db-password", 'two "words"\n') == "[redacted]"
    assert redact_field("pool", "x --token=abc y") == "x --token=[redacted] y"
    assert redact_field("pool", 'a "b"\n') == 'a "b"\n'


@pytest.mark.parametrize(
    "text",
    [
        "image: gcr.io/x/y@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "/kubepods/pod0a1b2c3d-0a1b-4c3d-8e9f-0123456789ab/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "s=0123456789abcdef0123456789abcdef;i=1f;b=0123456789abcdef0123456789abcdef;m=5d2;t=62a1b;x=9fe0c1",
        "/dev/disk/by-id/google-persistent-disk-0 nvme-nvme.1ae0-6e766d655f63617264-0001 wwn-0x5002538e40b2c3d4",
        "UUID=0a1b2c3d-0a1b-4c3d-8e9f-0123456789ab PARTUUID=0a1b2c3d-01 machine-id 0123456789abcdef0123456789abcdef",
        "cri-containerd-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.scope nginx-7d8b49557c-abcde",
        "1.34.0-gke.1662000 cos-gke-121-18867-199-28 6.12.55+ sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
    ],
)
def test_what_names_a_thing_stays(text: str) -> None:
    assert redact_text(text) == text


@settings(max_examples=200, deadline=None)
@given(
    chosen=st.lists(
        st.tuples(
            st.sampled_from(LINES),
            st.sampled_from(tuple(FORMATS)),
            st.sampled_from(["", "\n", " ", "\n\n", "\0", "x\n"]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_secrets_among_each_other_are_masked_once_and_for_all(
    chosen: list[tuple[Secret, str, str]],
) -> None:
    text = "".join(FORMATS[form](secret.name or "x", secret.value) + end for secret, form, end in chosen)
    once = redact_text(text)
    assert redact_text(once) == once


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


MASKERS = [Masker(rule) for rule in RULES if rule.lines == 1]


@settings(max_examples=100, deadline=None)
@given(text=st.lists(FRAGMENTS, max_size=16).map("".join))
def test_no_rule_finds_anything_in_what_was_masked_wherever_it_looks(text: str) -> None:
    masked = redact_text(text).encode()
    for line in masked.split(b"\n"):
        assert [masker.line(line) for masker in MASKERS] == [line] * len(MASKERS)


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


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("nothing of the kind", {}),
        ("A_PASSWORD=hunter2hunter2\nB_PASSWORD=hunter3hunter3\n", {"environment": 2}),
        (PRIVATE, {"private-key": 1}),
        (PRIVATE * 2, {"private-key": 2}),
        ("password:\n  - first-one\n  - second-one\nb: c\n", {"yaml-list": 1}),
    ],
)
def test_what_was_masked_is_counted_by_rule_and_what_was_masked_before_is_not(
    text: str, counts: dict[str, int]
) -> None:
    counted()
    masked = redact(text.encode())
    assert counted() == counts
    assert redact(masked) == masked
    assert counted() == {}


def test_a_key_over_many_entries_is_counted_once() -> None:
    counted()
    lines = ("-----BEGIN RSA PRIVATE KEY-----", *("MIIEpAIBAAKCAQEA7",) * 5, "-----END RSA PRIVATE KEY-----", "on")
    assert list(redact_entries(line.encode() for line in lines)).count(MARK) == 5
    assert counted() == {"private-key-cut": 1}
