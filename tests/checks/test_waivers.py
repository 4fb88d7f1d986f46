"""A waiver marks a problem and takes it out of the verdict, for its day and its subject, and for nothing else."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final, Protocol

import msgspec
import pytest

from nodediag.checks.check import MOST_PROBLEMS, check, run
from nodediag.diagnose import check_profile, diagnose, judge
from nodediag.errors import ProfileError
from nodediag.facts.snapshot import Facts
from nodediag.host.host import Host
from nodediag.logs.node import not_asked
from nodediag.logs.window import Window
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import CheckResult, Problem, Severity, Subject, Verdict, Waiver
from nodediag.model.request import Request
from nodediag.profiles.load import Catalogue, builtin
from nodediag.profiles.profile import Profile, WaiverRule
from nodediag.render import as_text

DAY: Final = date(2026, 11, 21)
MOUNTS: Final = "20 1 8:1 / / rw,relatime - ext2 /dev/sda3 rw\n21 20 0:5 / /proc rw - proc proc rw\n"
MINE: Final = """\
name = "mine"
extends = "bare_cos"
version = "1"
date = "2026-01-01"
document = "none"
source = "a test"
[[waivers]]
check = "mounts.root-read-only"
owner = "storage team"
reason = "a machine of ours for tries"
expires = "2026-11-21"
"""


class MakeHost(Protocol):
    def __call__(self, files: dict[str, str]) -> Host: ...


def found(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Find a problem at each of many paths, the one that matters last."""
    del facts, profile
    for number in range(MOST_PROBLEMS + 5):
        yield Problem(
            severity=Severity.CRITICAL, subject=Subject("path", "/last" if number > MOST_PROBLEMS else "/first"),
            message="m", expected="e", observed="o", evidence=(FileEvidence(path="/f", line=1, text="t"),),
        )  # fmt: skip


def waiver(subject: str = "", expires: date = DAY, check_id: str = "test.one") -> WaiverRule:
    return WaiverRule(check=check_id, subject=subject, owner="us", reason="known", expires=expires)


def result(profile: Profile, *waivers: WaiverRule, on: date = DAY) -> CheckResult:
    one = check("test.one", title="All is well", needs="nothing")(found)
    return run(one, Facts(), msgspec.structs.replace(profile, waivers=waivers, judged_on=on), Request())


def test_a_waived_problem_is_shown_and_does_not_count(base: Profile) -> None:
    one = result(base, waiver())
    assert one.problems[0].waiver == Waiver(owner="us", reason="known", expires=DAY)
    assert judge((one,), base) == (Verdict.HEALTHY, ())


@pytest.mark.parametrize(
    "other", [waiver(check_id="test.two"), waiver(subject="/var"), waiver(expires=date(2026, 11, 20))]
)
def test_what_no_waiver_in_force_is_for_counts(base: Profile, other: WaiverRule) -> None:
    assert judge((result(base, other),), base) == (Verdict.UNHEALTHY, ("test.one",))


def test_an_expired_waiver_says_so_and_gives_way_to_one_in_force(base: Profile) -> None:
    old = waiver(expires=date(2026, 11, 20))
    expired = result(base, old).problems[0].waiver
    assert expired is not msgspec.UNSET
    assert expired.expired
    assert judge((result(base, old, waiver()),), base)[0] is Verdict.HEALTHY


def test_a_waiver_without_a_day_to_judge_on_holds_nothing(base: Profile) -> None:
    one = check("test.one", title="All is well", needs="nothing")(found)
    undated = msgspec.structs.replace(base, waivers=(waiver(),))
    assert judge((run(one, Facts(), undated, Request()),), base)[0] is Verdict.UNHEALTHY


def test_waived_problems_never_push_one_that_counts_out_of_the_list(base: Profile) -> None:
    one = result(base, waiver(subject="/first"))
    assert [problem.subject.name for problem in one.problems if problem.counts] == ["/last"] * 4
    assert judge((one,), base)[0] is Verdict.UNHEALTHY


def test_a_report_shows_the_waiver_until_it_is_over(host: MakeHost) -> None:
    node = host({"/etc/os-release": "ID=cos\nVERSION_ID=121\n", "/proc/1/mountinfo": MOUNTS})
    request = Request(only=("mounts.root-read-only",), profile="mine")
    catalogue = Catalogue(builtin() | {"mine.toml": MINE})
    last = datetime(2026, 11, 21, 23, 59, tzinfo=UTC)
    report = diagnose(node, not_asked(Window(now=last)), catalogue, request, last)
    text = " ".join(as_text.render(report, colour=False).decode().split())
    assert "nothing that was looked at is wrong, but what is waived (mounts.root-read-only)" in text
    assert "waived by storage team, to 2026-11-21: a machine of ours for tries" in text
    assert (report.verdict, report.counts.waived, report.counts.severities["critical"]) == (Verdict.HEALTHY, 1, 0)
    over = datetime(2026, 11, 22, tzinfo=UTC)
    after = diagnose(node, not_asked(Window(now=over)), catalogue, request, over)
    assert after.verdict is Verdict.UNHEALTHY
    assert after.counts.waived is msgspec.UNSET
    shown = " ".join(as_text.render(after, colour=False).decode().split())
    assert "waived by storage team, its waiver expired on 2026-11-21: a machine of ours for tries" in shown


def test_waivers_of_ones_own_stand_beside_those_of_the_profile_it_extends() -> None:
    nearer = MINE.replace('"mine"', '"nearer"').replace('"bare_cos"', '"mine"').replace("storage team", "node team")
    profile = Catalogue(builtin() | {"mine.toml": MINE, "nearer.toml": nearer}).get("nearer")
    assert [rule.owner for rule in profile.waivers] == ["node team", "storage team"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("2026-11-21", "soon", "waivers[0].expires: found 'soon', wanted a date such as 2026-12-31"),
        ('owner = "storage team"\n', "", "waivers[0]: found no key `owner`, which is wanted"),
    ],
)
def test_a_waiver_that_says_too_little_is_refused(old: str, new: str, says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        Catalogue(builtin()).add("mine.toml", MINE.replace(old, new))
    assert says in str(caught.value)


def test_a_waiver_for_no_check_is_refused() -> None:
    text = MINE.replace("mounts.root-read-only", "mounts.root")
    profile = Catalogue(builtin() | {"mine.toml": text}).get("mine")
    with pytest.raises(ProfileError) as caught:
        check_profile(profile, "mine.toml")
    assert "waivers: found 'mounts.root', wanted the id of a check" in str(caught.value)
