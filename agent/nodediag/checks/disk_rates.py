"""Do the disks answer, and how fast? By whole disk, from two looks at /proc/diskstats."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from nodediag.checks.check import Check, check
from nodediag.checks.rates import TWO_LOOKS, judged, values
from nodediag.checks.threshold import Measured, spared
from nodediag.facts.counters import Table
from nodediag.facts.fact import known, need
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Subject
from nodediag.profiles.profile import Profile, ThresholdRule

if TYPE_CHECKING:
    from nodediag.facts.rates import Change

_NEEDS: Final = f"{TWO_LOOKS}, /proc/diskstats, /sys/class/block"
_MILLISECONDS: Final = 1000
_PARTS: Final = frozenset({"part", "dm", "raid"})

_Of: TypeAlias = "Callable[[Change, ThresholdRule, str], Measured | None]"


@check("rates.disk-latency", title="Disks answer without delay", needs=_NEEDS)
def latency(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A slow boot disk stalls containerd and the kubelet; pods are then reported dead that are only waited for."""
    yield from _of_disks(facts, profile, "rates.disk-latency", _latency)


@check("rates.disk-queue", title="Requests do not pile up before a disk", needs=_NEEDS)
def queue(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A long queue means that the disk, or what the cloud allows it, is at its limit: all who use it wait in line."""
    yield from _of_disks(facts, profile, "rates.disk-queue", _queue)


@check("rates.disk-stuck", title="No disk has stopped to answer", needs=_NEEDS)
def stuck(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Where requests are under way at both looks and none was finished in between, the disk does not answer."""
    yield from _of_disks(facts, profile, "rates.disk-stuck", _stuck)


def _of_disks(facts: Facts, profile: Profile, key: str, measure: _Of) -> Iterator[Problem]:
    yield from judged(facts, profile, key, Table.DISKS, partial(_whole, facts, measure))


def _whole(facts: Facts, measure: _Of, change: "Change", rule: ThresholdRule) -> Measured | None:
    """Leave partitions, and what device-mapper and RAID make of disks, to their disks."""
    if spared(rule, change.name):
        return None
    disk = need(facts.partitions).named(change.name)
    if disk is None or disk.kind in _PARTS:
        return None
    disks = known(facts.disks)
    boot = disks is not None and disks.boot_disk == change.name
    return measure(change, rule, f"the boot disk {change.name}" if boot else f"the disk {change.name}")


def _latency(change: "Change", rule: ThresholdRule, name: str) -> Measured | None:
    told = []
    for kind, count, took in (("read", "reads", "read_ms"), ("write", "writes", "write_ms")):
        number = change.of(count)
        if number >= max(1, rule.minimum):
            told.append((change.of(took) / number, kind, number))
    if not told:
        return None
    each, kind, number = max(told)
    return Measured(
        subject=Subject("disk", change.name),
        value=each,
        unit="ms",
        message=f"a {kind} of {name} took {each:.0f} ms on average, of {number} within {change.seconds:.0f} s;"
        f" {_use(change)}",
        values=values(change),
        evidence=change.evidence,
    )


def _queue(change: "Change", _rule: ThresholdRule, name: str) -> Measured:
    waiting = change.each_second("queue_ms") / _MILLISECONDS
    return Measured(
        subject=Subject("disk", change.name),
        value=waiting,
        unit="requests under way",
        message=f"{name} had {waiting:.1f} requests under way on average, for {change.seconds:.0f} s; {_use(change)}",
        values=values(change),
        evidence=change.evidence,
    )


def _stuck(change: "Change", _rule: ThresholdRule, name: str) -> Measured:
    under_way = min(change.earlier.values.get("in_flight", 0), change.later.values.get("in_flight", 0))
    waits = change.seconds if under_way and not change.of("reads", "writes") else 0.0
    return Measured(
        subject=Subject("disk", change.name),
        value=waits,
        unit="s",
        message=f"{name} has finished no request for {waits:.0f} s, while {under_way} were under way at both ends",
        values=values(change, in_flight=change.later.values.get("in_flight", 0)),
        evidence=change.evidence,
    )


def _use(change: "Change") -> str:
    busy = min(100.0, change.each_second("busy_ms") / _MILLISECONDS * 100)
    return f"it was busy {busy:.0f} % of the time, {change.later.values.get('in_flight', 0)} requests are under way"


CHECKS: Final[tuple[Check, ...]] = (latency, queue, stuck)
