"""The limit that bites first, and what is left open where one was not seen."""

from typing import NamedTuple, Protocol, TypeVar

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts.conntrack import Conntrack
from nodediag.facts.fact import Fact, Known, Unknown, known
from nodediag.facts.kubelet_config import Told
from nodediag.facts.kubelet_settings import Settings
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.profile import Profile

LINE = FileEvidence(path="/k", line=6, text="  pid.available: 10%")
WATCHED = Settings(hard={"pid.available": Told(value="10%", by="evictionHard in /k", evidence=LINE)})


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


class Case(NamedTuple):
    healthy: Make
    profile: Profile


@pytest.fixture
def case(healthy: Make, profile: Profile) -> Case:
    return Case(healthy, profile)


S = TypeVar("S", bound=msgspec.Struct)


def with_fields(fact: Fact[S], **fields: object) -> Known[S]:
    held = known(fact)
    assert held is not None
    return Known(msgspec.structs.replace(held, **fields))


def judged(one: str, facts: Facts, profile: Profile) -> CheckResult:
    return run(next(check for check in CHECKS if check.id == one), facts, profile, Request(logs=True))


@pytest.mark.parametrize(
    ("used", "limit", "severity"),
    [
        pytest.param((28_000, 500), "kernel.pid_max", Severity.WARNING, id="the kernel's lower one"),
        pytest.param((32_700, 500), "kernel.pid_max", Severity.CRITICAL, id="nothing is left"),
        pytest.param(
            (28_000, 29_900), "/sys/fs/cgroup/kubepods.slice/pids.max", Severity.CRITICAL, id="that of the pods"
        ),
    ],
)
def test_the_limit_that_bites_first_is_told(case: Case, used: tuple[int, int], limit: str, severity: Severity) -> None:
    whole, (threads, pods) = case.healthy(), used
    facts = case.healthy(load=with_fields(whole.load, threads=threads), kubepods=with_fields(whole.kubepods, pids=pods))
    (problem,) = judged("limits.pids", facts, case.profile).problems
    assert (problem.subject.name, problem.severity) == (limit, severity)


def test_the_kubelets_threshold_for_pids_is_of_the_lower_kernel_limit(healthy: Make, profile: Profile) -> None:
    whole = healthy()
    for threads, outcome in ((29_480, Outcome.PASSED), (29_500, Outcome.FAILED)):
        kubelet = with_fields(whole.kubelet, settings=WATCHED)
        facts = healthy(load=with_fields(whole.load, threads=threads), kubelet=kubelet)
        lenient = msgspec.structs.replace(profile.thresholds["limits.pids"], warning=99.0, critical=99.0)
        lax = msgspec.structs.replace(profile, thresholds={**profile.thresholds, "limits.pids": lenient})
        result = judged("limits.pids", facts, lax)
        assert result.outcome is outcome
        assert [problem.severity for problem in result.problems] == [Severity.CRITICAL] * (outcome is Outcome.FAILED)


@pytest.mark.parametrize(("code", "outcome"), [(Code.ABSENT, Outcome.PASSED), (Code.NOT_CAPTURED, Outcome.UNKNOWN)])
def test_a_limit_that_was_not_seen_leaves_it_open_unless_there_is_none(
    healthy: Make, profile: Profile, code: Code, outcome: Outcome
) -> None:
    facts = healthy(kubepods=Unknown(Reason(code=code, detail="no", needs="it")))
    assert judged("limits.pids", facts, profile).outcome is outcome


def test_a_pid_max_of_another_namespace_leaves_it_open_but_what_is_full_is_told(
    healthy: Make, profile: Profile
) -> None:
    whole = healthy()
    reason = Reason(code=Code.OTHER_NAMESPACE, detail="ours", needs="hostPID")
    pids = with_fields(whole.pids, pid_max=msgspec.UNSET, pid_max_reason=reason)
    assert judged("limits.pids", healthy(pids=pids), profile).reason == reason
    full = judged("limits.pids", healthy(pids=pids, load=with_fields(whole.load, threads=59_990)), profile)
    assert (full.outcome, full.reason) == (Outcome.FAILED, reason)


def test_a_kernel_that_tracks_no_connections_is_not_judged(healthy: Make, profile: Profile) -> None:
    facts = healthy(conntrack=Known(Conntrack(tracked=False)))
    assert judged("limits.conntrack", facts, profile).outcome is Outcome.NOT_APPLICABLE


def test_too_many_living_cgroups_are_told_beside_the_dying(healthy: Make, profile: Profile) -> None:
    facts = healthy(kubepods=with_fields(healthy().kubepods, cgroups=65_000, dying=10_000))
    problems = judged("limits.cgroups", facts, profile).problems
    assert [(one.subject.name, one.severity) for one in problems] == [
        ("memory cgroups", Severity.CRITICAL), ("dying", Severity.WARNING),
    ]  # fmt: skip


def test_a_user_may_change_a_threshold(healthy: Make, profile: Profile) -> None:
    strict = msgspec.structs.replace(profile.thresholds["limits.files"], warning=0.1)
    own = msgspec.structs.replace(profile, thresholds={**profile.thresholds, "limits.files": strict})
    assert judged("limits.files", healthy(), profile).outcome is Outcome.PASSED
    assert judged("limits.files", healthy(), own).outcome is Outcome.FAILED


def test_what_the_node_uses_itself_is_held_against_the_reservations(healthy: Make, profile: Profile) -> None:
    whole = healthy()
    huge = with_fields(whole.memory, available_bytes=4 << 30, hugetlb_bytes=2 << 30)
    assert judged("memory.reserved", healthy(memory=huge), profile).outcome is Outcome.PASSED
    none = healthy(kubelet=with_fields(whole.kubelet, settings=Settings()))
    assert judged("memory.reserved", none, profile).outcome is Outcome.NOT_APPLICABLE
    no_pods = healthy(kubepods=with_fields(whole.kubepods, path=""))
    assert judged("memory.reserved", no_pods, profile).outcome is Outcome.NOT_APPLICABLE
