import re
from typing import Final

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import CheckResult, Outcome, Problem, Requirement, Severity, Subject
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.model.report import Report
from nodediag.render import as_markdown
from tests.render.conftest import BREAKOUT, NODES, MakeReport

OURS: Final = {"<details>", "</details>"}
LONG: Final = 1024


def tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)


def leaves(text: str) -> list[Token]:
    return [leaf for token in tokens(text) for leaf in (token.children or [token])]


def markdown(report: Report[Facts]) -> str:
    return as_markdown.render(report).decode()


@pytest.mark.parametrize("name", NODES)
def test_nothing_of_a_node_is_alive(report_of: MakeReport, name: str) -> None:
    found = leaves(markdown(report_of(name)))
    kinds = {leaf.type for leaf in found}
    assert not kinds & {"html_inline", "link_open", "image", "s_open", "table_open", "code_block", "hr"}
    html = [line for leaf in found if leaf.type == "html_block" for line in leaf.content.splitlines()]
    assert [line for line in html if line not in OURS and not re.fullmatch(r"<summary>[\w ]+</summary>", line)] == []
    plain = "\n".join(leaf.content for leaf in found if leaf.type == "text")
    assert not re.search(r"[@#<>\[\]|$`~]|://|www\.", plain)
    assert not [letter for letter in markdown(report_of(name)) if letter != "\n" and not letter.isprintable()]


def test_what_a_hostile_node_logged_can_still_be_read(report_of: MakeReport) -> None:
    fences = "".join(token.content for token in tokens(markdown(report_of("hostile"))) if token.type == "fence")
    assert "\\x1b[31m</code></pre></details><script>document.title='owned'</script>" in fences
    assert BREAKOUT.count("script") > 1
    assert "\\u202egnp.exe" in fences


def test_a_problem_is_told_with_cause_remedy_and_evidence(report_of: MakeReport) -> None:
    text = markdown(report_of("broken"))
    assert text.startswith("## UNHEALTHY: mounts.root-read-only, mounts.writable, logs.critical\n")
    told = text.partition("`kubelet.pleg-unhealthy`")[2].partition("####")[0]
    assert "- **cause:** the container runtime hangs" in told
    assert "- **do:** find the hanging CRI call (`crictl ps`, `crictl pods`)" in told
    assert "```text\n2026-11-21T11:30:00.000000Z kubelet.service: E1121" in told


def test_problems_stand_before_what_the_image_is_told_by(report_of: MakeReport) -> None:
    text = markdown(report_of("broken"))
    assert 0 < text.index("### Problems") < text.index("### What the image is told by") < text.index("### Notes")


def test_a_healthy_node_is_told_without_problems(report_of: MakeReport) -> None:
    text = markdown(report_of("healthy"))
    assert text.startswith("## HEALTHY: nothing that was looked at is wrong\n")
    assert "### Problems" not in text


def test_a_report_that_is_too_long_is_cut_to_fit_and_says_so(report_of: MakeReport) -> None:
    problem = Problem(
        severity=Severity.WARNING, subject=Subject("path", "/" + "`" * LONG), message="<" * LONG, expected="good",
        observed="bad", requirement=Requirement(profile="p", key="k", why="w\U0001f600 " * LONG, source="s"),
        remedy="r " * LONG, evidence=tuple(FileEvidence(path="/x", line=1, text="`" * LONG) for _ in range(10)),
    )  # fmt: skip
    reason = Reason(code=Code.TIMED_OUT, detail="d" * LONG, needs="n" * LONG)
    checks = tuple(
        CheckResult(id=f"x.y{number}", title="t", outcome=Outcome.FAILED, problems=(problem,) * 50, problems_total=1000)
        for number in range(40)
    )
    whole = report_of("broken")
    spots = tuple(
        BlindSpot(what="`@" * LONG, reason=msgspec.structs.replace(reason, detail=f"{n}" + "d" * LONG))
        for n in range(200)
    )
    unseen = tuple(
        CheckResult(id=f"u.n{n}", title="t", outcome=Outcome.UNKNOWN, problems=(),
                    reason=msgspec.structs.replace(reason, detail=f"{n}" + "*" * LONG))
        for n in range(100)
    )  # fmt: skip
    view = msgspec.structs.replace(whole.view, blind_spots=spots, blind_spots_total=5000)
    huge = msgspec.structs.replace(whole, checks=(*checks, *unseen), view=view)
    text = markdown(huge)
    assert len(text.encode("utf-16-le")) // 2 + text.count("\n") <= as_markdown.MOST - 2000
    assert "**39985 more problems** were cut" in text
    assert "*9 pieces of evidence were cut;" in text
    assert "- *and 5090 more, cut;" in text  # of 5000 that could not be seen and 100 checks that could not look
