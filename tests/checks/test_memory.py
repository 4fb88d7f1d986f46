"""Memory against the kubelet's threshold and the profile's; swap against what the kubelet was told; pressure."""

from typing import NamedTuple, Protocol

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts.fact import Known, known
from nodediag.facts.kubelet import Kubelet
from nodediag.facts.kubelet_config import Told
from nodediag.facts.kubelet_settings import Settings
from nodediag.facts.pressure import Pressure
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.profile import Profile

GIB = 1 << 30
LINE = FileEvidence(path="/k", line=3, text="  memory.available: 500Mi")
TOLD_NOTHING = Settings()
UNREAD = Reason(code=Code.UNSUPPORTED, detail="a --config-dir")


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


class Node(NamedTuple):
    healthy: Make
    profile: Profile

    def judged(self, one: str, told: Settings | Reason = TOLD_NOTHING, /, **memory: object) -> CheckResult:
        whole = self.healthy()
        held, kubelet = known(whole.memory), known(whole.kubelet)
        assert held is not None
        assert kubelet is not None
        if isinstance(told, Reason):
            kubelet = msgspec.structs.replace(kubelet, settings=msgspec.UNSET, settings_reason=told)
        else:
            kubelet = msgspec.structs.replace(kubelet, settings=told)
        facts = self.healthy(memory=Known(msgspec.structs.replace(held, **memory)), kubelet=Known(kubelet))
        return run(next(check for check in CHECKS if check.id == one), facts, self.profile, Request(logs=True))


@pytest.fixture
def node(healthy: Make, profile: Profile) -> Node:
    return Node(healthy, profile)


def at(value: str) -> dict[str, Told]:
    return {"memory.available": Told(value=value, by="evictionHard in /k", evidence=LINE)}


def severities(result: CheckResult) -> list[Severity]:
    return [problem.severity for problem in result.problems]


def test_less_than_the_kubelets_threshold_is_critical_by_either_count(node: Node) -> None:
    for field in ("available_bytes", "beyond_working_set_bytes"):
        assert severities(node.judged("memory.available", **{field: 99 << 20})) == [Severity.CRITICAL]
    assert node.judged("memory.available", available_bytes=GIB).outcome is Outcome.PASSED


def test_a_threshold_that_was_told_is_quoted_with_reservations(node: Node) -> None:
    kept = {"kubeReserved.memory": Told(value="1019Mi", by="kubeReserved in /k", evidence=LINE)}
    settings = Settings(hard=at("10%"), reserved=kept)
    (problem,) = node.judged("memory.available", settings, available_bytes=800 << 20).problems
    assert problem.message == (
        "of 8.0 GiB of memory 800.0 MiB are available as the kernel estimates, 5.0 GiB as the kubelet counts; the"
        " kubelet evicts pods where memory.available is below 10%, by evictionHard in /k (reserved: kubeReserved.memory"
        " 1019Mi)"
    )
    assert problem.evidence[-1] == LINE


def test_little_memory_is_a_warning_and_thresholds_nobody_read_leave_the_rest_open(node: Node) -> None:
    assert severities(node.judged("memory.available", available_bytes=300 << 20)) == [Severity.WARNING]
    result = node.judged("memory.available", UNREAD, available_bytes=50 << 20)
    assert (severities(result), result.reason) == ([Severity.WARNING], UNREAD)
    assert node.judged("memory.available", UNREAD).outcome is Outcome.UNKNOWN


def test_a_soft_threshold_gives_grace_and_so_a_warning(node: Node) -> None:
    settings = Settings(hard={}, soft=at("1Gi"), soft_grace={"memory.available": "30s"})
    result = node.judged("memory.available", settings, available_bytes=900 << 20)
    assert severities(result) == [Severity.WARNING]


def test_swap_is_stood_by_a_kubelet_that_was_told_so(node: Node) -> None:
    swap = {"swap_total_bytes": GIB, "swaps": ("/dev/zram0",)}
    (problem,) = node.judged("memory.swap", **swap).problems
    assert "1.0 GiB of swap are on (/dev/zram0)" in problem.message
    assert node.judged("memory.swap", Settings(fail_swap_on=False), **swap).outcome is Outcome.PASSED
    assert node.judged("memory.swap", UNREAD, **swap).outcome is Outcome.UNKNOWN
    assert node.judged("memory.swap", UNREAD).outcome is Outcome.PASSED


def test_without_a_kubelet_swap_is_nobodys_matter(node: Node) -> None:
    facts = node.healthy(kubelet=Known(Kubelet(running=False)))
    swap = next(check for check in CHECKS if check.id == "memory.swap")
    assert run(swap, facts, node.profile, Request(logs=True)).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("windows", "severity"),
    [
        pytest.param((70, 65, 61), Severity.CRITICAL, id="it has lasted and still lasts"),
        pytest.param((70, 65, 30), Severity.WARNING, id="it is new"),
        pytest.param((0, 65, 61), None, id="it is over"),
        pytest.param((99, 15, 3), None, id="a moment"),
    ],
)
def test_pressure_counts_by_the_least_of_its_windows(
    node: Node, windows: tuple[float, float, float], severity: Severity | None
) -> None:
    calm = known(node.healthy().pressure)
    assert calm is not None
    avg10, avg60, avg300 = windows
    stalls = tuple(
        msgspec.structs.replace(one, avg10=avg10, avg60=avg60, avg300=avg300)
        if (one.resource, one.kind) == ("memory", "full")
        else one
        for one in calm.stalls
    )
    facts = node.healthy(pressure=Known(Pressure(kept=True, stalls=stalls)))
    check = next(check for check in CHECKS if check.id == "pressure.memory")
    result = run(check, facts, node.profile, Request(logs=True))
    assert severities(result) == ([severity] if severity else [])


def test_a_kernel_that_keeps_no_pressure_is_not_judged_by_it(node: Node) -> None:
    facts = node.healthy(pressure=Known(Pressure(kept=False)))
    for check in CHECKS:
        if check.id.startswith("pressure."):
            assert run(check, facts, node.profile, Request(logs=True)).outcome is Outcome.NOT_APPLICABLE


def test_a_load_is_not_judged_where_the_cpus_were_not_seen(node: Node) -> None:
    load = known(node.healthy().load)
    assert load is not None
    facts = node.healthy(load=Known(msgspec.structs.replace(load, cpus=msgspec.UNSET, avg15=900)))
    check = next(check for check in CHECKS if check.id == "processes.load")
    assert run(check, facts, node.profile, Request(logs=True)).outcome is Outcome.UNKNOWN
