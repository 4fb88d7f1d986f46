"""Tells again what a recording holds: the same answers, the same failures; what was never asked is `not_captured`."""

from typing import Final

import msgspec

from nodediag.errors import UsageError
from nodediag.host.answer import Content, Failure, Reply
from nodediag.host.answer_parts import Timing
from nodediag.host.ask import Ask, Read, Stat, place
from nodediag.host.host import Source
from nodediag.host.recording import ANSWERS, FILES, Head, Told, fits, key
from nodediag.model.reason import Code, Reason

_CAP_BYTES: Final = 64 * 1024 * 1024


class ReplaySource:
    """A recording, its files read through another source that has the recording's folder as its root."""

    def __init__(self, files: Source, folder: str) -> None:
        self._files = files
        head, *lines = _answers(files, folder)
        try:
            self.observed_at = msgspec.json.decode(head, type=Head).observed_at
            decode = msgspec.json.Decoder(Told).decode
            told = [decode(line) for line in lines]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"{folder}/{ANSWERS} is not what `report --record` writes: {error}") from error
        self._told = {key(entry.ask): entry for entry in told}

    def answer(self, ask: Ask) -> Reply:
        """Answer as the node did."""
        told = self._told.get(key(ask))
        if told is not None and told.reply is not msgspec.UNSET:
            return told.reply
        if isinstance(ask, Read) and fits(ask.path):
            kept = self._files.answer(Read(f"/{FILES}{ask.path}", ask.cap_bytes))
            if isinstance(kept, Content) and told is not None:
                return Content(kept.data, told.masked)
            if not isinstance(kept, Failure) or kept.reason.code is not Code.ABSENT:
                return kept
        where = place(ask)
        return Failure(Reason(code=Code.NOT_CAPTURED, detail=f"{where} was not asked for when this was recorded"))

    def timing(self, ask: Ask) -> Timing | None:
        """Tell when a question was put when it was recorded, and how long it took, None where that is not known."""
        told = self._told.get(key(ask))
        return None if told is None else told.timing


def is_recording(files: Source) -> bool:
    """Tell whether a folder has a file of answers, even one that cannot be read."""
    reply = files.answer(Stat(f"/{ANSWERS}"))
    return not isinstance(reply, Failure) or reply.reason.code is not Code.ABSENT


def _answers(files: Source, folder: str) -> list[bytes]:
    reply = files.answer(Read(f"/{ANSWERS}", _CAP_BYTES))
    if isinstance(reply, Content):
        return reply.data.rstrip(b"\n").split(b"\n")
    detail = reply.reason.detail if isinstance(reply, Failure) else "unreadable"
    raise UsageError(f"{folder}/{ANSWERS}: {detail}")
