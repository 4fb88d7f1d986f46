"""Thresholds and reservations: from the file, from flags that win, and quantities."""

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError
from nodediag.facts import kubelet_settings, quantity
from nodediag.facts.kubelet_config import Config
from nodediag.facts.kubelet_settings import Settings
from nodediag.host import yaml_text
from nodediag.model.evidence import FileEvidence, ProcessEvidence

PATH = "/home/kubernetes/kubelet-config.yaml"
GKE = """\
kind: KubeletConfiguration
evictionHard:
  memory.available: 100Mi
  nodefs.available: 10%
  nodefs.inodesFree: 5%
  pid.available: 10%
kubeReserved:
  cpu: 1060m
  memory: 1019Mi
systemReserved:
  memory: 100Mi
"""


def settings(text: str, flags: dict[str, str] | None = None) -> Settings:
    config = Config(yaml_text.load(text, PATH), ((PATH, tuple(text.split("\n"))),))
    return kubelet_settings.read(flags or {}, 7, config)


def values(table: object) -> dict[str, str]:
    assert isinstance(table, dict)
    return {name: told.value for name, told in table.items()}


def test_the_file_is_read_with_the_lines_that_say_it() -> None:
    found = settings(GKE)
    assert values(found.hard) == {
        "memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%", "pid.available": "10%",
    }  # fmt: skip
    assert isinstance(found.hard, dict)
    told = found.hard["nodefs.available"]
    assert told.by == f"evictionHard in {PATH}"
    assert told.evidence == FileEvidence(path=PATH, line=4, text="  nodefs.available: 10%")
    assert values(found.reserved) == {
        "kubeReserved.cpu": "1060m", "kubeReserved.memory": "1019Mi", "systemReserved.memory": "100Mi",
    }  # fmt: skip
    assert found.reserved["systemReserved.memory"].evidence == FileEvidence(path=PATH, line=11, text="  memory: 100Mi")


def test_a_flag_takes_the_place_of_the_files_whole_table() -> None:
    found = settings(GKE, {"eviction-hard": "nodefs.available<1Gi,memory.available<5%", "kube-reserved": "memory=1Gi"})
    assert values(found.hard) == {"nodefs.available": "1Gi", "memory.available": "5%"}
    assert isinstance(found.hard, dict)
    evidence = found.hard["nodefs.available"].evidence
    assert isinstance(evidence, ProcessEvidence)
    assert evidence.text == "--eviction-hard=nodefs.available<1Gi,memory.available<5%"
    assert values(found.reserved) == {"kubeReserved.memory": "1Gi", "systemReserved.memory": "100Mi"}


@pytest.mark.parametrize("text", ["kind: KubeletConfiguration", "evictionHard:", "[]", ""])
def test_where_nothing_was_said_the_kubelets_own_hold(text: str) -> None:
    found = settings(text)
    assert found.hard is not None
    assert not isinstance(found.hard, dict)


@pytest.mark.parametrize(
    ("text", "watched"), [("{}", []), ('{"nodefs.available": "0%", "pid.available": 9}', ["pid.available"])]
)
def test_what_is_switched_off_is_not_watched(text: str, watched: list[str]) -> None:
    found = settings(f"evictionHard: {text}")
    assert isinstance(found.hard, dict)
    assert list(found.hard) == watched


def test_soft_thresholds_come_with_their_grace() -> None:
    found = settings("evictionSoft: {nodefs.available: 15%}\nevictionSoftGracePeriod: {nodefs.available: 2m}\n")
    assert values(found.soft) == {"nodefs.available": "15%"}
    assert found.soft_grace == {"nodefs.available": "2m"}


@pytest.mark.parametrize(
    ("text", "flags", "fails", "behavior"),
    [
        ("", {}, True, ""),
        ("failSwapOn: false\nmemorySwap: {swapBehavior: LimitedSwap}", {}, False, "LimitedSwap"),
        ("failSwapOn: true", {"fail-swap-on": "false"}, False, ""),
        ("memorySwap: 3", {"fail-swap-on": "true"}, True, ""),
    ],
)
def test_swap_is_refused_unless_it_is_allowed(text: str, flags: dict[str, str], behavior: str, *, fails: bool) -> None:
    found = settings(text, flags)
    assert (found.fail_swap_on, found.swap_behavior) == (fails, behavior)


def test_a_threshold_that_is_none_is_refused() -> None:
    with pytest.raises(ParseError):
        settings("evictionHard: {nodefs.available: much}")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("100Mi", 100 << 20), ("1.5Gi", 3 << 29), ("2e3", 2000), ("2E3", 2000), ("1k", 1000), ("1m", 1),
        ("1500m", 2),
        ("12E", (1 << 63) - 1), ("5G", 5 * 10**9), ("1E", 10**18), ("+7", 7), ("99999999999999999999Ei", (1 << 63) - 1),
    ],
)  # fmt: skip
def test_quantities_are_read_as_kubernetes_does(text: str, number: int) -> None:
    assert quantity.amount(text) == number


@pytest.mark.parametrize("text", ["", "-1", "1KB", "Mi", "1 Gi", "\u0663", "1e999", "0x10", "nan"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        quantity.amount(text)


def test_a_percentage_is_of_the_whole() -> None:
    assert quantity.of_whole("10%", 12345) == 1234
    assert quantity.of_whole("2.5%", 1000) == 25
    assert quantity.of_whole("10Ki", 5) == 10240


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (1 << 62, "4.0 EiB"), (1 << 80, "1048576.0 EiB")],
)
def test_bytes_are_told_in_a_persons_units(count: int, told: str) -> None:
    assert quantity.size(count) == told


@given(text=st.text(max_size=12) | st.from_regex(r"[0-9.]{0,9}[numkMGTPEi%e+-]{0,3}", fullmatch=True))
def test_any_text_is_a_number_or_a_parse_error(text: str) -> None:
    try:
        assert 0 <= quantity.of_whole(text, 1000) < 1 << 63
    except ParseError:
        return


@given(text=st.text(max_size=60), flag=st.text(max_size=30))
def test_any_file_and_flag_give_settings_or_a_parse_error(text: str, flag: str) -> None:
    try:
        settings(f"evictionHard:\n  {text}", {"eviction-soft": flag, "system-reserved": flag})
    except ParseError:
        return
