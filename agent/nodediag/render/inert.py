"""Text of a node as GitHub-flavoured Markdown in which it stays text: https://github.github.com/gfm/.

A backslash is not enough: mentions, issue numbers and links are looked for in what has been rendered, though never in
code. So each word that could be more than a word is set as code, and whole lines of a node stand in fences.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from nodediag.render.visible import visible

_CODE: Final = re.compile(r"(?P<before>[(\"']*)`(?P<code>[^`]+)`(?P<after>[)\"'.,;:]*)(?!\S)")
_WORD: Final = re.compile(r"\S+")
_AROUND: Final = re.compile(r"(?P<before>[(\"']*)(?P<core>.*?[^)\"'.,;:!?])(?P<after>[)\"'.,;:!?]*)", re.DOTALL)
_SAFE: Final = re.compile(r"[(\"'/]*[^\W_](?:[^\W_]|[.,;:()'\"/%=+?!-])*")
_DASHES: Final = frozenset({"-", "--", "→"})
# What is more than a word without a mark that says so: addresses, commits, GH-1, :emoji:, and what begins a list.
_MORE: Final = re.compile(r"//|www\.|[0-9a-fA-F]{7}|[Gg][Hh]-\d|:[\w+-]+:|^\d+[.)]$")
_BACKTICKS: Final = re.compile(r"`+")
_LEAST_FENCE: Final = 3


class _Piece(msgspec.Struct):
    """A word or more, with what stands before and after it."""

    before: str
    text: str
    after: str
    marked: bool

    def __str__(self) -> str:
        return f"{self.before}{code(self.text) if self.marked else self.text}{self.after}"


def prose(text: str) -> str:
    """Give a sentence as one line: plain words as they are, all others as code; `code` in it stays code."""
    text = visible(text)
    pieces: list[_Piece] = []
    place = 0
    while (word := _WORD.search(text, place)) is not None:
        quoted = _CODE.match(text, word.start())
        place = quoted.end() if quoted is not None else word.end()
        if quoted is not None:
            pieces.append(_Piece(quoted["before"], code(quoted["code"]), quoted["after"], marked=False))
            continue
        piece = _piece(word[0], first=not pieces)
        if piece.marked and not piece.before and pieces and pieces[-1].marked and not pieces[-1].after:
            pieces[-1].text += f" {piece.text}"
            pieces[-1].after = piece.after
        else:
            pieces.append(piece)
    return " ".join(map(str, pieces))


def _piece(word: str, *, first: bool) -> _Piece:
    plain = (_SAFE.fullmatch(word) is not None and _MORE.search(word) is None) or (word in _DASHES and not first)
    if plain:
        return _Piece("", word, "", marked=False)
    around = _AROUND.fullmatch(word)
    if around is None:
        return _Piece("", word, "", marked=True)
    return _Piece(around["before"], around["core"], around["after"], marked=True)


def code(text: str) -> str:
    """Give a text as code in a line: between more backticks than it has in a row."""
    text = visible(text).strip() or " "
    fence = "`" * (1 + _longest(text))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def fenced(lines: Iterable[str]) -> str:
    """Give lines of a node as a block of code: below a fence longer than any that they have."""
    text = "\n".join(visible(line) for line in lines)
    fence = "`" * max(_LEAST_FENCE, 1 + _longest(text))
    return f"{fence}text\n{text}\n{fence}"


def _longest(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
