"""The look before the one that is judged: taken now (`--sample`), or an earlier one's (`--previous`)."""

import time
from typing import TYPE_CHECKING, Final

import msgspec

from nodediag.cli.options import NodeOptions
from nodediag.errors import ParseError, ReadError, UsageError
from nodediag.facts import ahead
from nodediag.host import own
from nodediag.host.origin import RUNNING, Opened, open_host

if TYPE_CHECKING:
    from nodediag.facts.counters import Counters

_LEAST_LEFT_S: Final = 5.0  # of --timeout, for all the rest
_ROUNDING_S: Final = 0.02  # /proc/uptime counts in hundredths


def earlier_look(opened: Opened, options: NodeOptions) -> "Counters | None":
    """Give the first of two looks, if one was asked for and could see anything; raises UsageError."""
    if options.sample is not None and options.previous is not None:
        raise UsageError("--sample looks twice now, --previous takes an earlier look: give one of them")
    if options.previous is not None:
        return previous(options.previous, options.timeout)
    return None if options.sample is None else _sampled(opened, options.sample, options.timeout)


def previous(path: str, timeout_s: float) -> "Counters | None":
    """Take the counters from a report, or from a recording's folder; raises UsageError."""
    from nodediag.facts import previous as previous_, restarts  # noqa: PLC0415 - only who asks for it pays

    if not own.is_folder(path):
        found = previous_.read(path, own.read_text("--previous", path))
        return None if isinstance(found, msgspec.UnsetType) else found
    opened = open_host(path, budget_s=timeout_s)
    try:
        if opened.host.seen.origin in RUNNING:
            raise UsageError(f"--previous {path}: wanted a report or a recording, found a running node")
        return restarts.look(opened.host)
    except (ReadError, ParseError) as error:
        raise UsageError(f"--previous {path}: it holds no counters: {error.reason.detail}") from error
    finally:
        opened.close()


def holds_counters(path: str) -> bool:
    """Tell whether a report that an earlier run kept is one from which rates can be made."""
    from nodediag.facts import previous as previous_  # noqa: PLC0415 - only who asks for it pays

    try:
        return previous_.read(path, own.read_text("--previous", path)) is not msgspec.UNSET
    except UsageError:
        return False


def _sampled(opened: Opened, seconds: float, timeout_s: float) -> "Counters | None":
    """Look once, and wait; the look that is judged comes after."""
    if opened.host.seen.origin not in RUNNING:
        raise UsageError("--sample looks at a running node twice; a folder or a recording holds the looks it holds")
    if seconds + _LEAST_LEFT_S > timeout_s:
        raise UsageError(f"--sample {seconds:g}s leaves too little of --timeout {timeout_s:g}s")
    from nodediag.facts import restarts  # noqa: PLC0415 - only who asks for it pays

    try:
        first = restarts.look(opened.host)
    except (ReadError, ParseError):  # the second look will say why
        return None
    time.sleep(seconds + _ROUNDING_S)
    opened.host.anew()
    opened.host.ahead(*ahead.ASKS)
    return first
