"""Rates: what they rest on."""

from typing import Protocol

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts.counters import NODE, Counters, Table
from nodediag.facts.fact import Known
from nodediag.facts.partitions import BlockDevice, Partitions
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence, FileEvidence, PathEvidence
from nodediag.model.outcome import CheckResult
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.profile import Profile
from tests.checks.looks import AT_REST, POD, look


class Grown(Protocol):
    def __call__(self, of: Table, name: str, seconds: float = ..., **more: int) -> Facts: ...


class Healthy(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


def judged(one: str, facts: Facts, profile: Profile) -> CheckResult:
    return run(next(check for check in CHECKS if check.id == one), facts, profile, Request())


def texts(evidence: tuple[Evidence, ...]) -> list[str]:
    return [line.text for line in evidence if isinstance(line, FileEvidence)]


@pytest.mark.parametrize(
    ("check", "grew", "said"),
    [
        ("rates.oom-kills", {"oom_kill": 2}, ["oom_kill 0", "oom_kill 2"]),
        ("rates.swapping", {"pswpin": 900_000}, ["pswpin 0", "pswpout 0", "pswpin 900000", "pswpout 0"]),
    ],
)
def test_a_rate_quotes_the_counters_that_it_is_made_of_and_no_others(
    check: str, grew: dict[str, int], said: list[str], grown: Grown, profile: Profile
) -> None:
    (problem,) = judged(check, grown(Table.MEMORY, NODE, **grew), profile).problems
    assert texts(problem.evidence) == said
    assert not problem.truncated


@pytest.mark.parametrize(("spares", "found"), [(("loop*",), []), (("zram*",), ["loop0"])])
def test_which_disks_are_not_judged_is_the_profiles_word(
    spares: tuple[str, ...], found: list[str], grown: Grown, profile: Profile
) -> None:
    loop = BlockDevice(name="loop0", kind="loop", evidence=PathEvidence(path="/sys/class/block/loop0", type="link"))
    slow = msgspec.structs.replace(
        grown(Table.DISKS, "loop0", writes=100, write_ms=20_000), partitions=Known(Partitions(devices=(loop,), total=1))
    )
    rule = msgspec.structs.replace(profile.thresholds["rates.disk-latency"], spares=spares)
    own = msgspec.structs.replace(profile, thresholds={"rates.disk-latency": rule})
    assert [problem.subject.name for problem in judged("rates.disk-latency", slow, own).problems] == found


def without(counters: Counters, table: Table, reason: Reason) -> Counters:
    tables = {name: rows for name, rows in counters.tables.items() if name is not table}
    return Counters(
        boot_id=counters.boot_id, uptime_s=counters.uptime_s, tables=tables, unread={table: reason}, pods=counters.pods
    )


def test_a_kill_in_the_first_pod_of_a_node_is_told_of_that_pod(healthy: Healthy, profile: Profile) -> None:
    none = Reason(code=Code.ABSENT, detail="no cgroup is one of pods")
    rows = {**AT_REST, Table.MEMORY: {NODE: {"oom_kill": 1}}, Table.OOM_KILLS: {POD: {"oom_kill": 1}}}
    before, now = without(look(1, AT_REST), Table.OOM_KILLS, none), look(2, rows)
    seen = healthy(counters=Known(now), earlier=Known(before))
    (problem,) = judged("rates.oom-kills", seen, profile).problems
    assert (problem.subject.name, texts(problem.evidence)) == (POD, ["oom_kill 1"])
