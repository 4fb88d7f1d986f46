"""What the journal tells. A run without logs, as every run is until the journal is read, does not select these."""

from collections.abc import Iterator
from typing import Final

from nodediag.checks.check import Check, check
from nodediag.facts.fact import NOT_COLLECTED, NotKnownError
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem
from nodediag.profiles.profile import Profile

_NEEDS: Final = "the node's journal, below /var/log/journal or /run/log/journal"


@check("logs.readable", title="The node's journal can be read", needs=_NEEDS)
def readable(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A verdict without the journal has not heard what the kubelet, the runtime and the kernel complained of."""
    del facts, profile
    yield from _unread()


@check("logs.critical", title="The journal tells of nothing that takes the node down", needs=_NEEDS)
def critical(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Known failures, recognised by their messages, that make pods fail now or within hours."""
    del facts, profile
    yield from _unread()


@check("logs.warning", title="The journal tells of nothing that needs action this week", needs=_NEEDS)
def warning(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Known failures, recognised by their messages, that will become worse if nobody acts."""
    del facts, profile
    yield from _unread()


def _unread() -> tuple[Problem, ...]:
    raise NotKnownError(NOT_COLLECTED.reason)


CHECKS: Final[tuple[Check, ...]] = (readable, critical, warning)
