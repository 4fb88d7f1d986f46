"""The runner: whatever a check does, it ends with one outcome, and the others still run."""

import re
from collections.abc import Iterator

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import MOST_EVIDENCE, MOST_PROBLEMS, Check, Judge, NotApplicableError, check, run
from nodediag.facts.fact import NotKnownError
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import Outcome, Problem, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.profile import Profile

EVIDENCE = FileEvidence(path="/proc/1/mountinfo", line=3, text="a line")
SHORT = Reason(code=Code.ABSENT, detail="not there", needs="a look")


def problem(name: str = "/var", evidence: int = 1) -> Problem:
    return Problem(
        severity=Severity.WARNING, subject=Subject("path", name), message="m", expected="e", observed="o",
        evidence=(EVIDENCE,) * evidence,
    )  # fmt: skip


def made(judge: Judge) -> Check:
    return check("test.one", title="All is well", needs="nothing")(judge)


def quiet(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Find nothing."""
    del facts, profile
    yield from ()


def noisy(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Find more than can be told."""
    del facts, profile
    yield from (problem(f"/var/{number}", MOST_EVIDENCE + 2) for number in range(MOST_PROBLEMS + 5))


def blind(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Cannot look."""
    del facts, profile
    yield from unseen()


def unseen() -> tuple[Problem, ...]:
    raise NotKnownError(SHORT)


def unasked() -> tuple[Problem, ...]:
    raise NotApplicableError("not here")


def half_blind(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Find one thing, and cannot look at another."""
    del facts, profile
    yield problem()
    raise NotKnownError(SHORT)


def idle(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Have nothing to ask."""
    del facts, profile
    yield from unasked()


def faulty(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Fall over after one problem."""
    del facts, profile
    yield problem()
    raise ZeroDivisionError("our bug")


@pytest.mark.parametrize(
    ("judge", "outcome", "code", "problems"),
    [
        (quiet, Outcome.PASSED, None, 0),
        (noisy, Outcome.FAILED, None, MOST_PROBLEMS),
        (blind, Outcome.UNKNOWN, Code.ABSENT, 0),
        (half_blind, Outcome.FAILED, Code.ABSENT, 1),
        (idle, Outcome.NOT_APPLICABLE, Code.NOT_ASKED, 0),
        (faulty, Outcome.BROKEN, Code.CRASHED, 1),
    ],
)
def test_a_check_ends_with_one_outcome(
    judge: Judge, outcome: Outcome, code: Code | None, problems: int, base: Profile
) -> None:
    result = run(made(judge), Facts(), base, Request())
    assert result.outcome is outcome
    assert (result.reason.code if result.reason else None) == code
    assert len(result.problems) == problems


def test_a_bug_is_named_by_its_kind_message_and_place(base: Profile) -> None:
    result = run(made(faulty), Facts(), base, Request())
    assert result.reason
    assert re.fullmatch(r"ZeroDivisionError: our bug \(checks/check\.py:\d+\)", result.reason.detail)


def test_what_is_cut_says_how_much_there_was(base: Profile) -> None:
    result = run(made(noisy), Facts(), base, Request())
    assert result.problems_total == MOST_PROBLEMS + 5
    assert {len(one.evidence) for one in result.problems} == {MOST_EVIDENCE}
    assert all(one.truncated for one in result.problems)
    assert run(made(half_blind), Facts(), base, Request()).problems_total is msgspec.UNSET


def test_a_fingerprint_names_check_and_subject_and_nothing_else(base: Profile) -> None:
    first = run(made(half_blind), Facts(), base, Request()).problems[0].fingerprint
    louder = msgspec.structs.replace(base, severity={"test.one": Severity.CRITICAL})
    again = run(made(half_blind), Facts(), louder, Request()).problems[0]
    assert again.fingerprint == first == "793317edaf8f5536"
    assert again.severity is Severity.CRITICAL, "a profile overrides a check's severity"
    other = check("test.two", title="t", needs="n")(half_blind)
    assert run(other, Facts(), base, Request()).problems[0].fingerprint != first


def test_a_check_that_is_not_selected_does_not_run(base: Profile) -> None:
    for request in (Request(only=("mounts",)), Request(skip=("test",)), Request(skip=("test.one",))):
        assert run(made(faulty), Facts(), base, request).outcome is Outcome.NOT_SELECTED


def test_what_explain_prints_is_there() -> None:
    for one in CHECKS:
        assert one.title[0].isupper(), one.id
        assert not one.title.endswith("."), one.id
        assert one.about, one.id
        assert one.about.endswith("."), one.id
        assert one.needs, one.id


def test_no_check_of_ours_breaks_on_a_node_of_which_nothing_is_known(base: Profile, profile: Profile) -> None:
    for judged in (base, profile):
        for one in CHECKS:
            result = run(one, Facts(), judged, Request(logs=True))
            assert result.outcome in {Outcome.UNKNOWN, Outcome.NOT_APPLICABLE}, one.id
            assert result.reason
            assert result.reason.detail, one.id
