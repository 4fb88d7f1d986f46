import base64
import hashlib
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import given, strategies

import nodediag
from nodediag.model.evidence import FileEvidence, PathEvidence
from nodediag.model.outcome import CheckResult, Outcome, Problem, Severity, Subject, Verdict
from nodediag.model.reason import BlindSpot, Code, Reason
from nodediag.render import as_html, words
from nodediag.render.html.markup import Html, coded, escape, style, tag
from nodediag.render.visible import visible
from tests.render.conftest import BREAKOUT, NODES, MakeReport

SOURCE: Final = Path(nodediag.__file__).parent
VOID: Final = {"meta", "br"}
ELEMENTS: Final = {
    "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "footer", "section", "article", "h1",
    "h2", "h3", "p", "a", "span", "strong", "code", "pre", "ul", "ol", "li", "dl", "div", "dt", "dd", "details",
    "summary", "table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "desc", "g", "text", "tspan", "line",
    "rect", "path", "circle",
}  # fmt: skip
LONG: Final = 1024


class Outline(HTMLParser):
    """Reads a page as a browser does, and keeps what it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.headings: list[int] = []
        self.text = ""
        self.style = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text += data

    def of(self, name: str, attribute: str) -> list[str]:
        """Give an attribute of all elements of a name; `*` is all."""
        return [held[attribute] for tag, held in self.elements if name in {"*", tag} and attribute in held]


@pytest.fixture(params=list(NODES))
def page(request: pytest.FixtureRequest, report_of: MakeReport) -> Outline:
    return Outline(as_html.render(report_of(str(request.param))).decode())


def test_a_page_is_made_of_known_elements_that_are_closed(page: Outline) -> None:
    assert {name for name, _ in page.elements} <= ELEMENTS
    assert (page.unbalanced, page.open) == ([], [])


def test_a_page_asks_for_nothing_and_has_nothing_that_runs(page: Outline) -> None:
    names = {name for _, held in page.elements for name in held}
    assert not {name for name in names if name.startswith("on")}
    assert not names & {"src", "srcset", "style", "action", "formaction", "xlink:href", "background", "ping", "data"}
    assert [link for link in page.of("*", "href") if not re.fullmatch(r"#[a-z0-9-]+", link)] == []
    assert "url(" not in page.style
    assert "@import" not in page.style


def test_the_policy_allows_the_style_sheet_alone(page: Outline) -> None:
    policies = [held["content"] for name, held in page.elements if held.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    assert [name for name, _ in page.elements][2:4] == ["meta", "meta"]


def test_headings_come_in_order_and_links_lead_somewhere(page: Outline) -> None:
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in zip(page.headings, page.headings[1:], strict=False))
    ids = page.of("*", "id")
    assert len(set(ids)) == len(ids)
    named = {word for words in page.of("*", "aria-labelledby") for word in words.split()}
    assert {link.removeprefix("#") for link in page.of("a", "href")} | named <= set(ids)


def test_a_page_says_its_language_and_each_drawing_what_it_is(page: Outline) -> None:
    assert page.of("html", "lang") == ["en"]
    drawings = [held for name, held in page.elements if name == "svg" and "role" in held]
    assert [held["role"] for held in drawings] == ["img", "img"]
    assert {name for name, _ in page.elements} >= {"header", "nav", "main", "footer"}
    assert len([name for name, held in page.elements if name == "title" and "id" in held]) == len(drawings)
    assert len([name for name, _ in page.elements if name == "desc"]) == len(drawings)


def test_the_verdict_comes_first_and_problems_before_all_else(report_of: MakeReport) -> None:
    text = Outline(as_html.render(report_of("broken")).decode()).text
    places = [
        text.index(words) for words in ("UNHEALTHY", "/ is writable; it must be read-only", "Problems (9)", "Do: ")
    ]
    assert places == sorted(places)
    assert text.index("Problems (9)") < text.index("not as they should be") < text.index("are known")


def test_what_a_hostile_node_says_is_there_as_text(report_of: MakeReport) -> None:
    page = Outline(as_html.render(report_of("hostile")).decode())
    assert visible(BREAKOUT) in page.text
    assert not [letter for letter in page.text if letter != "\n" and not letter.isprintable()]


def test_paths_that_deviate_are_marked_in_drawing_and_table(report_of: MakeReport) -> None:
    text = Outline(as_html.render(report_of("broken")).decode()).text
    assert "21 paths, 5 not as they should be." in text
    assert text.count("✖ should be read-only") == 1
    assert text.count("✖ should be writable") == 1
    assert "✖ should be stateless" in text
    well = Outline(as_html.render(report_of("healthy")).decode()).text
    assert re.search(r"\d+ paths, 0 not as they should be\.", well)
    assert "✖ should be" not in well


def test_a_node_of_which_nothing_was_seen_gets_a_page_that_says_so(report_of: MakeReport) -> None:
    report = report_of("healthy")
    reason = Reason(code=Code.NOT_CAPTURED, detail="it is not in this folder", needs="/proc/1/mountinfo")
    facts = type(report.facts)()
    logs = type(report.logs).unread(report.logs.since, report.logs.until, (BlindSpot(what="logs", reason=reason),))
    blind = msgspec.structs.replace(report, facts=facts, logs=logs, profile=msgspec.UNSET, checks=())
    text = Outline(as_html.render(blind).decode()).text
    assert "The mounts could not be seen: this run did not ask for it" in text
    assert "The journal was not read." in text


def test_a_page_is_of_bounded_size_whatever_was_found(report_of: MakeReport) -> None:
    problem = Problem(
        severity=Severity.WARNING, subject=Subject("path", "/" + "<" * LONG), message="<" * LONG, expected="good",
        observed="bad", remedy="r " * LONG, evidence=(FileEvidence(path="/x", line=1, text="&" * LONG),) * 3,
    )  # fmt: skip
    check = CheckResult(id="x.y", title="t", outcome=Outcome.FAILED, problems=(problem,) * 1000, problems_total=5000)
    huge = msgspec.structs.replace(report_of("broken"), checks=(check,))
    page = as_html.render(huge)
    assert len(page) < 8 * 1024 * 1024
    assert "and 4,800 more" in Outline(page.decode()).text


@given(strategies.text())
def test_any_text_becomes_text(text: str) -> None:
    page = Outline(str(tag("p", text, title=text)))
    assert [name for name, _ in page.elements] == ["p"]
    assert page.of("p", "title") == ([visible(text)] if text else [])
    assert page.text == visible(text)
    assert Outline(str(coded(text))).text.replace("`", "") == visible(text).replace("`", "")


def test_markup_is_not_escaped_twice_and_a_style_sheet_holds_none() -> None:
    assert tag("b", escape("<"), Html("<i>x</i>")) == "<b>&lt;<i>x</i></b>"
    with pytest.raises(ValueError, match="markup"):
        style("a{}</style><script>")


def test_only_one_module_makes_markup() -> None:
    makers = [file.name for file in (SOURCE / "render").rglob("*.py") if re.search(r"\bHtml\(", file.read_text())]
    assert makers == ["markup.py"]


def test_a_report_in_another_format_does_not_load_the_page(tmp_path: Path) -> None:
    program = (
        "import json, sys; from nodediag.cli.main import run;"
        f"run(['report', '--root', {str(tmp_path)!r}, '--format', sys.argv[1], '-o', {str(tmp_path / 'out')!r}]);"
        "print(json.dumps([name for name in sys.modules if name.startswith('nodediag.render')]))"
    )
    own_of = {"json": {"as_json"}, "markdown": {"as_markdown", "causes", "inert", "unseen", "words", "visible"}}
    for form, own in own_of.items():
        done = subprocess.run([sys.executable, "-I", "-c", program, form], capture_output=True, check=True)
        loaded = {name.removeprefix("nodediag.render").removeprefix(".") for name in json.loads(done.stdout)}
        assert loaded - {"", "visible"} == own - {"visible"}


def test_what_decides_and_could_not_be_seen_is_named_at_the_top(report_of: MakeReport) -> None:
    report = report_of("healthy")
    reason = Reason(code=Code.TIMED_OUT, detail="the journal took too long")
    blind = CheckResult(id="logs.readable", title="t", outcome=Outcome.UNKNOWN, reason=reason, problems=())
    open_ = msgspec.structs.replace(
        report, verdict=Verdict.UNKNOWN, verdict_because=("logs.readable",), checks=(blind,)
    )
    text = Outline(as_html.render(open_).decode()).text
    assert text.index("logs.readable: the journal took too long") < text.index("Problems")
    assert "Nothing that was looked at is wrong; 1 check could not look." in text


def test_evidence_says_where_it_stands_whatever_its_path_is_called() -> None:
    evidence = FileEvidence(path="/odd: path", line=3, text="a: b")
    assert words.placed(evidence) == ("/odd: path:3", "a: b")
    assert words.placed(PathEvidence(path="/x", type="link")) == ("/x", "link")
