"""A check: a pure function of facts and profile that yields problems, and the runner that turns it into an outcome."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from nodediag.errors import NodediagError, crash
from nodediag.facts.fact import NotKnownError
from nodediag.facts.snapshot import Facts
from nodediag.model.digest import fingerprint
from nodediag.model.outcome import CheckResult, Outcome, Problem, Requirement, Subject, Waiver
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request, covers
from nodediag.profiles.profile import PathRule, Profile

MOST_PROBLEMS: Final = 50
MOST_EVIDENCE: Final = 10
_UNSELECTED: Final = "this run did not select it (--only, --skip, or no logs)"

Judge = Callable[[Facts, Profile], Iterator[Problem]]


class NotApplicableError(NodediagError):
    """Raised by a check that has nothing to ask of this node."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.reason = Reason(code=Code.NOT_ASKED, detail=detail)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A check: `title` is the good state, `about` says why it matters, `needs` what it must be able to see."""

    id: str
    title: str
    needs: str
    about: str
    judge: Judge


def check(identity: str, *, title: str, needs: str) -> Callable[[Judge], Check]:
    """Make a function a check; its docstring is what `explain` prints."""

    def made(judge: Judge) -> Check:
        return Check(id=identity, title=title, needs=needs, about=(judge.__doc__ or "").strip(), judge=judge)

    return made


def run(one: Check, facts: Facts, profile: Profile, request: Request) -> CheckResult:
    """Run one check; whatever it raises, the others still run."""
    unasked = _unasked(one, profile, request)
    if unasked is not None:
        return unasked
    problems: list[Problem] = []
    try:
        problems.extend(_finished(problem, one, profile) for problem in one.judge(facts, profile))
    except NotApplicableError as error:
        return _ended(one, Outcome.NOT_APPLICABLE, error.reason)
    except NotKnownError as error:
        if not problems:
            return _ended(one, Outcome.UNKNOWN, error.reason)
        return _ended(one, Outcome.FAILED, error.reason, problems)
    except Exception as error:  # noqa: BLE001 - a bug in one check must not cost the report
        reason = Reason(code=Code.CRASHED, detail=crash(error))
        return _ended(one, Outcome.BROKEN, reason, problems)
    return _ended(one, Outcome.FAILED if problems else Outcome.PASSED, None, problems)


def requirement(profile: Profile, key: str, rule: PathRule) -> Requirement:
    """Give the line of a profile that a path's rule stands for."""
    why = f"{rule.why} ({rule.departs})" if rule.departs else rule.why
    return Requirement(profile=profile.name, key=f"paths.{key}", why=why, source=rule.source, document=rule.document)


def _unasked(one: Check, profile: Profile, request: Request) -> CheckResult | None:
    """Give the result of a check that the run did not select, or that no node of this image can be asked."""
    if not request.selects(one.id):
        return _ended(one, Outcome.NOT_SELECTED, Reason(code=Code.NOT_ASKED, detail=_UNSELECTED))
    applicable = profile.applicable
    if applicable is not msgspec.UNSET and not any(covers(entry, one.id) for entry in applicable.checks):
        return _ended(one, Outcome.NOT_APPLICABLE, Reason(code=Code.NOT_ASKED, detail=applicable.why))
    return None


def _finished(problem: Problem, one: Check, profile: Profile) -> Problem:
    return msgspec.structs.replace(
        problem,
        fingerprint=fingerprint(one.id, problem.subject),
        severity=profile.severity.get(one.id, problem.severity),
        waiver=_waiver(one.id, problem.subject, profile),
        evidence=problem.evidence[:MOST_EVIDENCE],
        truncated=len(problem.evidence) > MOST_EVIDENCE,
    )


def _waiver(check_id: str, subject: Subject, profile: Profile) -> Waiver | msgspec.UnsetType:
    """Find the waiver on a problem; one that still holds comes before one that has expired."""
    found = [
        Waiver(owner=rule.owner, reason=rule.reason, expires=rule.expires, expired=profile.judged_on > rule.expires)
        for rule in profile.waivers
        if rule.check == check_id and rule.subject in {"", subject.name}
    ]
    return min(found, key=lambda waiver: waiver.expired, default=msgspec.UNSET)


def _ended(one: Check, outcome: Outcome, reason: Reason | None, problems: list[Problem] | None = None) -> CheckResult:
    found = sorted(problems or [], key=lambda problem: not problem.counts)  # what is cut must not be what counts
    return CheckResult(
        id=one.id,
        title=one.title,
        outcome=outcome,
        reason=reason if reason is not None else msgspec.UNSET,
        problems=tuple(found[:MOST_PROBLEMS]),
        problems_total=len(found) if len(found) > MOST_PROBLEMS else msgspec.UNSET,
    )
