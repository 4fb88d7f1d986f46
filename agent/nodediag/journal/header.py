"""The headers of journal files: how many entries each says it holds, and of when, held against what can be reached."""

import re
from typing import Final

import msgspec

from nodediag.host.journal_files import Found, JournalFile, first_entry, mapped
from nodediag.journal.form import Header, missing, parse
from nodediag.journal.journal import Source
from nodediag.model.reason import BlindSpot, Code, Reason

_BEING_WRITTEN: Final = "online"
LEFT_DIRTY: Final = "~"  # how the name of a file ends that journald found damaged and put aside
_MACHINE: Final = re.compile("[0-9a-f]{32}")
_MOST_NAMED: Final = 3


class Readable(msgspec.Struct, frozen=True, kw_only=True):
    """The files that have a header, what each says of itself, and what is wrong with them and others."""

    files: tuple[JournalFile, ...]
    sources: tuple[Source, ...]
    blind_spots: tuple[BlindSpot, ...]


def look(found: Found, since_us: int) -> Readable:
    """Look at each file; those with entries of the window are held against what their headers promise."""
    files: list[JournalFile] = []
    sources: list[Source] = []
    spots = list(found.refused)
    for file in found.files:
        header = parse(file.head)
        if header is None:
            spots.append(spot(file.name, "it has no journal header"))
            continue
        files.append(file)
        sources.append(_source(file, header))
        if header.last_us >= since_us and (header.state != _BEING_WRITTEN or file.name.endswith(LEFT_DIRTY)):
            spots += _damage(file, header, since_us)
    spots += _others(sources, found.machine)
    return Readable(files=tuple(files), sources=tuple(sources), blind_spots=tuple(spots))


def spot(name: str, why: str) -> BlindSpot:
    """Say what is wrong with a file."""
    return BlindSpot(what=name, reason=Reason(code=Code.UNPARSABLE, detail=f"{name}: {why}"))


def _source(file: JournalFile, header: Header) -> Source:
    first = first_entry(file, header.array_at, compact=header.is_compact) if header.entries else None
    number, uptime_us = first or (-1, -1)
    folder = file.name.rsplit("/", 2)[-2].partition(".")[0]  # a namespace stands behind the machine's id
    return Source(
        path=file.name,
        entries=header.entries,
        first_us=header.first_us,
        last_us=header.last_us,
        state=header.state,
        machine=folder if _MACHINE.fullmatch(folder) else header.machine,
        first_number=number,
        first_uptime_us=uptime_us,
    )


def _damage(file: JournalFile, header: Header, since_us: int) -> list[BlindSpot]:
    with mapped(file) as data:
        lost = missing(data, header, since_us) if data is not None else ""
    return [spot(file.name, f"damaged: {lost}")] if lost else []


def _others(sources: list[Source], machine: str) -> list[BlindSpot]:
    """Name the files that another machine wrote, as on a disk that was copied: they are read like the others."""
    others = [source for source in sources if machine and source.machine.strip("0") and source.machine != machine]
    if not others:
        return []
    names = ", ".join(source.path for source in others[:_MOST_NAMED])
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    detail = f"written by another machine than {machine}, so what they tell may not be of this node: {names}{more}"
    return [BlindSpot(what="files of another machine", reason=Reason(code=Code.WRONG_KIND, detail=detail))]
