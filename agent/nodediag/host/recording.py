"""Keeps all that a host was told, answers and failures alike, so that another host can tell it again."""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from nodediag.errors import OutputError
from nodediag.host import own
from nodediag.host.ask import Ask, Content, Lock, Reply, place
from nodediag.host.host import Source
from nodediag.model.report import Origin

ANSWERS: Final = "answers.jsonl"
FILES: Final = "root"
REPORT: Final = "report.json"  # beside it in a bundle, as what follows
PROFILE: Final = "profile.toml"  # one that somebody named
JOURNAL: Final = "journal.jsonl"
_NAME_MAX: Final = 255
_PATH_MAX: Final = 4096
_DEEPEST: Final = 64


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of `answers.jsonl`."""

    recording: Literal[1] = 1
    version: str
    observed_at: Annotated[datetime, msgspec.Meta(tz=True)]
    origin: Origin
    root: str


class Told(msgspec.Struct, frozen=True):
    """Each further line: a question, and what was answered."""

    ask: Ask
    reply: Reply


class Recorder:
    """A source that passes on what another answers, and keeps it; one question has one answer, as in a replay."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._told: dict[tuple[str, str], Told] = {}

    def answer(self, ask: Ask) -> Reply:
        """Answer as the other source does."""
        told = self._told.get(key(ask))
        if told is not None and told.ask == ask:
            return told.reply
        reply = self._source.answer(ask)
        if not isinstance(ask, Lock):
            self._told[key(ask)] = Told(ask, reply)
        return reply

    def save(self, folder: str, head: Head, others: dict[str, bytes]) -> None:
        """Write the recording into a new or empty folder, with other files by their names."""
        longest = _PATH_MAX - len(os.path.abspath(folder).encode()) - len("/")
        try:
            for name, data in (*self.files(head, longest), *others.items()):
                own.write_below(folder, name, data)
        except OSError as error:
            raise OutputError(f"--record {folder}: {error.strerror}") from error

    def files(self, head: Head, longest: int) -> Iterator[tuple[str, bytes]]:
        """Give the files of the recording, none with a longer path: what was read at its path, all else in one."""
        encode = msgspec.json.Encoder().encode
        lines = [encode(head)]
        paths: set[str] = set()
        folders: set[str] = set()
        for told in self._told.values():
            path = FILES + place(told.ask)
            above = _above(path)
            alone = fits(place(told.ask)) and len(path.encode()) < longest and path not in folders
            if alone and isinstance(told.reply, Content) and not paths.intersection(above):
                paths.add(path)
                folders.update(above)
                yield path, told.reply.data
            else:
                lines.append(encode(told))
        yield ANSWERS, b"\n".join(lines) + b"\n"


def _above(path: str) -> list[str]:
    """Give the folders in which a path lies: none of them can be a file too."""
    names = path.split("/")
    return ["/".join(names[:end]) for end in range(1, len(names))]


def key(ask: Ask) -> tuple[str, str]:
    """Tell questions apart; two reads of one file with different caps are one question."""
    return type(ask).__name__, place(ask)


def fits(path: str) -> bool:
    """Tell whether a path of the node can be a path below our folder, and its own."""
    names = path.split("/")
    return (
        path.startswith("/")
        and "\0" not in path
        and not {"..", "."} & set(names)
        and "" not in names[1:]
        and len(names) <= _DEEPEST
        and all(len(name.encode()) <= _NAME_MAX for name in names)
    )
