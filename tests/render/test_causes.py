"""One failed disk is one thing to read, in each view; two are two; what is waived or alone stays as it is."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem
from nodediag.model.report import Report
from nodediag.render import as_html, as_json, as_markdown, as_text, causes
from nodediag.render.causes import Group
from tests.render.conftest import MakeDiagnosis
from tests.scenarios.story import cases_of, laid, read_story, resolved

STORY: Final = Path(__file__).parents[1] / "scenarios/stories/disk-failed.toml"
SAID: Final = "/dev/sda1 has failed: the kernel lets nothing be written to it any more; 13 problems rest on that"

View = Callable[[Report[Facts]], str]


@pytest.fixture
def told(diagnosed: MakeDiagnosis) -> list[Report[Facts]]:
    """Give the reports of the story and of its twins: one disk has failed, two have, none has."""
    story = read_story(STORY.name, STORY.read_text())
    below = resolved(story.node)
    return [diagnosed(below), *(diagnosed(laid(below, case.node)) for case in cases_of(story)[1:])]


def text(report: Report[Facts]) -> str:
    return " ".join(as_text.render(report, colour=False).decode().split())


def markdown(report: Report[Facts]) -> str:
    return as_markdown.render(report).decode()


def html(report: Report[Facts]) -> str:
    return as_html.render(report).decode()


def with_problems(report: Report[Facts], change: Callable[[Problem], Problem]) -> Report[Facts]:
    checks = tuple(
        msgspec.structs.replace(check, problems=tuple(map(change, check.problems))) for check in report.checks
    )
    return msgspec.structs.replace(report, checks=checks)


@pytest.mark.parametrize("view", [text, markdown, html])
def test_one_failed_disk_is_told_at_the_top_and_once_among_the_problems(view: View, told: list[Report[Facts]]) -> None:
    shown = view(told[0])
    assert shown.index(SAID) < len(shown) / 4
    assert len(re.findall(r"(?:CRITICAL|#### \d+\.|<article)", shown)) in {1, 14}  # the page has each, folded
    for check in ("disks.writable", "mounts.writable", "kernel.block-io-error", "/home/kubernetes/bin"):
        assert check in shown
    assert "/dev/sda1 has failed" not in view(told[2])


def test_a_cause_has_the_disk_first_then_the_journal_then_the_paths(told: list[Report[Facts]]) -> None:
    (group,) = causes.groups(told[0])
    assert [check.id for check, _ in group.pairs] == [
        "disks.writable", *["logs.critical"] * 3, *["mounts.writable"] * 9,
    ]  # fmt: skip
    assert causes.headline(told[0]) == SAID


def test_two_failed_disks_are_two(told: list[Report[Facts]]) -> None:
    found = causes.groups(told[1])
    assert [(group.cause.name if group.cause else "", len(group.pairs)) for group in found] == [
        ("/dev/sda1", 13), ("", 1),
    ]  # fmt: skip


def test_a_problem_that_somebody_bears_stays_alone(told: list[Report[Facts]]) -> None:
    borne = msgspec.json.decode(b'{"owner": "o", "reason": "r", "expires": "2099-12-31"}', type=object)

    def waived(problem: Problem) -> Problem:
        if problem.subject.name != "/home":
            return problem
        return msgspec.convert({**msgspec.to_builtins(problem), "waiver": borne}, type=Problem)

    found = causes.groups(with_problems(told[0], waived))
    assert [len(group.pairs) for group in found] == [12, 1]
    assert found[-1].cause is None


def test_a_cause_is_as_grave_as_the_gravest_that_rests_on_it(told: list[Report[Facts]]) -> None:
    (group,) = causes.groups(told[0])
    assert group.severity.value == "critical"
    assert Group(None, group.pairs[:1]).severity is group.pairs[0][1].severity


def test_checks_and_fingerprints_are_the_same_and_json_names_the_cause(told: list[Report[Facts]]) -> None:
    def without(problem: Problem) -> Problem:
        return msgspec.structs.replace(problem, cause=msgspec.UNSET)

    named = as_json.render(told[0]).decode()
    plain = as_json.render(with_problems(told[0], without)).decode()
    cause = re.compile(r'\s*"cause":\s*\{\s*"kind":\s*"device",\s*"name":\s*"/dev/sda1"\s*\},?')
    assert len(cause.findall(named)) == 13
    assert cause.sub("", named) == plain
