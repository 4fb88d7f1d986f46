"""A text for a person: blocks set in 80 columns, nothing of the node's able to move a cursor."""

from collections.abc import Iterable
from io import StringIO
from typing import Final, TypeAlias

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from nodediag.render.visible import visible

WIDTH: Final = 80

Block: TypeAlias = Text | Padding


def page(blocks: Iterable[Block], *, colour: bool) -> bytes:
    """Set blocks one below the other."""
    out = StringIO()
    console = Console(
        file=out, width=WIDTH, force_terminal=colour, no_color=not colour, color_system="standard" if colour else None,
        highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    for block in blocks:
        console.print(block)
    lines = (line.rstrip() for line in out.getvalue().split("\n"))
    return ("\n".join(lines).rstrip("\n") + "\n").encode("utf-8", "backslashreplace")


def indented(text: str, style: str = "", by: int = 2, below: int = 0) -> Padding:
    """Give a paragraph, set in from the left, with empty lines below it."""
    return Padding(Text(visible(text), style=style), (0, 0, below, by))
