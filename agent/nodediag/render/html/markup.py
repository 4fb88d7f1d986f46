"""Markup that is safe by its making: what is not made here is text, and becomes text of the page by one function.

Only this module makes `Html`; a test holds the others to it.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from nodediag.render.visible import visible

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_VOID: Final = frozenset({"meta", "br"})


class Html(str):
    """Markup: a page, or a part of one."""

    __slots__ = ()


Child: TypeAlias = str | Html | Iterable[Html]
Attribute: TypeAlias = str | int | float | bool


def escape(text: str) -> Html:
    """Give any text as markup that shows it, control and bidirectional characters as escapes."""
    return text if isinstance(text, Html) else Html(visible(text).translate(_ESCAPES))


def joined(parts: Iterable[Child]) -> Html:
    """Put parts one after the other; text among them is escaped."""
    return Html("".join(escape(part) if isinstance(part, str) else joined(part) for part in parts))


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Html:
    """Give an element. In the names of attributes `_` stands for `-`, `class_` for `class`; a true one has no value."""
    words = [name]
    for key, value in attributes.items():
        if value is False or value == "":
            continue
        written = key.removesuffix("_").replace("_", "-")
        words.append(written if value is True else f'{written}="{escape(str(value))}"')
    start = f"<{' '.join(words)}>"
    return Html(start) if name in _VOID else Html(f"{start}{joined(children)}</{name}>")


def page(head: Iterable[Html], body: Iterable[Html]) -> Html:
    """Give a whole document in English."""
    return Html(f"<!DOCTYPE html>\n{tag('html', tag('head', joined(head)), tag('body', joined(body)), lang='en')}\n")


def style(css: str) -> Html:
    """Give a style sheet of ours; it is no text of a page, so nothing in it is escaped."""
    if "<" in css:
        raise ValueError("a style sheet that holds markup")
    return Html(f"<style>{css}</style>")


def coded(text: str) -> Html:
    """Give a sentence in which what stands between backticks is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return joined(tag("code", part) if number % 2 else escape(part) for number, part in enumerate(parts))
