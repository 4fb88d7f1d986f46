"""The page in a real browser: nothing of a node runs there, nothing is asked for, and it can be read at any width."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from nodediag.render import as_html
from tests.render.chromium import PROGRAM, Chromium, Json
from tests.render.conftest import BREAKOUT, NODES, MakeReport

RAW: Final = BREAKOUT.replace("http-equiv=refresh", "")  # which would lead away from the page before it is looked at
NARROW: Final = 360
DRAWINGS: Final = ["The node's disks, partitions and mounts", "The journal over time"]
CONTRAST: Final = """(() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = rgb => rgb.slice(0, 3).map(part => part / 255)
    .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [.2126, .7152, .0722][place], 0);
  const below = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    const drawn = element.namespaceURI.endsWith('svg');
    if (['title', 'desc'].includes(element.localName) || (drawn && element.closest('.mark'))) continue;
    const style = getComputedStyle(element);
    const pair = [light(parse(drawn ? style.fill : style.color)), light(below(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + .05) / (pair[1] + .05);
    if (contrast < 4.5) bad.push(`${element.localName}.${element.className} ${contrast.toFixed(2)}`);
  }
  return [...new Set(bad)];
})()"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    if PROGRAM is None:
        pytest.skip("a browser is needed: Debian's package chromium")
    with Chromium() as browser:
        yield browser


@pytest.fixture(params=list(NODES))
def page(request: pytest.FixtureRequest, report_of: MakeReport, tmp_path: Path) -> Path:
    file = tmp_path / f"{request.param}.html"
    file.write_bytes(as_html.render(report_of(str(request.param))))
    return file


def asked(browser: Chromium) -> list[Json]:
    requests = [event["request"] for event in browser.told("Network.requestWillBeSent")]
    return [request["url"] for request in requests if isinstance(request, dict)]


def test_the_browser_would_tell_if_something_ran_or_was_asked_for(browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "raw.html"
    file.write_text(f"<title>mine</title><pre>{RAW}</pre>")
    browser.open(file)
    assert browser.evaluate("document.title") == "owned"
    assert (tmp_path / "x").as_uri() in asked(browser)


def test_nothing_of_a_node_runs_and_nothing_is_asked_for(browser: Chromium, page: Path) -> None:
    browser.open(page)
    assert asked(browser) == [page.as_uri()]
    assert browser.evaluate("document.scripts.length + document.images.length") == 0
    assert str(browser.evaluate("document.title")).endswith(" - nodediag")
    assert browser.told("Log.entryAdded") == []
    assert browser.told("Page.javascriptDialogOpening") == []


def test_what_slips_in_all_the_same_is_stopped_by_the_policy(browser: Chromium, page: Path) -> None:
    page.write_text(page.read_text().replace("<main>", f"<main>{RAW}"))
    browser.open(page)
    assert str(browser.evaluate("document.title")).endswith(" - nodediag")
    assert browser.evaluate("getComputedStyle(document.body).display") == "block"
    assert browser.told("Page.javascriptDialogOpening") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_told_from_what_lies_below_it(browser: Chromium, page: Path, scheme: str) -> None:
    browser.open(page, scheme=scheme)
    assert browser.evaluate(CONTRAST) == []


def test_a_page_is_no_wider_than_a_narrow_screen(browser: Chromium, page: Path) -> None:
    browser.open(page, width=NARROW)
    assert browser.evaluate("document.documentElement.scrollWidth") == NARROW
    wide = "[...document.querySelectorAll('svg.drawing text')].filter(t => t.getBoundingClientRect().right > 362)"
    assert browser.evaluate(f"{wide}.map(t => t.textContent)") == []


def test_a_screen_reader_finds_landmarks_headings_and_drawings(browser: Chromium, page: Path) -> None:
    browser.open(page)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    assert isinstance(nodes, list)
    roles = {value_of(node, "role"): value_of(node, "name") for node in nodes}
    assert {"banner", "navigation", "main", "contentinfo", "heading", "region"} <= set(roles)
    pictures = {"image", "img", "graphics-document"}
    assert [value_of(node, "name") for node in nodes if value_of(node, "role") in pictures] == DRAWINGS


def value_of(node: Json, key: str) -> str:
    held = node.get(key) if isinstance(node, dict) else None
    return str(held.get("value", "")) if isinstance(held, dict) else ""


def test_on_paper_everything_is_unfolded(browser: Chromium, page: Path, tmp_path: Path) -> None:
    browser.open(page, media="print")
    folded = "[...document.querySelectorAll('main details:not(#facts *)')]"
    hidden = f"{folded}.filter(d => d.lastElementChild.getBoundingClientRect().height === 0).length"
    assert browser.evaluate(hidden) == 0
    browser.printed(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
