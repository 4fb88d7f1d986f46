"""The second look for secrets finds what redaction would have overlooked, and nothing where it overlooked nothing."""

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from nodediag.bundle.rescan import Finding, Rule, compiled, entropy, places, rules, scan
from nodediag.host.package import texts
from nodediag.redact import redact, rules as redactions
from nodediag.signatures.load import merge
from tests.planted import LINES, LONG_FORMATS, SECRETS, plain

NODES = Path(__file__).parent.parent / "nodes"
FOUND_AT_LEAST = 0.95
RULES = rules().rule
MOST_INSTRUCTIONS = 2000  # of RE2's program: what many counted repeats would make of a pattern
OVERLOOKED = {"random-near-a-name"}  # it is there for what has no form that redaction knows


def planted() -> list[bytes]:
    lines = [text for secret in LINES for text in plain(secret).values()]
    return [text.encode() for text in lines] + [
        form(secret.value).encode() for secret in SECRETS if secret not in LINES for form in LONG_FORMATS.values()
    ]


def test_it_finds_what_was_planted() -> None:
    texts = planted()
    assert sum(bool(scan(text)) for text in texts) >= FOUND_AT_LEAST * len(texts)


def test_it_finds_nothing_where_all_of_it_was_masked() -> None:
    assert [masked for text in planted() if scan(masked := redact(text))] == []


@pytest.mark.parametrize("node", sorted(path.parent for path in NODES.glob("*/ORIGIN.md")), ids=lambda path: path.name)
def test_it_finds_nothing_on_whole_nodes(node: Path) -> None:
    for file in node.rglob("*"):
        if file.is_file():
            assert scan(redact(file.read_bytes())) == (), file


def test_it_finds_nothing_in_what_nodes_log() -> None:
    known = merge(texts("signatures/data"))
    said = "\n".join(text for signature in known for text in (*signature.samples, *signature.near_misses)).encode()
    found = scan(redact(said))
    lines = redact(said).split(b"\n")
    assert [(one.kind, lines[one.line - 1]) for one in found] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_finds_its_samples_by_itself_and_no_rule_finds_its_near_misses(rule: Rule) -> None:
    assert rule.samples
    assert rule.near_misses
    for sample in rule.samples:
        assert rule.id in {one.kind for one in scan(sample.encode())} or places(rule, sample.encode())
        assert any(keyword in sample.lower() for keyword in rule.keywords)
    assert [(near_miss, scan(near_miss.encode())) for near_miss in rule.near_misses if scan(near_miss.encode())] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_is_of_re2_and_stays_small(rule: Rule) -> None:
    pattern = compiled(rule.regex)
    assert pattern.programsize < MOST_INSTRUCTIONS
    assert not re.search(rule.regex.encode(), b"")
    assert set(pattern.groupindex) <= {b"secret", b"secret2", "secret", "secret2"}
    assert pattern.groups == len(pattern.groupindex)
    assert all(keyword == keyword.lower() and keyword for keyword in rule.keywords)
    assert rule.entropy > 0 or not rule.mixed


def test_rules_are_told_apart_by_their_ids() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(
    ("rule", "sample"),
    [(rule, sample) for rule in RULES for sample in rule.samples],
    ids=lambda what: getattr(what, "id", ""),
)
def test_what_it_finds_redaction_has_masked_before(rule: Rule, sample: str) -> None:
    if rule.id not in OVERLOOKED:
        assert scan(redact(sample.encode())) == ()


def test_its_rules_are_not_those_of_redaction() -> None:
    assert not {rule.regex for rule in rules().rule} & {rule.pattern for rule in redactions().rule}


def test_a_finding_names_its_place_and_never_the_value() -> None:
    found = scan(b"a\nb: c\nhttp://u:hunter22@host/x\n")
    assert found == (Finding(offset=16, line=3, kind="password-in-a-url"),)


@pytest.mark.parametrize(
    "text",
    [
        "token: /var/run/secrets/kubernetes.io/serviceaccount/token",
        "secretName: default-token-x7k2p",
        "password: [redacted]",
        "token=${API_TOKEN_1}",
        "auth: v1.34.0-gke.1662000",
        "image: gcr.io/x@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "featureGates: {BoundServiceAccountToken: true, KubeletServiceAccountTokenForCredentialProviders: false}",
    ],
)
def test_what_is_no_secret_is_not_found(text: str) -> None:
    assert scan(text.encode()) == ()


@pytest.mark.parametrize("data", [b"token: a1b2c3d4e5 " * 20_000, b"token " * 100_000, b"http://a:" * 50_000])
def test_hostile_data_is_scanned_in_little_more_than_its_length(data: bytes) -> None:
    assert "password-in-a-url" in {finding.kind for finding in scan(data + b"\nhttp://u:hunter22@host/x\n")}


def test_entropy_is_shannons() -> None:
    assert entropy(b"aaaa") == 0
    assert entropy(b"abcd") == 2


@given(st.binary(max_size=300))
def test_any_bytes_can_be_scanned(data: bytes) -> None:
    assert all(0 <= finding.offset <= len(data) for finding in scan(data))
