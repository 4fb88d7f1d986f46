from datetime import datetime
from typing import Protocol

import pytest

from nodediag.diagnose import diagnose
from nodediag.facts.snapshot import Facts
from nodediag.host.host import Host
from nodediag.logs.node import not_asked
from nodediag.logs.window import Window
from nodediag.model.report import Report
from nodediag.model.request import Request
from nodediag.profiles.load import Catalogue, builtin
from nodediag.render import as_json, as_markdown, as_text
from nodediag.render.visible import visible
from tests.render.conftest import MakeReport

OS_RELEASE = 'NAME="Container-Optimized OS"\nID=cos\nPRETTY_NAME="Container-Optimized OS from Google"\nVERSION_ID=121\n'
EVIL = "/var/lib/\\033[31mred\\012second\x1b]0;title\x07\x9b\u202e[bold]x[/bold]"
MOUNTINFO = f"""\
20 1 253:0 / / ro,relatime - ext2 /dev/mapper/vroot ro
21 20 0:5 / /proc rw - proc proc rw
22 20 8:1 /var /var rw,nosuid,nodev,noexec,relatime - ext4 /dev/sda1 rw,commit=30
23 22 8:1 /x {EVIL} rw,relatime - ext4 /dev/sda1 rw
"""


class MakeHost(Protocol):
    def __call__(self, files: dict[str, str]) -> Host: ...


@pytest.fixture
def report(host: MakeHost, now: datetime) -> Report[Facts]:
    node = host({"/etc/os-release": OS_RELEASE, "/proc/1/mountinfo": MOUNTINFO})
    return diagnose(node, not_asked(Window(now=now)), Catalogue(builtin()), Request(only=("mounts.unexpected",)), now)


def test_the_first_word_is_the_verdict(report: Report[Facts]) -> None:
    text = as_text.render(report, colour=False).decode()
    assert text.startswith(report.verdict.value.upper() + ": ")


def test_no_line_is_longer_than_eighty_columns(report: Report[Facts]) -> None:
    lines = as_text.render(report, colour=False).decode().splitlines()
    assert max(len(line) for line in lines) <= 80


def test_control_characters_of_the_node_never_reach_the_terminal(report: Report[Facts]) -> None:
    text = as_text.render(report, colour=False).decode()
    assert "mounts.unexpected" in text
    assert not [letter for letter in text if letter != "\n" and not letter.isprintable()]
    assert "\\x1b]0;title\\x07" in text.replace("\n  ", "")


def test_a_number_that_a_system_does_not_have_is_not_printed(host: MakeHost, now: datetime) -> None:
    release = 'NAME="Chrome OS"\nPRETTY_NAME="Chrome OS"\nID=chromeos\nBUILD_ID=15474.84.0\n'
    seen = diagnose(
        host({"/etc/os-release": release}), not_asked(Window(now=now)), Catalogue(builtin()), Request(), now
    )
    assert "Chrome OS (15474.84.0)" in as_text.render(seen, colour=False).decode()


def test_markup_of_the_node_is_text(report: Report[Facts]) -> None:
    assert "[bold]x[/bold]" in as_text.render(report, colour=False).decode().replace("\n  ", "")


def test_colour_is_there_only_when_asked_for(report: Report[Facts]) -> None:
    assert b"\x1b[" in as_text.render(report, colour=True)
    assert b"\x1b[" not in as_text.render(report, colour=False)


def test_the_json_holds_the_same_bytes_as_readable_text(report: Report[Facts]) -> None:
    data = as_json.render(report)
    assert data.endswith(b"}\n")
    assert b"\x1b" not in data


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("tab\there", "tab\\there"),
        ("\x1b[31m", "\\x1b[31m"),
        ("line\nend", "line\\nend"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\u2028", "\\u2028"),
        ("\x9b31m", "\\x9b31m"),
        ("naïve, 北京", "naïve, 北京"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_cannot_be_seen_is_written_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_of_a_log_that_say_the_same_are_shown_once(report_of: MakeReport) -> None:
    whole = report_of("hostile")
    (problem,) = (
        one for check in whole.checks for one in check.problems if one.subject.name == "kubelet.pleg-unhealthy"
    )
    assert len(problem.evidence) > 1
    assert as_text.render(whole, colour=False).decode().count("PLEG is not healthy") == 1
    markdown = as_markdown.render(whole).decode()
    assert markdown.count("PLEG is not healthy") == 1
    assert f"*{len(problem.evidence) - 1} pieces of evidence were cut" in markdown
