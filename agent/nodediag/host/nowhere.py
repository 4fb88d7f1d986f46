"""No node at all (`--root none`): nothing of one was captured; only files that options name tell of it."""

from typing import Final

from nodediag.host.answer import Failure, Reply
from nodediag.host.answer_parts import Timing
from nodediag.host.ask import Ask
from nodediag.model.reason import Code, Reason

NOWHERE: Final = "none"
REASON: Final = Reason(
    code=Code.NOT_CAPTURED,
    detail="the node itself was not looked at (--root none)",
    needs="the node, or a recording of it",
)


class NoSource:
    """Answers every question with the one reason."""

    def answer(self, ask: Ask) -> Reply:
        """Answer that nothing was captured."""
        del ask
        return Failure(REASON)

    def ahead(self, *asks: Ask) -> None:
        """Nothing is worth asking."""

    def close(self) -> None:
        """Nothing is held."""

    def timing(self, ask: Ask) -> Timing | None:
        """Tell that nothing was asked."""
        del ask
        return None
