import re

import pytest
from hypothesis import given, strategies
from markdown_it import MarkdownIt
from markdown_it.token import Token

from nodediag.render.inert import code, fenced, prose
from nodediag.render.visible import visible

PIECES = (
    "`", "``", "```", "~~~", "|", "<", ">", "-->", "<!--", "@", "@octocat", "#12", "GH-3", "[", "](", ")", "!", "*",
    "**", "_", "__", "~~", "\\", "&lt;", "&#64;", "$", "$$", ":smile:", "https://example.org", "www.example.org",
    "deadbeefdeadbeef", "1.", "-", "+", "=", "#", "a", "word", " ", " ", "\n", "\t", "\x1b[31m", "\u202e", "\u2066",
    "\0", "é", "(", '"', ":", "<script>alert(1)</script>", "</details>", "<img src=x onerror=alert(1)>",
)  # fmt: skip
HOSTILE = strategies.lists(strategies.sampled_from(PIECES), max_size=30).map("".join) | strategies.text(max_size=200)
INERT = {"paragraph_open", "paragraph_close", "inline"}


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)


def inline(text: str) -> list[Token]:
    tokens = parsed(text)
    assert {token.type for token in tokens} <= INERT
    return [child for token in tokens for child in token.children or ()]


def shown(tokens: list[Token]) -> str:
    return "".join(token.content for token in tokens)


@given(HOSTILE)
def test_nothing_of_a_sentence_is_more_than_text_and_code(text: str) -> None:
    tokens = inline(prose(text))
    assert {token.type for token in tokens} <= {"text", "code_inline"}
    plain = " ".join(token.content for token in tokens if token.type == "text")
    assert not re.search(r"[@#<>\[\]|*_`$~\\&{}]|://|www\.|[0-9a-fA-F]{7}|GH-\d|:\w+:", plain)


@given(strategies.text(max_size=200))
def test_a_sentence_says_what_it_said(text: str) -> None:
    without = visible(text).replace("`", "")
    said = shown(inline(prose(without)))
    assert said.split() == without.split()


@given(HOSTILE.filter(lambda text: text.strip()))
def test_code_holds_its_text_whatever_backticks_are_in_it(text: str) -> None:
    tokens = inline(code(text))
    assert [token.type for token in tokens] == ["code_inline"]
    assert tokens[0].content.strip() == visible(text).strip()


@given(strategies.lists(HOSTILE, min_size=1, max_size=5))
def test_a_fence_holds_all_its_lines(lines: list[str]) -> None:
    tokens = parsed(fenced(lines))
    assert [token.type for token in tokens] == ["fence"]
    assert tokens[0].content == "".join(f"{visible(line)}\n" for line in lines)


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("/var is read-only; it must be writable", "/var is read-only; it must be writable"),
        ("start it with `systemctl start kubelet`.", "start it with `systemctl start kubelet`."),
        ("(as `mount -o remount,rw /x`), then", "(as `mount -o remount,rw /x`), then"),
        ("ask @octocat of #12, now", "ask `@octocat` of `#12`, now"),
        ("on (gke_node_1), kernel 6", "on (`gke_node_1`), kernel 6"),
        ("a <b> <i> c", "a `<b> <i>` c"),
        ("see https://example.org/x.", "see `https://example.org/x`."),
        ("- no list", "`-` no list"),
        ("1. no list", "`1`. no list"),
        ("a - b", "a - b"),
        ("it`s", "``it`s``"),
        ("line\nend\u202e", "`line\\nend\\u202e`"),
    ],
)
def test_only_what_could_be_more_than_a_word_becomes_code(text: str, markdown: str) -> None:
    assert prose(text) == markdown
