"""The mounts as findmnt(8) prints them: a tree or a list, its columns padded or squeezed to one space.

Its source names the root of a bind as well: `/dev/sda1[/var/lib/longhorn]`. A terminal cuts the options at its edge.
"""

import re
from typing import Final

from nodediag.facts.mounts import Mount
from nodediag.host.host import Line

WANTED: Final = "a line of findmnt(8), `TARGET SOURCE FSTYPE OPTIONS`"
_COLUMNS: Final = ["TARGET", "SOURCE", "FSTYPE", "OPTIONS"]
_BRANCHES: Final = " \t│├└─|`-"
_FSTYPE: Final = re.compile(r"(?!r[wo]$)\w[\w.+-]*")
_TAIL: Final = re.compile(r"(?<=\s)(\w[\w.+-]*)\s+(?=r[wo](?:,|$))")
_ROOT: Final = re.compile(r"\[(?=/|\w+:\[)")
_FIRST: Final = frozenset({"rw", "ro", "nosuid", "nodev", "noexec"})  # the flags that stand before all others


def read(lines: tuple[Line, ...]) -> tuple[Mount, ...]:
    """Read the lines that are mounts, in their order: a mount stands below the one it lies on."""
    header = next((line.text for line in lines if is_header(line.text)), "")
    found = (_mount(line, header) for line in lines)
    return tuple(mount for mount in found if mount is not None)


def is_header(text: str) -> bool:
    """Tell the line that names the columns."""
    return text.split() == _COLUMNS


def _mount(line: Line, header: str) -> Mount | None:
    text = line.text.rstrip()
    cells = _by_header(text, header) or _by_options(text) or (_uncovered(text) if header else ())
    if not cells:
        return None
    target, source, fstype, listed = cells
    options = tuple(listed.split(",")) if listed else ()
    source, root = _split_root(source)
    return Mount(
        root=root,
        target=target.lstrip(_BRANCHES),
        options=options,
        fstype=fstype,
        source=source,
        options_known=bool(options) and not _is_cut(options),
        evidence=line.evidence,
    )


def _by_header(text: str, header: str) -> tuple[str, ...]:
    """Cut where a padded header does, if the line keeps to its columns."""
    starts = [header.find(name) for name in _COLUMNS]
    if "  " not in header or any(not text[start - 1 : start].isspace() for start in starts[1:]):
        return ()
    cells = [text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    fits = cells[0].lstrip(_BRANCHES).startswith("/") and _FSTYPE.fullmatch(cells[2]) and cells[3]
    return tuple(cells) if fits else ()


def _by_options(text: str) -> tuple[str, ...]:
    """Find the last word before options, which start with `rw` or `ro`: it is the type, the source stands before."""
    tails = list(_TAIL.finditer(text))
    if not tails:
        return ()
    target, source = _split_source(text[: tails[-1].start()].strip())
    return (target, source, tails[-1][1], text[tails[-1].end() :]) if target else ()


def _uncovered(text: str) -> tuple[str, ...]:
    """Cut a line of a table whose column of options is lost."""
    head, _, fstype = text.strip().rpartition(" ")
    target, source = _split_source(head.strip())
    return (target, source, fstype, "") if source and _FSTYPE.fullmatch(fstype) else ()


def _split_source(text: str) -> tuple[str, str]:
    """Part target and source where columns are padded; else the source is the last word, with the root at its end."""
    text = text.lstrip(_BRANCHES)
    if not text.startswith("/"):
        return "", ""
    padding = text.rfind("  ")
    root = _ROOT.search(text) if text.endswith("]") else None
    cut = padding if padding >= 0 else text.rfind(" ", 0, root.start() if root else len(text))
    return (text[:cut].rstrip(), text[cut:].strip()) if cut >= 0 else (text, "")


def _split_root(source: str) -> tuple[str, str]:
    """Part `/dev/sda1[/var]`; a network address in brackets stays with its source."""
    root = _ROOT.search(source, 1) if source.endswith("]") else None
    return (source[: root.start()], source[root.end() : -1]) if root else (source, "")


def _is_cut(options: tuple[str, ...]) -> bool:
    """Tell whether options end inside the flags that matter, as `rw,nosuid,nod` does."""
    *whole, last = options
    return _FIRST.issuperset(whole) and last not in _FIRST and any(flag.startswith(last) for flag in _FIRST)
