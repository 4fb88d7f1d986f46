"""The Host's door: what a node answers is freed of secrets here, before anything is kept or judged."""

from string import ascii_letters, digits
from typing import Final, TypeAlias

import msgspec

from nodediag.host.answer import Content, CriAnswer, FilesBelow, MetadataAnswer, Process, ProcessList, Reply
from nodediag.host.answer_parts import FileBelow
from nodediag.host.ask import Ask, Read
from nodediag.host.host import Source

_Read: TypeAlias = Content | CriAnswer | FilesBelow | MetadataAnswer | ProcessList
_OF_FIELDS: Final = (ascii_letters + digits + "+-.:~ ").encode()


class RedactingSource:
    """A source that passes on what another answers, secrets masked; fields of identifiers, see Read.only, hold none.

    The rules are loaded for the first answer that may hold one: whoever is asked first is waited for.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def answer(self, ask: Ask) -> Reply:
        """Answer as the other source does."""
        reply = self._source.answer(ask)
        if isinstance(ask, Read) and ask.only and isinstance(reply, Content):
            return Content(_only(reply.data, ask.only))
        return _masked(reply) if isinstance(reply, _Read) else reply


def _only(data: bytes, starts: tuple[str, ...]) -> bytes:
    words = tuple(start.encode() for start in starts)
    return b"\n".join(
        [
            line if not line or (line.startswith(words) and not line.translate(None, _OF_FIELDS)) else b" "
            for line in data.split(b"\n")
        ]
    )


def _masked(reply: _Read) -> Reply:
    from nodediag.redact import counted  # noqa: PLC0415 - see above

    counted()
    masked = _without_secrets(reply)
    counts = counted()
    return msgspec.structs.replace(masked, masked=counts) if counts else masked


def _without_secrets(reply: _Read) -> _Read:
    from nodediag.redact import counted, redact, redact_text  # noqa: PLC0415 - see above

    match reply:
        case Content(data=data):
            return Content(redact(data))
        case FilesBelow(files, complete):
            whole = b"\n".join(file.data for file in files)
            if redact(whole) == whole:
                return reply
            counted()
            return FilesBelow(tuple(FileBelow(file.path, redact(file.data)) for file in files), complete)
        case MetadataAnswer(address, server, values, refused):
            masked = {key: redact_text(value) for key, value in values.items()}
            return MetadataAnswer(address, server, masked, refused)
        case CriAnswer(conditions=conditions):
            told = tuple(msgspec.structs.replace(one, message=redact_text(one.message)) for one in conditions)
            return msgspec.structs.replace(reply, conditions=told)
        case ProcessList(processes, complete, programs):
            return ProcessList(tuple(_redacted(process) for process in processes), complete, programs)


def _redacted(process: Process) -> Process:
    from nodediag.redact import redact_arguments  # noqa: PLC0415 - see above

    masked = redact_arguments(process.argv)
    return process if masked == process.argv else msgspec.structs.replace(process, argv=masked)
