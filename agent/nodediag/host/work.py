"""A piece of work over a node's files, done in a child and given back as bytes.

libsystemd maps journal files into memory: one that is cut short while it is read kills its reader (SIGBUS), and one on
a hung file system never lets it go. So the whole of reading and matching is done in a child, and only what it came to
is handed back. It begins at once, beside what its parent does.
"""

from collections.abc import Callable

from nodediag.errors import ReadError, crash
from nodediag.host.answer import Content, Failure, Reply
from nodediag.host.ask import Ask, Read
from nodediag.host.sacrifice import Sacrifice
from nodediag.model.reason import Code, Reason


class Work:
    """Some work that is being done in a child, for at most `budget_s` from now."""

    def __init__(self, name: str, work: Callable[[], bytes], *, budget_s: float) -> None:
        self._name = name
        self._children = Sacrifice(lambda _hand_over: _Done(name, work), budget_s=budget_s, patience_s=budget_s)

    def result(self) -> bytes:
        """Wait for what it came to; raises ReadError when the child dies, fails, or takes too long."""
        reply = self._children.answer(Read(self._name, 0))
        if isinstance(reply, Content):
            return reply.data
        unknown = Reason(code=Code.CRASHED, detail=f"{self._name}: the child gave no answer")
        raise ReadError(self._name, reply.reason if isinstance(reply, Failure) else unknown)

    def close(self) -> None:
        """Let the child go, whether or not it is done."""
        self._children.close()


class _Done:
    """Works when it is made, and answers any question with what that came to."""

    def __init__(self, name: str, work: Callable[[], bytes]) -> None:
        try:
            self._reply: Reply = Content(work())
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent is told
            detail = f"{name}: {crash(error)}"
            self._reply = Failure(Reason(code=Code.CRASHED, detail=detail))

    def answer(self, ask: Ask) -> Reply:
        """Give it, whatever is asked."""
        del ask
        return self._reply
