"""Pseudonyms: equal stays equal, a subnet a subnet, another key gives others, and what is no address or name stays."""

import ipaddress
import re
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given, strategies as st

import nodediag
from nodediag.anonymise import Anonymiser, anonymised, learned, words_of
from nodediag.host import package
from nodediag.model.outcome import Outcome

SOURCE = Path(nodediag.__file__).parent
KEY, OTHER = b"k" * 32, b"o" * 32
ONE = Anonymiser(KEY, {})
V4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address)
SPECIAL = (
    "127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.251", "255.255.255.255", "255.255.240.0", "::1", "::",
    "fe80::1", "ff02::1", "fe80::1/64", "127.0.0.0/8", "::/0", "0.0.0.0/0",
)  # fmt: skip


def shared(
    one: ipaddress.IPv4Address | ipaddress.IPv6Address, other: ipaddress.IPv4Address | ipaddress.IPv6Address
) -> int:
    return one.max_prefixlen - (int(one) ^ int(other)).bit_length()


@given(V4, V4)
def test_addresses_share_as_many_bits_as_their_pseudonyms(
    one: ipaddress.IPv4Address, other: ipaddress.IPv4Address
) -> None:
    made = [ipaddress.IPv4Address(ONE.address(str(address))) for address in (one, other)]
    assert shared(*made) == shared(one, other)


@given(V6, V6)
def test_so_do_those_of_version_6(one: ipaddress.IPv6Address, other: ipaddress.IPv6Address) -> None:
    made_of_mac = [int(address) >> 24 & 0xFFFF == 0xFFFE for address in (one, other)]
    if not any(made_of_mac):
        made = [ipaddress.IPv6Address(ONE.address(str(address))) for address in (one, other)]
        assert shared(*made) == shared(one, other)


@given(V4)
def test_what_an_address_is_for_stays(address: ipaddress.IPv4Address) -> None:
    made = ipaddress.IPv4Address(ONE.address(str(address)))
    for name in ("is_private", "is_loopback", "is_link_local", "is_multicast", "is_unspecified"):
        for network in (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "224.0.0.0/4",
        ):
            known = ipaddress.ip_network(network)
            assert (address in known) == (made in known), name


@pytest.mark.parametrize("text", SPECIAL)
def test_what_is_nobodys_address_stays(text: str) -> None:
    assert ONE.text(text) == text
    assert ONE.text(f"[{text}]") == f"[{text}]"


@pytest.mark.parametrize("address", ["10.128.0.7", "34.72.1.2", "192.168.7.9", "2600:1900:4000::7", "fd12:3456::1"])
def test_an_address_is_not_seen_and_always_becomes_the_same(address: str) -> None:
    made = ONE.text(f"dial tcp {address}: refused")
    assert address not in made
    assert Anonymiser(KEY, {}).text(f"a={address},") == f"a={ONE.address(address)},"
    assert Anonymiser(OTHER, {}).address(address) != ONE.address(address)


@pytest.mark.parametrize(
    ("subnet", "address"), [("10.4.0.0/14", "10.7.1.2"), ("2600:1900:4000::/48", "2600:1900:4000::7")]
)
def test_a_subnet_stays_a_subnet_with_who_is_in_it(subnet: str, address: str) -> None:
    made = ONE.text(subnet)
    assert made != subnet
    network = ipaddress.ip_network(made)  # its host part is empty
    assert ipaddress.ip_address(ONE.text(address)) in network
    inside = ONE.text(f"{address}/{network.prefixlen}")
    assert ipaddress.ip_interface(inside).network == network


def test_addresses_are_found_whatever_stands_around_them() -> None:
    four, six = ONE.address("10.1.2.3"), ONE.address("2600::5")
    assert ONE.text("10.1.2.3:443 [2600::5]:443 ::ffff:10.1.2.3 x=10.1.2.3. ip-10.1.2.3") == (
        f"{four}:443 [{six}]:443 ::ffff:{four} x={four}. ip-10.1.2.3"
    )
    assert ONE.text("https://10.1.2.3/x,10.1.2.3") == f"https://{four}/x,{four}"


@pytest.mark.parametrize(
    "text",
    [
        "6.12.55+ v1.34.0-gke.1662000 18867.199.28 2.35-0ubuntu3.4",
        "1.2.3.4-5 v1.2.3.4 version: 1.2.3.4 256.1.1.1 1.2.3.4.5",
        "12:34:56 0:0:0:0 0000:00:1f.2 8:1 std::string 2026-11-22T01:02:03Z",
        "0a1b2c3d-0a1b-4c3d-8e9f-0123456789ab 0123456789abcdef0123456789abcdef sha256:00ff",
        "50:01:43:80:12:34:56:78",
    ],
)
def test_what_is_no_address_stays(text: str) -> None:
    assert ONE.text(text) == text


def test_mac_addresses_become_others_of_nobodys_making() -> None:
    made = ONE.text("42:01:0a:80:00:07")
    assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", made)
    assert ONE.text("x 42:01:0A:80:00:07,") == f"x {made.upper()},"
    assert ONE.text("42-01-0a-80-00-07") == made.replace(":", "-")
    for text in ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb", "33:33:00:00:00:01"):
        assert ONE.text(text) == text
    assert "0a80" not in ONE.text("fe80::4001:aff:fe80:7")
    assert ONE.text("fe80::4001:aff:fe80:7").startswith("fe80::")


TOLD = """\
"hostname": "web-01.corp.example"
Nov 22 gke-shop-pool-1-0a1b2c3d-x1y2 kubelet: cloud.google.com/gke-nodepool=pool-1
gce://acme-prod-1/us-central1-a/gke-shop-pool-1-0a1b2c3d-x1y2 in projects/12345678/zones
pod="payments/checkout-7d8b49557c-abcde" node="edge-node-7"
/var/log/pods/billing_invoice-0_0a1b2c3d-0a1b-4c3d-8e9f-0123456789ab/x/0.log
session opened for user zoe(uid=1000) by (uid=0); /home/yan/.ssh; robot@acme-prod-1.iam.gserviceaccount.com
gcr.io/acme-images/app:1 gcr.io/gke-release/pause:3.8 clusters/blue /home/kubernetes/bin pod="kube-system/kube-dns-0"
max-pods-per-node=110 for user root
"""


def test_names_are_learned_where_a_text_says_of_what_they_are() -> None:
    names = learned([TOLD])
    assert names == {
        "web-01.corp.example": "host", "web-01": "host", "gke-shop-pool-1-0a1b2c3d-x1y2": "node", "shop": "cluster",
        "acme-prod-1": "project", "12345678": "project", "payments": "namespace", "checkout-7d8b49557c-abcde": "pod",
        "edge-node-7": "node", "billing": "namespace", "invoice-0": "pod", "zoe": "user", "yan": "user",
        "robot": "user", "acme-images": "project", "blue": "cluster", "kube-dns-0": "pod",
    }  # fmt: skip


def test_names_become_what_they_are_and_a_number_everywhere() -> None:
    names = learned([TOLD])
    made = Anonymiser(KEY, names).text(TOLD)
    assert not [name for name in names if re.search(rf"(?<![a-z0-9]){re.escape(name)}(?![a-z0-9])", made)]
    assert re.search(r'pod="namespace-[0-9a-f]{8}/pod-[0-9a-f]{8}" node="node-[0-9a-f]{8}"', made)
    assert re.search(r"gce://(project-[0-9a-f]{8})/us-central1-a/(gke-node-[0-9a-f]{8})", made)
    assert "gcr.io/gke-release/pause:3.8" in made
    assert "/home/kubernetes/bin" in made
    assert "for user root" in made
    assert Anonymiser(KEY, names).text(TOLD) == made
    assert Anonymiser(OTHER, names).text(TOLD) != made
    assert Anonymiser(KEY, names).text("WEB-01") == Anonymiser(KEY, names).text("web-01")
    assert (
        Anonymiser(KEY, names).data(b"\xffzoe 10.0.0.1")
        == b"\xff" + Anonymiser(KEY, names).text("zoe 10.0.0.1").encode()
    )


@given(
    st.text(max_size=60),
    st.sampled_from(["10.1.2.3", "2600::5", "42:01:0a:80:00:07", "Zoë-7", "web-01"]),
    st.text(max_size=60),
)
def test_what_stands_apart_is_found_in_any_line_of_any_text(before: str, what: str, after: str) -> None:
    anonymiser = Anonymiser(KEY, {"web-01": "host", "zoë-7": "user"})
    assert what not in anonymiser.text(f"{before}\n| {what} |\n{after}").split("\n|")[1]


MAILS: Final = """\
emailAddress=Zoe.Doe+x@Corp.Example, mailto:7yan@mail.shop.example; "ann@corp.example"\\nfor root@corp.example.
from ldap.corp.example to 1000@x.service and user-1000@0005d2.journal
"""


def test_both_parts_of_a_mail_address_become_pseudonyms_and_equal_stays_equal() -> None:
    names = learned([MAILS])
    assert names == {
        "Zoe.Doe+x": "user", "Corp.Example": "domain", "7yan": "user", "mail.shop.example": "domain", "ann": "user",
        "corp.example": "domain",
    }  # fmt: skip
    anonymiser = Anonymiser(KEY, names)
    corp, mail = anonymiser.name("corp.example"), anonymiser.name("mail.shop.example")
    zoe, ann, yan = (anonymiser.name(name) for name in ("Zoe.Doe+x", "ann", "7yan"))
    assert re.fullmatch("domain-[0-9a-f]{8}", corp)
    assert corp != mail
    assert anonymiser.text(MAILS) == (
        f'emailAddress={zoe}@{corp}, mailto:{yan}@{mail}; "{ann}@{corp}"\\nfor root@{corp}.\n'
        f"from ldap.{corp} to 1000@x.service and user-1000@0005d2.journal\n"
    )
    assert anonymiser.text(anonymiser.text(MAILS)) == anonymiser.text(MAILS)


@pytest.mark.parametrize(
    "text",
    [
        "hmac-sha2-256-etm@openssh.com,curve25519-sha256@libssh.org git@github.com",
        "cloud.google.com/gke-nodepool=x of root@google.com, root@x.iam.gserviceaccount.example.googleapis.com",
        "getty@tty1.service dev-disk@x.device system@0005f-00.journal gcr.io/x@sha256:00ff",
    ],
)
def test_a_domain_of_programs_or_labels_is_nobodys(text: str) -> None:
    made = Anonymiser(KEY, learned([text])).text(text)
    assert "domain-" not in made
    assert "cloud.google.com/gke-nodepool" in made or "cloud" not in text


class Part(msgspec.Struct, frozen=True):
    outcome: Outcome
    id: str
    hostname: str
    labels: dict[str, str]
    texts: tuple[str, ...]


def test_a_record_keeps_its_own_words_and_ids() -> None:
    part = Part(
        Outcome.PASSED, "mounts.web-01", "web-01", {"web-01": "10.1.2.3", "x": "passed"}, ("at web-01", "passed")
    )
    made = anonymised(part, KEY, {"passed": "user"})
    assert (made.outcome, made.id) == (part.outcome, part.id)
    host = Anonymiser(KEY, {"web-01": "host"}).name("web-01")
    assert made.hostname == host
    assert made.labels[host] == ONE.address("10.1.2.3")
    assert made.texts[0] == f"at {host}"


def test_a_name_that_is_a_word_too_is_replaced_only_where_it_is_said_to_be_a_name() -> None:
    text = 'pod="dev/checkout-7d8b49557c-xbcdf" reads /dev/sda1 of USER=core, core_pattern'
    names = learned([text])
    made = Anonymiser(KEY, names, words_of(["/dev/sda1"])).text(text)
    assert re.fullmatch(
        r'pod="namespace-[0-9a-f]{8}/pod-[0-9a-f]{8}" reads /dev/sda1 of USER=user-[0-9a-f]{8}, core_pattern', made
    )
    record = Anonymiser(KEY, names, words_of([])).record({"namespace": "dev", "USER": "core", "fstype": "core"})
    assert record == {"namespace": "dev", "USER": made.partition("USER=")[2].partition(",")[0], "fstype": "core"}


@pytest.mark.parametrize("escaped", ["\\n", "\\t", "\\r", "\\u003c", "\\\\n"])
def test_what_follows_an_escaped_character_is_found(escaped: str) -> None:
    anonymiser = Anonymiser(KEY, {"web-01": "host"})
    for text in ("10.1.2.3", "2600::5", "42:01:0a:80:00:07", "web-01"):
        assert anonymiser.text(f"at{escaped}{text}.") == f"at{escaped}{anonymiser.text(text)}."


def test_every_word_of_a_path_that_nodediag_itself_asks_for_is_a_word_and_no_name() -> None:
    sources = [file.read_text() for room in ("facts", "host") for file in (SOURCE / room).glob("*.py")]
    paths = {path for source in sources for path in re.findall(r'"(/[a-z][^" {]*)', source)}
    known = words_of((*package.texts("profiles/data").values(), package.text("facts/data/needs.toml")))
    asked = {word for path in paths for word in re.findall("[a-z0-9]+", path.lower()) if not word.isdecimal()}
    assert len(asked) > 100
    assert asked - known == set()


@given(st.text(max_size=200))
def test_any_text_can_be_made_pseudonymous(text: str) -> None:
    assert isinstance(Anonymiser(KEY, learned([text])).text(text), str)
