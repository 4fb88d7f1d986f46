"""The kubelet's certificates, as of when the node was looked at: expired, not yet valid, not renewed, not there."""

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import msgspec
import pytest

from nodediag.checks.check import run
from nodediag.checks.kubelet_certificates import certificates
from nodediag.facts.fact import Known
from nodediag.facts.kubelet_certificates import Held, KubeletCertificates, Role
from nodediag.facts.snapshot import Facts
from nodediag.host.answer import Certificate
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.profile import Profile

NOW: Final = datetime(2026, 11, 21, tzinfo=UTC)
DAY: Final = timedelta(days=1)
UNSEEN: Final = Reason(code=Code.NOT_PERMITTED, detail="no", needs="root")


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


def one(since: timedelta, until: timedelta) -> Certificate:
    return Certificate(
        subject="CN=a", issuer="CN=ca", serial="01", key="EC P-256", authority=False, not_before=NOW + since,
        not_after=NOW + until,
    )  # fmt: skip


def held(role: Role, *dates: tuple[int, int], rotates: bool = False) -> Held:
    return Held(
        role=role, path="/c.pem", rotates=rotates,
        certificates=tuple(one(since * DAY, until * DAY) for since, until in dates),
    )  # fmt: skip


def judged(healthy: Make, profile: Profile, *all_held: Held, reason: Reason | None = None) -> CheckResult:
    seen = KubeletCertificates(held=all_held, reason=msgspec.UNSET if reason is None else reason)
    return run(certificates, healthy(kubelet_certificates=Known(seen)), profile, Request())


@pytest.mark.parametrize(
    ("role", "severity"),
    [
        (Role.CLIENT, Severity.CRITICAL),
        (Role.API_AUTHORITY, Severity.CRITICAL),
        (Role.SERVING, Severity.WARNING),
        (Role.CLIENT_AUTHORITY, Severity.WARNING),
        (Role.SELF_SIGNED, Severity.INFO),
        (Role.BOOTSTRAP, Severity.INFO),
    ],
)
def test_how_grave_an_expired_one_is_depends_on_what_it_is_for(
    role: Role, severity: Severity, healthy: Make, profile: Profile
) -> None:
    for dates, words in (((-365, 0), "expired on 2026-11-21"), ((1, 365), "is not valid before 2026-11-22")):
        (problem,) = judged(healthy, profile, held(role, dates)).problems
        assert problem.severity is severity
        assert words in problem.message


@pytest.mark.parametrize(
    ("which", "counted"),
    [
        pytest.param(held(Role.CLIENT, (-300, 65), rotates=True), None, id="renewed at 70 to 90 % of its life"),
        pytest.param(held(Role.CLIENT, (-330, 35), rotates=True), "has not renewed it", id="9.6 % are left"),
        pytest.param(held(Role.CLIENT, (-328, 37), rotates=True), None, id="10.1 % are left"),
        pytest.param(held(Role.CLIENT, (-335, 29)), "nobody is known to renew it", id="29 days"),
        pytest.param(held(Role.CLIENT, (-334, 31)), None, id="31 days"),
        pytest.param(held(Role.SERVING, (-5, 2)), None, id="a week's life, of which two days are left"),
        pytest.param(held(Role.SERVING, (-13, 1)), "expires on 2026-11-22", id="two weeks', of which one day is"),
        pytest.param(held(Role.API_AUTHORITY, (-1000, 89)), "expires on", id="an authority of 89 days"),
        pytest.param(held(Role.API_AUTHORITY, (-1000, 91)), None, id="an authority of 91 days"),
        pytest.param(held(Role.API_AUTHORITY, (-1000, -1), (-9, 1000)), None, id="an old authority beside a new one"),
        pytest.param(held(Role.CLIENT, (-9, 300), (-1000, -1)), "expired", id="one of its chain"),
        pytest.param(held(Role.SELF_SIGNED, (-364, 1)), None, id="nobody verifies it"),
        pytest.param(held(Role.BOOTSTRAP, (-364, 1)), None, id="it was needed once"),
    ],
)
def test_one_that_nobody_renews_in_time_is_told(
    which: Held, counted: str | None, healthy: Make, profile: Profile
) -> None:
    result = judged(healthy, profile, which)
    assert result.outcome is (Outcome.PASSED if counted is None else Outcome.FAILED)
    assert [counted in problem.message for problem in result.problems if counted] == [True] * bool(counted)


def test_what_a_profile_of_ones_own_says_counts(healthy: Make, profile: Profile) -> None:
    rule = msgspec.structs.replace(profile.thresholds["kubelet.certificates.days"], least=400.0)
    strict = msgspec.structs.replace(profile, thresholds=profile.thresholds | {"kubelet.certificates.days": rule})
    which = held(Role.CLIENT, (-1000, 399))
    assert judged(healthy, profile, which).outcome is Outcome.PASSED
    assert judged(healthy, strict, which).outcome is Outcome.FAILED


def test_one_that_is_named_and_not_there_is_told(healthy: Make, profile: Profile) -> None:
    gone = Reason(code=Code.ABSENT, detail="/c.pem: gone")
    (problem,) = judged(healthy, profile, Held(role=Role.SERVING, path="/c.pem", rotates=True, reason=gone)).problems
    assert (problem.severity, problem.subject.name) == (Severity.WARNING, "/c.pem")
    assert "its request has not been approved" in problem.message


def test_one_that_could_not_be_read_leaves_it_open_beside_what_was_found(healthy: Make, profile: Profile) -> None:
    unread = Held(role=Role.SERVING, path="/s.pem", reason=UNSEEN)
    good = judged(healthy, profile, held(Role.CLIENT, (-9, 300)), unread)
    assert (good.outcome, good.reason) == (Outcome.UNKNOWN, UNSEEN)
    bad = judged(healthy, profile, held(Role.CLIENT, (-9, -1)), unread)
    assert (bad.outcome, bad.reason) == (Outcome.FAILED, UNSEEN)
    unsure = judged(healthy, profile, held(Role.CLIENT, (-9, 300)), reason=UNSEEN)
    assert (unsure.outcome, unsure.reason) == (Outcome.UNKNOWN, UNSEEN)


def test_a_kubelet_without_certificates_is_not_judged(healthy: Make, profile: Profile) -> None:
    assert judged(healthy, profile).outcome is Outcome.NOT_APPLICABLE
