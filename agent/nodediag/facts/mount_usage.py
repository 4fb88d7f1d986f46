"""The mounts as df(1) prints them: target and source, the type with `-T`, never the options.

Old ones break the line after a long source.
"""

import re
from typing import Final

from nodediag.facts.mounts import Mount
from nodediag.host.host import Line

WANTED: Final = "a line of df(1), `SOURCE [TYPE] SIZE USED AVAILABLE USE% TARGET`"
_NUMBER: Final = r"(?:-?[0-9][0-9.,]*[A-Za-z]*|-)\s+"
_NUMBERS: Final = re.compile(rf"(?<!\S)(?:{_NUMBER}){{3}}(?:[0-9]+%|-)\s+(?=/)")
_HEADER: Final = "Filesystem "
_SOURCE_AND_TYPE: Final = 2


def read(lines: tuple[Line, ...]) -> tuple[Mount, ...]:
    """Read the lines that are mounts; without a header, two words before every line's numbers are source and type."""
    rows = _rows(lines)
    header = next((line.text.split() for line in lines if line.text.startswith(_HEADER)), None)
    typed = "Type" in header if header else all(len(head.split()) == _SOURCE_AND_TYPE for _, head, _ in rows)
    return tuple(_mount(line, head, target, typed=typed) for line, head, target in rows)


def _rows(lines: tuple[Line, ...]) -> list[tuple[Line, str, str]]:
    """Give each row's line, what stands before its numbers, and the target after them."""
    rows: list[tuple[Line, str, str]] = []
    broken = ""
    for line in lines:
        numbers = _NUMBERS.search(line.text)
        if numbers is None:
            broken = "" if line.text.startswith(_HEADER) else line.text.strip()
            continue
        head = line.text[: numbers.start()]
        if not head or head[0].isspace():
            head = f"{broken} {head}"
        if head.strip():
            rows.append((line, head.strip(), line.text[numbers.end() :].rstrip()))
        broken = ""
    return rows


def _mount(line: Line, head: str, target: str, *, typed: bool) -> Mount:
    words = head.rsplit(maxsplit=1)
    source, fstype = words if typed and len(words) == _SOURCE_AND_TYPE else (head, "")
    return Mount(
        target=target,
        options=(),
        fstype=fstype,
        source=source,
        options_known=False,
        evidence=line.evidence,
    )
