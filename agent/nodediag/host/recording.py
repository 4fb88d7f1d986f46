"""Keeps all that a host was told, answers and failures alike, so that another host can tell it again."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from nodediag.errors import OutputError
from nodediag.host import own
from nodediag.host.answer import Content, Reply
from nodediag.host.answer_parts import Timing
from nodediag.host.ask import Ask, Lock, place
from nodediag.host.host import Source
from nodediag.model.report import Origin

ANSWERS: Final = "answers.jsonl"
FILES: Final = "root"
REPORT: Final = "report.json"  # beside it in a bundle, as what follows
PROFILE: Final = "profile.toml"  # one that somebody named
JOURNAL: Final = "journal.jsonl"
LOG: Final = "nodediag.jsonl"  # what the run that asked tells of itself
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


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """Each further line: a question, what was answered, and when it was put and how long it took where that is known.

    Without a reply it tells of a file at its path: when and how long it was read, and how many secrets were `masked` in
    it, by the rule's id; a reply tells that by itself.
    """

    ask: Ask
    reply: Reply | msgspec.UnsetType = msgspec.UNSET
    took_us: int | msgspec.UnsetType = msgspec.UNSET
    masked: dict[str, int] = {}
    at: Annotated[datetime, msgspec.Meta(tz=True)] | msgspec.UnsetType = msgspec.UNSET

    @property
    def timing(self) -> Timing | None:
        """When it was put and how long it took, where both are known."""
        if self.at is msgspec.UNSET or self.took_us is msgspec.UNSET:
            return None
        return Timing(self.at, self.took_us)


class File(msgspec.Struct, frozen=True):
    """A file of a recording, and what it tells."""

    path: str
    data: bytes
    told: tuple[Told, ...]


class Recorder:
    """A source that passes on what another answers, and keeps it; one question has one answer, as in a replay.

    `timing` tells when a question was put, and how long it took.
    """

    def __init__(self, source: Source, timing: Callable[[Ask], Timing | None] = lambda _: None) -> None:
        self._source = source
        self._timing = timing
        self._told: dict[tuple[str, str], Told] = {}

    def answer(self, ask: Ask) -> Reply:
        """Answer as the other source does."""
        told = self._told.get(key(ask))
        if told is not None and told.ask == ask and told.reply is not msgspec.UNSET:
            return told.reply
        reply = self._source.answer(ask)
        if not isinstance(ask, Lock):
            timing = self._timing(ask)
            self._told[key(ask)] = (
                Told(ask, reply) if timing is None else Told(ask, reply, took_us=timing.took_us, at=timing.at)
            )
        return reply

    def save(self, folder: str, head: Head, others: dict[str, bytes]) -> None:
        """Write the recording into a new or empty folder, with other files by their names."""
        longest = _PATH_MAX - len(os.path.abspath(folder).encode()) - len("/")
        try:
            for file in files(self.told, head, longest):
                own.write_below(folder, file.path, file.data)
            for name, data in others.items():
                own.write_below(folder, name, data)
        except OSError as error:
            raise OutputError(f"--record {folder}: {error.strerror}") from error

    @property
    def told(self) -> tuple[Told, ...]:
        """Give all that was asked and answered so far, in that order."""
        return tuple(self._told.values())


def files(every: Iterable[Told], head: Head, longest: int) -> Iterator[File]:
    """Give the files of a recording, none with a longer path: what was read at its path, all else in one."""
    encode = msgspec.json.Encoder().encode
    lines = [encode(head)]
    rest: list[Told] = []
    paths: set[str] = set()
    folders: set[str] = set()
    for told in every:
        path = FILES + place(told.ask)
        above = _above(path)
        alone = fits(place(told.ask)) and len(path.encode()) < longest and path not in paths | folders
        if alone and isinstance(told.reply, Content) and not paths.intersection(above):
            paths.add(path)
            folders.update(above)
            about = msgspec.structs.replace(told, reply=msgspec.UNSET, masked=told.reply.masked)
            if about != Told(told.ask):
                lines.append(encode(about))
            yield File(path, told.reply.data, (about,))
        else:
            rest.append(told)
            lines.append(encode(told))
    yield File(ANSWERS, b"\n".join(lines) + b"\n", tuple(rest))


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
