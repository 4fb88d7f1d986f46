"""Keeps all that a host was told, answers and failures alike, so that another host can tell it again."""

import errno
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
_NAME_MAX: Final = 255
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
    """A source that passes on what another answers, and keeps it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._told: dict[tuple[str, str], Told] = {}

    def answer(self, ask: Ask) -> Reply:
        """Answer as the other source does."""
        reply = self._source.answer(ask)
        if not isinstance(ask, Lock):
            self._told[key(ask)] = Told(ask, reply)
        return reply

    def save(self, folder: str, head: Head, others: dict[str, bytes]) -> None:
        """Write the recording into a new or empty folder, with other files by their names."""
        encode = msgspec.json.Encoder().encode
        try:
            kept = (encode(told) for told in self._told.values() if not _stands_alone(folder, told))
            own.write_below(folder, ANSWERS, b"\n".join((encode(head), *kept)) + b"\n")
            for name, data in others.items():
                own.write_below(folder, name, data)
        except OSError as error:
            raise OutputError(f"--record {folder}: {error.strerror}") from error


def _stands_alone(folder: str, told: Told) -> bool:
    """Write a file's content at its path, if it fits: one path may be another's folder, or too long below ours."""
    if not isinstance(told.reply, Content) or not fits(place(told.ask)):
        return False
    try:
        own.write_below(folder, FILES + place(told.ask), told.reply.data)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise
    return True


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
