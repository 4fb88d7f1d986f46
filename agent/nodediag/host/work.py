"""A piece of work over a node's files, done in a child and given back as bytes.

libsystemd maps journal files into memory: one that is cut short while it is read kills its reader (SIGBUS), and one on
a hung file system never lets it go. So the whole of reading and matching is done in a child, and only what it came to
is handed back.
"""

from collections.abc import Callable

from nodediag.errors import ReadError
from nodediag.host.ask import Ask, Content, Failure, Read, Reply
from nodediag.host.sacrifice import Sacrifice
from nodediag.model.reason import Code, Reason


class _Work:
    """Answers any question with what the work came to."""

    def __init__(self, work: Callable[[], bytes]) -> None:
        self._work = work

    def answer(self, ask: Ask) -> Reply:
        """Do the work."""
        del ask
        return Content(self._work())


def in_child(name: str, work: Callable[[], bytes], *, budget_s: float) -> bytes:
    """Do a piece of work within a budget; raises ReadError when the child dies, fails, or takes too long."""
    children = Sacrifice(lambda _hand_over: _Work(work), budget_s=budget_s, patience_s=budget_s)
    try:
        reply = children.answer(Read(name, 0))
    finally:
        children.close()
    if isinstance(reply, Content):
        return reply.data
    unknown = Reason(code=Code.CRASHED, detail=f"{name}: the child gave no answer")
    raise ReadError(name, reply.reason if isinstance(reply, Failure) else unknown)
