"""Is anything lost on the node: by interfaces, the backlog of CPUs, connection tracking, listening sockets?"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.rates import TWO_LOOKS, judged, share, values
from nodediag.checks.threshold import Measured, asked
from nodediag.facts.counters import Table
from nodediag.facts.fact import known
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Subject
from nodediag.profiles.profile import Profile, ThresholdRule

if TYPE_CHECKING:
    from nodediag.facts.rates import Change

_INTERFACES: Final = f"{TWO_LOOKS}, /proc/1/net/dev"


@check("rates.interface-errors", title="Interfaces receive and send without errors", needs=_INTERFACES)
def errors(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Damaged frames are sent again: connections become slow, and some break."""
    yield from judged(facts, profile, "rates.interface-errors", Table.INTERFACES, partial(_lost, "errors"))


@check("rates.interface-drops", title="Interfaces drop no packets", needs=_INTERFACES)
def drops(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Full rings and queues drop packets; DNS over UDP feels it first."""
    yield from judged(facts, profile, "rates.interface-drops", Table.INTERFACES, partial(_lost, "drops"))


@check("rates.packet-backlog", title="CPUs keep up with the packets", needs=f"{TWO_LOOKS}, /proc/1/net/softnet_stat")
def backlog(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A packet that finds its CPU's backlog full is dropped, whichever interface it came from."""
    message = "{} packets a second were dropped since the backlog of their CPU was full"
    one = partial(_each_second, ("dropped",), Subject("network", "backlog"), message)
    yield from judged(facts, profile, "rates.packet-backlog", Table.BACKLOG, one)


@check(
    "rates.conntrack-drops",
    title="Connection tracking drops no packets",
    needs=f"{TWO_LOOKS}, /proc/1/net/stat/nf_conntrack",
)
def conntrack(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A full table, or two packets that race for one entry: the second is dropped, and a lookup in DNS waits 5 s."""
    asked(profile, "rates.conntrack-drops")
    tracked = known(facts.conntrack)
    if tracked is not None and not tracked.tracked:
        raise NotApplicableError("this kernel tracks no connections")
    message = "{} packets a second were dropped by connection tracking"
    names = ("drop", "insert_failed", "early_drop")
    one = partial(_each_second, names, Subject("network", "conntrack"), message)
    yield from judged(facts, profile, "rates.conntrack-drops", Table.CONNTRACK, one)


@check(
    "rates.listen-overflows",
    title="The node's servers accept connections as fast as they come",
    needs=f"{TWO_LOOKS}, /proc/1/net/netstat",
)
def listen(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A server that does not keep up lets its queue overflow, and the kernel drops who comes next."""
    message = "{} connections a second were dropped since a server's queue was full"
    one = partial(_each_second, ("ListenOverflows",), Subject("network", "listen"), message)
    yield from judged(facts, profile, "rates.listen-overflows", Table.TCP, one)


def _lost(what: str, change: "Change", rule: ThresholdRule) -> Measured | None:
    """Take the worse of the two directions, of as many packets as the rule wants at least."""
    told = []
    for way, word in (("rx", "received"), ("tx", "sent")):
        packets, lost = change.of(f"{way}_packets"), change.of(f"{way}_{what}")
        if packets + lost >= max(1, rule.minimum):
            told.append((share(lost, packets + lost), word, lost))
    if not told:
        return None
    found, word, lost = max(told)
    return Measured(
        subject=Subject("interface", change.name),
        value=found,
        unit="% of the packets",
        message=f"{change.name} had {lost} {what} within {change.seconds:.0f} s, {found:.1f} % of the packets {word}",
        values=values(change),
        evidence=change.evidence,
    )


def _each_second(
    names: tuple[str, ...], subject: Subject, message: str, change: "Change", _rule: ThresholdRule
) -> Measured:
    found = change.each_second(*names)
    return Measured(
        subject=subject,
        value=found,
        unit="a second",
        message=message.format(f"{found:.1f}"),
        values=values(change),
        evidence=change.evidence,
    )


CHECKS: Final[tuple[Check, ...]] = (errors, drops, backlog, conntrack, listen)
