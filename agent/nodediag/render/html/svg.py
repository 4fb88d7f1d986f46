"""What both drawings are made of. A drawing is as wide as the page: what stands to the right is placed by percent.

It has no viewBox, so that its text is as large at 360 pixels as at 1200.
"""

from typing import Final

from nodediag.render.html.markup import Child, Html, tag

MONO: Final = 0.6  # the width of a letter of a fixed-width font, of its height
_SMALL: Final = 11
_PADDING: Final = 5


def drawing(identity: str, title: str, about: str, height: int, *children: Child) -> Html:
    """Give a drawing with what a screen reader says of it."""
    name, more = f"{identity}-drawing-title", f"{identity}-drawing-about"
    return tag(
        "svg", tag("title", title, id=name), tag("desc", about, id=more), *children, class_="drawing", width="100%",
        height=height, role="img", aria_labelledby=name, aria_describedby=more,
    )  # fmt: skip


def text(x: float | str, y: float, words: Child, kind: str = "", **more: str | float) -> Html:
    """Give a line of text."""
    return tag("text", words, x=x, y=y, class_=kind, **more)


def right(y: float, words: Child, kind: str = "") -> Html:
    """Give a line of text that ends at the right edge."""
    return text("100%", y, words, kind, dx=-8, text_anchor="end")


def line(x1: float | str, y1: float, x2: float | str, y2: float, kind: str = "") -> Html:
    """Give a line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def box(x: float | str, y: float, width: float | str, height: float, kind: str) -> Html:
    """Give a rectangle; its corners are round as its kind's style says."""
    return tag("rect", x=x, y=y, width=width, height=height, class_=kind)


def chip(x: float, y: float, words: str, kind: str) -> tuple[Html, float]:
    """Give a word in a box, and where the next may begin."""
    width = round(len(words) * _SMALL * MONO + 2 * _PADDING, 1)
    label = text(x + _PADDING, y + 13, words, "small mono")
    return tag("g", box(x, y, width, 18, "frame"), label, class_=f"chip {kind}"), x + width + 4


def shortened(words: str, most: int) -> str:
    """Cut a long name in its middle."""
    return words if len(words) <= most else f"{words[: most // 2 - 1]}…{words[-(most - most // 2) :]}"
