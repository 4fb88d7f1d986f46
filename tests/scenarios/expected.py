"""What a report says, and what a story wants it to say."""

from collections import Counter

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import CheckResult, Outcome, Subject
from nodediag.model.report import Report
from tests.scenarios.story import Expect


def field(report: Report[Facts], place: str) -> str:
    value: object = report.node
    for name in place.split("."):
        value = getattr(value, name)
    return str(value)


def reason_of(result: CheckResult) -> str:
    return f"{result.reason.detail}; {result.reason.needs}" if result.reason else f"(none: it {result.outcome})"


def said(report: Report[Facts], expect: Expect) -> Expect:
    """Give what a report says, as far as it is expected to say something."""
    results = {result.id: result for result in report.checks}

    def having(outcome: Outcome, ids: list[str]) -> list[str]:
        return [one for one in ids if results[one].outcome is outcome]

    problems = sorted(
        f"{result.id} {problem.subject.kind}:{problem.subject.name} {problem.severity}"
        for result in report.checks
        for problem in result.problems
    )
    problems_of = (problem for result in report.checks for problem in result.problems)
    causes = [problem.cause.name for problem in problems_of if isinstance(problem.cause, Subject)]
    reasons = {one: reason_of(results[one]) for one in expect.because}
    blind = [result.id for result in report.checks if result.outcome in {Outcome.UNKNOWN, Outcome.BROKEN}]
    groups = {one for one in expect.unknown or () if "." not in one}
    unknown = {group if (group := one.partition(".")[0]) in groups else one for one in blind}
    used = report.profile.name if report.profile else "none"
    return Expect(
        verdict=report.verdict.value if expect.verdict else "",
        profile=used if expect.profile else "",
        node={place: field(report, place) for place in expect.node},
        failed=problems,
        unknown=sorted(unknown) if expect.unknown is not None else None,
        passed=having(Outcome.PASSED, expect.passed),
        not_applicable=having(Outcome.NOT_APPLICABLE, expect.not_applicable),
        caused=dict(Counter(causes)) if expect.caused is not None else None,
        because={one: words if words in reasons[one] else reasons[one] for one, words in expect.because.items()},
    )


def wanted(expect: Expect) -> Expect:
    unknown = None if expect.unknown is None else sorted(expect.unknown)
    return msgspec.structs.replace(expect, failed=sorted(expect.failed), unknown=unknown)


def differences(said: Expect, wanted: Expect) -> list[str]:
    pairs = ((name, getattr(said, name), getattr(wanted, name)) for name in Expect.__struct_fields__)
    return [
        f"{name}: the report says {found}, the story wants {asked}" for name, found, asked in pairs if found != asked
    ]
