from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
import pytest

from nodediag.diagnose import diagnose
from nodediag.host.host import Host
from nodediag.logs.node import not_asked
from nodediag.logs.window import Window
from nodediag.model.changes import Noted, Sight, changes, sight
from nodediag.model.outcome import CheckResult, Outcome, Severity, Subject, Waiver
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.load import Catalogue, builtin
from nodediag.watch.changes import Began, Book, Ended, State
from nodediag.watch.told import Found, Judging, Waived

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def noted(name: str, check: str = "a.check") -> Noted:
    return Noted(
        fingerprint=f"{check}/{name}",
        check=check,
        severity=Severity.CRITICAL,
        subject=Subject("path", name),
        message=name,
    )


def seen(*names: str, whole: bool = True, checks: tuple[str, ...] = ("a.check",), at: datetime = NOW) -> Sight:
    return Sight(
        observed_at=at,
        checks=frozenset(checks),
        whole=frozenset(checks) if whole else frozenset(),
        problems=tuple(noted(name) for name in names),
    )


OPEN = {noted(name).fingerprint: noted(name) for name in ("/old", "/same")}


@pytest.mark.parametrize(
    ("now", "young", "began", "ended"),
    [
        (seen("/same", "/new"), (), ["/new"], ["/old"]),
        (seen("/old", "/same"), (), [], []),
        (seen(), (), [], ["/old", "/same"]),
        (seen(whole=False), (), [], []),
        (seen("/new", whole=False), (), ["/new"], []),
        (seen(checks=()), (), [], ["/old", "/same"]),
        (seen(), ("a.check//old",), [], ["/same"]),
    ],
    ids=["new and over", "as before", "all over", "sight lost", "half seen", "no such check", "found meanwhile"],
)
def test_what_began_and_what_ended(now: Sight, young: tuple[str, ...], began: list[str], ended: list[str]) -> None:
    found = changes(OPEN, now, young)
    assert [problem.subject.name for problem in found.began] == began
    assert [OPEN[mark].subject.name for mark in found.ended] == ended


class MakeHost(Protocol):
    def __call__(self, files: dict[str, str]) -> Host: ...


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_a_check_that_looked_to_its_end_can_end_a_problem(host: MakeHost, outcome: Outcome) -> None:
    report = diagnose(host({}), not_asked(Window(now=NOW)), Catalogue(builtin()), Request(only=("mounts",)), NOW)
    reason = Reason(code=Code.ABSENT, detail="x") if outcome is Outcome.UNKNOWN else msgspec.UNSET
    check = CheckResult(id="a.check", title="x", outcome=outcome, reason=reason, problems=())
    found = changes(OPEN, sight(msgspec.structs.replace(report, checks=(check,))))
    looked = outcome in {Outcome.PASSED, Outcome.FAILED}
    assert bool(found.ended) is looked


@pytest.mark.parametrize(
    "limit",
    [{"reason": Reason(code=Code.TIMED_OUT, detail="x")}, {"problems_total": 51}],
    ids=["stopped half way", "list cut"],
)
def test_a_check_that_names_only_some_of_its_problems_ends_none(host: MakeHost, limit: dict[str, object]) -> None:
    report = diagnose(host({}), not_asked(Window(now=NOW)), Catalogue(builtin()), Request(only=("mounts",)), NOW)
    check = msgspec.structs.replace(CheckResult(id="a.check", title="x", outcome=Outcome.FAILED, problems=()), **limit)
    assert changes(OPEN, sight(msgspec.structs.replace(report, checks=(check,)))).ended == ()


def found(signature: str = "kubelet.pleg-unhealthy", mark: str = "logs.critical/pleg") -> Found:
    return Found(
        signature=signature, fingerprint=mark, title="t", time=NOW, unit="u", text="x",
        subjects=(),
    )  # fmt: skip


def test_both_times_of_a_problem_are_told() -> None:
    book = Book(State())
    (began,) = book.look(seen("/a"), NOW, ())
    (ended,) = book.look(seen(at=LATER), LATER, ())
    assert isinstance(began, Began)
    assert isinstance(ended, Ended)
    assert (began.began_at, ended.began_at, ended.ended_at) == (NOW, NOW, LATER)


def test_a_signature_found_in_the_journal_does_not_begin_again_with_the_diagnosis() -> None:
    book = Book(State())
    assert len(book.find(found(), NOW)) == 1
    assert book.find(found(), NOW) == ()
    again = msgspec.structs.replace(noted("pleg", "logs.critical"), fingerprint="logs.critical/pleg")
    now = msgspec.structs.replace(seen(checks=("logs.critical",)), problems=(again,))
    assert book.look(now, NOW, ()) == ()
    assert len(book.look(msgspec.structs.replace(now, problems=()), NOW, ())) == 1
    assert len(book.find(found(), NOW)) == 1


def waived(signature: str, *, days: int) -> Waived:
    return Waived(
        signature=signature, waiver=Waiver(owner="o", reason="r", expires=(NOW + timedelta(days=days)).date())
    )


@pytest.mark.parametrize(
    ("waivers", "expired"),
    [
        ((waived("kubelet.pleg-unhealthy", days=0),), [False]),
        ((waived("", days=1),), [False]),
        ((waived("", days=-2), waived("kubelet.pleg-unhealthy", days=1)), [False]),
        ((waived("kubelet.pleg-unhealthy", days=-1),), [True]),
        ((waived("kernel.oops", days=1),), []),
        ((), []),
    ],
    ids=["its last day", "of all", "one that holds", "expired", "of another", "none"],
)
def test_a_waiver_is_on_what_the_journal_shows_as_on_what_a_diagnosis_finds(
    waivers: tuple[Waived, ...], expired: list[bool]
) -> None:
    book = Book(msgspec.json.decode(msgspec.json.encode(State(judging=Judging(waived=waivers))), type=State))
    (began,) = book.find(found(), NOW)
    waiver = began.problem.waiver
    assert ([] if waiver is msgspec.UNSET else [waiver.expired]) == expired
    assert book.state().judging.waived == waivers


def test_what_the_journal_shows_is_as_grave_as_the_profile_of_the_last_diagnosis_says() -> None:
    assert [began.problem.severity for began in Book(State()).find(found(), NOW)] == [Severity.CRITICAL]
    book = Book(State(judging=Judging(severity=Severity.INFO)))
    assert [began.problem.severity for began in book.find(found(), NOW)] == [Severity.INFO]


def test_what_the_sink_has_not_taken_is_made_again_after_a_restart() -> None:
    book = Book(State())
    first, _second = book.look(seen("/a", "/b"), NOW, ())
    book.accept(first)
    after = Book(book.state())
    (again,) = after.look(seen("/a", "/b"), LATER, ())
    assert again.problem.subject.name == "/b"


def test_what_the_sink_has_taken_is_not_repeated_after_a_restart() -> None:
    book = Book(State())
    for change in book.look(seen("/a"), NOW, ()):
        book.accept(change)
    after = Book(msgspec.json.decode(msgspec.json.encode(book.state()), type=State))
    assert after.look(seen("/a"), LATER, ()) == ()
    (ended,) = after.look(seen(at=LATER), LATER, ())
    after.accept(ended)
    assert after.state().open == ()


def test_a_change_there_was_no_room_for_comes_with_the_next_look() -> None:
    book = Book(State())
    book.refuse(book.look(seen("/a"), NOW, ()))
    began = book.look(seen("/a"), LATER, ())
    assert len(began) == 1
    book.refuse(book.look(seen(), LATER, ()))
    assert len(book.look(seen(), LATER, ())) == 1
