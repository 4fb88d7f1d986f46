"""The kubelet's configuration in effect: a file, drop-ins over it, flags over both."""

from collections.abc import Mapping
from typing import Protocol

import msgspec
import pytest

from nodediag.facts import kubelet_config
from nodediag.facts.kubelet_config import Config, Told
from nodediag.host.answer import Failure, SystemdAnswer, Target
from nodediag.host.host import Host
from nodediag.host.yaml_text import Yaml
from nodediag.model.evidence import FileEvidence, ProcessEvidence
from nodediag.model.reason import Code, Reason

MAIN = "/etc/kubelet.yaml"
FOLDER = "/etc/kubelet.d"
FLAGS = {"config": MAIN, "config-dir": FOLDER}
BASE = """\
kind: KubeletConfiguration
port: 20250
authorization:
  mode: Webhook
  webhook:
    cacheAuthorizedTTL: "5m"
featureGates:
  AllAlpha: false
  MemoryQoS: true
clusterDNS:
- 192.168.0.9
- 192.168.0.8
"""


class MakeHost(Protocol):
    def __call__(self, files: Mapping[str, str | bytes | Target | SystemdAnswer | Failure]) -> Host: ...


def in_effect(node: Host, flags: dict[str, str]) -> dict[str, Told]:
    config, reason = kubelet_config.read(node, flags)
    assert reason is msgspec.UNSET
    return kubelet_config.values(config, flags, 7)


def words(told: dict[str, Told]) -> dict[str, str]:
    return {key: one.value for key, one in told.items()}


def test_drop_ins_are_merged_as_the_kubelet_documents_it(host: MakeHost) -> None:
    files = {
        MAIN: BASE,
        f"{FOLDER}/90-last.conf": "clusterDNS: [192.168.0.2]\nauthorization:\n  mode: AlwaysAllow\n",
        f"{FOLDER}/10-first.conf": "featureGates:\n  MemoryQoS: false\nauthorization:\n  mode: x\nport: null\n",
        f"{FOLDER}/sub/20.conf": "maxPods: 9\n",
        f"{FOLDER}/50-no.yaml": "maxPods: 1\n",
    }
    told = in_effect(host(files), FLAGS)
    assert words(told) == {
        "kind": "KubeletConfiguration",
        "authorization.mode": "AlwaysAllow",
        "authorization.webhook.cacheAuthorizedTTL": "5m",
        "featureGates.AllAlpha": "false",
        "featureGates.MemoryQoS": "false",
        "clusterDNS": "192.168.0.2",
        "maxPods": "9",
    }
    assert told["authorization.mode"].evidence == FileEvidence(
        path=f"{FOLDER}/90-last.conf", line=3, text="  mode: AlwaysAllow"
    )
    assert told["authorization.webhook.cacheAuthorizedTTL"].by == f"cacheAuthorizedTTL in {MAIN}"


def test_a_folder_needs_no_file_beside_it(host: MakeHost) -> None:
    assert words(in_effect(host({f"{FOLDER}/a.conf": "maxPods: 9\n"}), {"config-dir": FOLDER})) == {"maxPods": "9"}


def test_flags_win_over_all_files(host: MakeHost) -> None:
    flags = {
        "config": MAIN, "authorization-mode": "AlwaysAllow", "read-only-port": "10255", "tls-cert-file": "/c",
        "feature-gates": "MemoryQoS=false, X=True",
    }  # fmt: skip
    told = in_effect(host({MAIN: BASE}), flags)
    assert told["authorization.mode"] == Told(
        value="AlwaysAllow",
        by="the flag --authorization-mode",
        evidence=ProcessEvidence(pid=7, name="kubelet", text="--authorization-mode=AlwaysAllow"),
    )
    assert (told["readOnlyPort"].value, told["tlsCertFile"].value) == ("10255", "/c")
    gates = {key: value for key, value in words(told).items() if key.startswith("featureGates.")}
    assert gates == {"featureGates.AllAlpha": "false", "featureGates.MemoryQoS": "false", "featureGates.X": "true"}


@pytest.mark.parametrize(
    ("under", "over", "merged"),
    [
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": 1}, {"a": {"b": None}}, {"a": {}}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
    ],
)
def test_values_merge_as_rfc_7386_has_it(under: Yaml, over: Yaml, merged: Yaml) -> None:
    assert kubelet_config.merge(under, over) == merged


def test_a_file_in_another_notation_is_evidence_as_a_whole(host: MakeHost) -> None:
    told = in_effect(host({MAIN: '{"authorization": {"mode": "Webhook"}}'}), {"config": MAIN})
    assert told["authorization.mode"].evidence == FileEvidence(path=MAIN, line=0, text="authorization: mode")


def test_what_is_huge_is_cut() -> None:
    loaded: dict[str, Yaml] = {f"key{number}": "x" * 9000 for number in range(1000)}
    told = kubelet_config.values(Config(loaded), {}, 7)
    assert len(told) == 300
    assert {len(one.value) for one in told.values()} == {200}


def test_a_folder_with_too_many_files_is_not_read(host: MakeHost) -> None:
    config, reason = kubelet_config.read(host({f"{FOLDER}/{n}.conf": "" for n in range(102)}), {"config-dir": FOLDER})
    assert (config, isinstance(reason, Reason) and reason.code) == (Config(), Code.TOO_LARGE)
