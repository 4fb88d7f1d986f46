"""Our errors and the exit statuses. An error carries data; its message is made here, once."""

from enum import IntEnum

from nodediag.model.reason import Code, Reason


class Exit(IntEnum):
    """How `nodediag` ends. A signal ends it with 128 plus its number, as shells count."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    UNKNOWN = 3
    FAILED = 4


def crash(error: Exception) -> str:
    """Say what went wrong in our own code, and where."""
    trace, where = error.__traceback__, ""
    while trace is not None:
        _, ours, file = trace.tb_frame.f_code.co_filename.rpartition("/nodediag/")
        where = f" ({file}:{trace.tb_lineno})" if ours else where
        trace = trace.tb_next
    return f"{type(error).__name__}: {error!s:.200}{where}"


class NodediagError(Exception):
    """What every error of ours is."""


class ReadError(NodediagError):
    """A question to the node stayed unanswered."""

    def __init__(self, path: str, reason: Reason) -> None:
        super().__init__(f"{path}: {reason.detail}")
        self.path = path
        self.reason = reason


class ParseError(NodediagError):
    """A text is not what its kind prescribes; `place` is a path, with a line where there is one.

    Without `text` none of it is quoted, since it may hold secrets.
    """

    def __init__(self, place: str, text: str | None, wanted: str) -> None:
        super().__init__(f"{place}: {'' if text is None else f'found {text[:200]!r}, '}wanted {wanted}")
        self.reason = Reason(code=Code.UNPARSABLE, detail=str(self))


class ProfileError(NodediagError):
    """A profile or another data file is wrong."""

    def __init__(self, file: str, key: str, why: str) -> None:
        super().__init__(f"{file}: {key}: {why}" if key else f"{file}: {why}")


class UsageError(NodediagError):
    """The options ask for something that cannot be."""


class OutputError(NodediagError):
    """The report could not be written."""


class BusyError(NodediagError):
    """Another diagnosis of this node did not end in time."""
