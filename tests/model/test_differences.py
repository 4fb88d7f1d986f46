from collections.abc import Callable
from datetime import date, datetime, timedelta

import msgspec
import pytest

from nodediag.facts.snapshot import Facts
from nodediag.model.differences import CheckSight, Difference, SameNode, difference
from nodediag.model.outcome import CheckResult, Outcome, Problem, Severity, Subject, Waiver
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Report
from tests.render.conftest import (
    MakeReport,
    diagnosed as diagnosed,  # noqa: PLC0414 - a fixture
    report_of as report_of,  # noqa: PLC0414 - a fixture
)

REASON = Reason(code=Code.TIMED_OUT, detail="it took too long")
Compare = Callable[[Report[Facts], Report[Facts]], Difference]


@pytest.fixture
def healthy(report_of: MakeReport) -> Report[Facts]:
    return report_of("healthy")


def compared(before: Report[Facts], after: Report[Facts]) -> Difference:
    return difference(("a", "b"), before, after, ({}, {}))


def problem(name: str, severity: Severity = Severity.WARNING, waiver: Waiver | None = None) -> Problem:
    return Problem(
        fingerprint=name, severity=severity, subject=Subject("path", name), message=name, expected="", observed="",
        evidence=(), waiver=waiver or msgspec.UNSET,
    )  # fmt: skip


def check(outcome: Outcome, *problems: Problem, reason: Reason | None = None) -> CheckResult:
    return CheckResult(id="a.check", title="t", outcome=outcome, problems=problems, reason=reason or msgspec.UNSET)


def with_checks(report: Report[Facts], *checks: CheckResult) -> Report[Facts]:
    return msgspec.structs.replace(report, checks=checks)


def test_another_time_and_another_name_are_no_difference(healthy: Report[Facts]) -> None:
    node = msgspec.structs.replace(healthy.node, name="other", hostname="other", machine_id="f" * 32, boot_id="x")
    later = msgspec.structs.replace(healthy, node=node, observed_at=healthy.observed_at + timedelta(days=1))
    found = compared(healthy, later)
    assert found.same
    assert found.same_node is SameNode.NO
    assert compared(healthy, healthy).same_node is SameNode.YES


def test_a_node_that_was_booted_in_between_is_told(healthy: Report[Facts]) -> None:
    one, other = (
        msgspec.structs.replace(healthy, node=msgspec.structs.replace(healthy.node, boot_id=boot)) for boot in "xy"
    )
    assert compared(one, other).rebooted
    assert compared(one, other).same
    assert not compared(one, one).rebooted


def test_image_and_versions_that_differ_are_told(healthy: Report[Facts]) -> None:
    node = msgspec.structs.replace(healthy.node, kernel=msgspec.structs.replace(healthy.node.kernel, release="9"))
    tool = msgspec.structs.replace(healthy.tool, version="9.9")
    found = compared(healthy, msgspec.structs.replace(healthy, node=node, tool=tool, profile=msgspec.UNSET))
    assert [(one.field, one.after) for one in found.image] == [("kernel.release", "9")]
    assert [one.field for one in found.judged_by] == ["tool.version", "profile.name", "profile.digest"]
    assert not found.same


FAILED = check(Outcome.FAILED, problem("/x"))
PASSED = check(Outcome.PASSED)
BLIND = check(Outcome.UNKNOWN, reason=REASON)
PARTLY = check(Outcome.FAILED, problem("/y"), reason=REASON)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (PASSED, FAILED, {"began": ["/x"]}),
        (FAILED, PASSED, {"ended": ["/x"]}),
        (FAILED, FAILED, {"still": ["/x"]}),
        (FAILED, BLIND, {"only_before": ["/x"]}),
        (BLIND, FAILED, {"only_after": ["/x"]}),
        (FAILED, PARTLY, {"began": ["/y"], "only_before": ["/x"]}),
        (PARTLY, FAILED, {"ended": ["/y"], "only_after": ["/x"]}),
        (None, FAILED, {"only_after": ["/x"]}),
        (FAILED, None, {"only_before": ["/x"]}),
    ],
    ids=["began", "ended", "still", "sight lost", "sight gained", "half seen after", "half seen before", "new check",
         "no such check any more"],
)  # fmt: skip
def test_a_check_that_could_not_look_tells_neither_a_beginning_nor_an_end(
    healthy: Report[Facts], before: CheckResult | None, after: CheckResult | None, told: dict[str, list[str]]
) -> None:
    one, other = (with_checks(healthy, *([check] if check is not None else [])) for check in (before, after))
    found = compared(one, other).problems
    names = {key: [problem.subject.name for problem in getattr(found, key)] for key in found.__struct_fields__}
    assert {key: value for key, value in names.items() if value} == told
    assert compared(one, other).same == (before is after)


def test_a_problem_that_weighs_otherwise_has_changed(healthy: Report[Facts]) -> None:
    waiver = Waiver(owner="o", reason="r", expires=date(2030, 1, 1))
    worse = check(Outcome.FAILED, problem("/x", Severity.CRITICAL))
    waived = check(Outcome.FAILED, problem("/x", Severity.WARNING, waiver))
    (change,) = compared(with_checks(healthy, FAILED), with_checks(healthy, worse)).problems.changed
    assert (change.before, change.after) == (Severity.WARNING, Severity.CRITICAL)
    (change,) = compared(with_checks(healthy, FAILED), with_checks(healthy, waived)).problems.changed
    assert (change.waived_before, change.waived_after) == (False, True)


@pytest.mark.parametrize(
    ("before", "after", "sight"),
    [
        (PASSED, BLIND, CheckSight.LOST),
        (BLIND, FAILED, CheckSight.GAINED),
        (PASSED, FAILED, CheckSight.BOTH),
        (BLIND, check(Outcome.NOT_APPLICABLE), CheckSight.BOTH),
    ],
)
def test_a_check_says_whether_it_lost_or_gained_sight(
    healthy: Report[Facts], before: CheckResult, after: CheckResult, sight: CheckSight
) -> None:
    (change,) = compared(with_checks(healthy, before), with_checks(healthy, after)).checks
    assert change.sight is sight
    assert (change.reason == REASON) == (sight is not CheckSight.BOTH)


def test_failures_in_the_journal_are_compared_by_their_counts(report_of: MakeReport, now: datetime) -> None:
    healthy, broken, hostile = (report_of(name) for name in ("healthy", "broken", "hostile"))
    found = {one.id: (one.before, one.after) for one in compared(broken, hostile).signatures}
    assert found["kubelet.pleg-unhealthy"] == (1, 4)
    assert found["kernel.ext4-error"] == (1, 0)
    assert compared(healthy, healthy).signatures == ()
    unread = msgspec.structs.replace(hostile, logs=type(hostile.logs).unread(now, now, ()))
    blind = compared(broken, unread)
    assert (blind.journal, blind.signatures) == (False, ())
