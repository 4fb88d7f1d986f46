"""What could not be seen is said once for each reason, and nothing of it is lost."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import CheckResult, Outcome
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.model.report import Report
from nodediag.render import as_markdown, as_text
from nodediag.render.unseen import gaps, named, so

MOST_LINES: Final = 50
TABLE: Final = Reason(code=Code.NOT_CAPTURED, detail="the table is not in this folder", needs="/proc/table")
MORE: Final = Reason(code=Code.NOT_CAPTURED, detail="no options were seen", needs="/proc/table, which has all options")
DENIED: Final = Reason(code=Code.NOT_PERMITTED, detail="/etc/x: permission denied", needs="root")

MakeReport = Callable[[str], Report[Facts]]


def unknown(identity: str, reason: Reason, outcome: Outcome = Outcome.UNKNOWN) -> CheckResult:
    return CheckResult(id=identity, title="t", outcome=outcome, reason=reason, problems=())


@pytest.fixture
def report(report_of: MakeReport) -> Report[Facts]:
    """A report in which two facts could not be seen, for which five checks wait, and one broke."""
    whole = report_of("broken")
    spots = (BlindSpot(what="table", reason=TABLE), BlindSpot(what="x", reason=DENIED))
    checks = (
        unknown("x.one", DENIED), unknown("a.one", TABLE), unknown("a.two", MORE), unknown("b.one", TABLE),
        unknown("c.one", Reason(code=Code.NOT_CAPTURED, detail="nothing to compare")),
        unknown("d.one", Reason(code=Code.CRASHED, detail="oops"), Outcome.BROKEN),
    )  # fmt: skip
    return msgspec.structs.replace(
        whole, checks=checks, view=msgspec.structs.replace(whole.view, blind_spots=spots, blind_spots_total=2)
    )


def test_what_waits_for_one_thing_is_put_together_and_what_costs_most_comes_first(report: Report[Facts]) -> None:
    others, lacking = gaps(report)
    assert [(gap.facts, gap.checks, list(gap.details)) for gap in others] == [(["x"], ["x.one"], [DENIED.detail])]
    assert [(gap.needs, gap.facts, gap.checks) for gap in lacking] == [
        ("/proc/table", ["table"], ["a.one", "a.two", "b.one"]),
        ("nothing to compare", [], ["c.one"]),
    ]
    assert list(lacking[0].details) == [TABLE.detail, MORE.detail]


def test_text_names_the_facts_and_all_checks(report: Report[Facts]) -> None:
    text = as_text.render(report, colour=False).decode()
    said = " ".join(text[text.index("Could not be seen") :].split())
    assert "x: /etc/x: permission denied (not_permitted); needs root; so x.one is unknown" in said
    assert "not captured, so 4 checks are unknown; what they need: /proc/table: a.one, a.two, b.one" in said
    assert "nothing to compare (c.one)" in said
    assert "facts not captured: table" in said
    assert "so d.one is broken: oops" in said


def test_text_counts_facts_that_are_many(report: Report[Facts]) -> None:
    spots = tuple(BlindSpot(what=f"table{number}", reason=TABLE) for number in range(9))
    many = msgspec.structs.replace(report, view=msgspec.structs.replace(report.view, blind_spots=spots))
    said = as_text.render(many, colour=False).decode()
    assert "\n  9 facts were not captured; `--format json` names them\n" in said
    assert "table3" not in said


def test_markdown_names_the_facts_and_all_checks(report: Report[Facts]) -> None:
    text = as_markdown.render(report).decode()
    assert "- `x`: /etc/x: permission denied (not_permitted); needs root; so `x.one` is unknown" in text
    assert "- `d.one` is broken: oops" in text
    assert "Not captured: `table`" in text
    assert "<summary>4 checks are unknown for what was not captured</summary>" in text
    assert "- /proc/table: `a.one`, `a.two`, `b.one`" in text


def test_many_checks_are_named_by_their_groups() -> None:
    assert named(["a.x", "b.y"]) == "a.x, b.y"
    assert named(["a.x", "a.y", "a.z", "b.y", "a.w"]) == "5 checks: a.* (4), b.y"
    assert named([f"a.x{number}" for number in range(9)]) == "a.* (9)"
    assert so(["a.x"]) == "a.x is unknown"
    assert so(["a.x", "a.y"]) == "a.x, a.y are unknown"


@pytest.mark.parametrize(
    "files", [{"etc/os-release": "ID=cos\nVERSION_ID=121\n"}, {"proc/mounts": "a / ext2 ro 0 0\n"}]
)
def test_a_folder_with_next_to_nothing_is_no_wall_of_text(files: dict[str, str], tmp_path: Path) -> None:
    for path, text in files.items():
        file = tmp_path / path
        file.parent.mkdir()
        file.write_text(text)
    command = [sys.executable, "-I", "-m", "nodediag", "report", "--root", str(tmp_path), "--format"]
    text, data = (
        subprocess.run([*command, form], capture_output=True, text=True, check=False).stdout
        for form in ("text", "json")
    )
    assert len(text.splitlines()) < MOST_LINES
    assert max(map(len, text.splitlines())) <= 80
    told = msgspec.json.decode(data, type=Report[Facts])
    blind = [check for check in told.checks if check.outcome is Outcome.UNKNOWN and not check.id.startswith("rates.")]
    counted = re.search(r"so (\d+) checks are unknown", " ".join(text.split()))
    assert counted is not None
    lacking = [check for check in blind if isinstance(check.reason, Reason) and check.reason.code is Code.NOT_CAPTURED]
    assert int(counted[1]) == len(lacking)
