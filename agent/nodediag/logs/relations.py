"""What failures follow: a preemption, a maintenance, a shutdown, a drain, a planned stop explains what comes next."""

from collections.abc import Iterable
from typing import Final

from nodediag.logs.tally import Tally
from nodediag.logs.times import said
from nodediag.model.logs import LogRelation

_SOON_US: Final = 300_000_000
_MOST: Final = 3


def follows(tally: Tally, contexts: Iterable[Tally]) -> tuple[LogRelation, ...]:
    """Give what the newest burst of a failure that came soon after something followed, the nearest first."""
    for began in reversed(tally.bursts):
        near: list[tuple[int, int, Tally]] = []
        for context in contexts:
            before = [time_us for time_us in context.moments if 0 <= began - time_us <= _SOON_US]
            if before:
                near.append((began - max(before), max(before), context))
        if near:
            near.sort(key=lambda entry: entry[:2])
            return tuple(
                LogRelation(
                    id=context.signature.id,
                    title=context.signature.title,
                    time=said(time_us),
                    after_ms=after // 1000,
                )
                for after, time_us, context in near[:_MOST]
            )
    return ()
