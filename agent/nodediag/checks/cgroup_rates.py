"""Who is held back or killed by limits: CPU time that quotas withhold, kills for memory, by pod and service."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.rates import TWO_LOOKS, judged, looks, share, values
from nodediag.checks.threshold import Measured, asked, held
from nodediag.facts.cgroup_counters import pod_of
from nodediag.facts.counters import NODE, Table
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Subject
from nodediag.model.reason import Code
from nodediag.profiles.profile import Profile, ThresholdRule

if TYPE_CHECKING:
    from nodediag.facts.rates import Change

_NEEDS: Final = f"{TWO_LOOKS}, /sys/fs/cgroup"
_KILLS: Final = "oom_kill"
_SERVICES: Final = "/system.slice/"


@check("rates.throttled-services", title="The node's own services get the CPU time they ask for", needs=_NEEDS)
def throttled_services(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A kubelet or runtime with a quota that is too small is late with everything, while CPUs stand idle."""
    yield from _throttled(facts, profile, "rates.throttled-services", services=True)


@check("rates.throttled-pods", title="Containers get the CPU time they ask for", needs=_NEEDS)
def throttled_pods(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A container at its CPU limit stands still for the rest of each period: it is slow, or its probes fail."""
    yield from _throttled(facts, profile, "rates.throttled-pods", services=False)


@check("rates.oom-kills", title="No process is killed for want of memory", needs=f"{_NEEDS}, /proc/vmstat")
def oom_kills(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The kernel kills within a pod that is over its limit, and anywhere when the node itself has no memory left."""
    asked(profile, "rates.oom-kills")
    (node,) = looks(facts, Table.MEMORY)
    left = node.of(_KILLS)
    unsure: NotKnownError | None = None
    try:
        for change in looks(facts, Table.OOM_KILLS):
            count = change.of(_KILLS)
            left -= count
            yield from held(profile, "rates.oom-kills", _killed(change, count, f"in the pod {_pod(facts, change)}"))
    except NotKnownError as error:
        unsure = None if error.reason.code is Code.ABSENT else error
    where = "on the node" if unsure is not None else "outside the cgroups of pods that are there now"
    yield from held(profile, "rates.oom-kills", _killed(node, max(0, left), where))
    if unsure is not None:
        raise unsure


def _killed(change: "Change", count: int, where: str) -> Measured:
    node = change.name == NODE
    return Measured(
        subject=Subject("node", "memory") if node else Subject("pod", change.name),
        value=count,
        message=f"within {change.seconds:.0f} s {count} processes were killed for want of memory, {where}",
        observed=str(count),
        values=values(change),
        evidence=change.lines_of(_KILLS),
    )


def _throttled(facts: Facts, profile: Profile, key: str, *, services: bool) -> Iterator[Problem]:
    asked(profile, key)
    try:
        yield from judged(facts, profile, key, Table.THROTTLING, partial(_share, facts, services))
    except NotKnownError as error:
        if error.reason.code is Code.ABSENT:
            raise NotApplicableError(error.reason.detail) from error
        raise


def _share(facts: Facts, services: bool, change: "Change", rule: ThresholdRule) -> Measured | None:  # noqa: FBT001 - bound
    periods = change.of("nr_periods")
    if (_SERVICES in change.name) is not services or periods < max(1, rule.minimum):
        return None
    found = share(change.of("nr_throttled"), periods)
    who = change.name.rpartition("/")[2] if services else f"a container of the pod {_pod(facts, change)}"
    return Measured(
        subject=Subject("cgroup", change.name),
        value=found,
        unit="% of its periods",
        message=f"{who} was held back by its CPU quota in {found:.0f} % of {periods} periods, within"
        f" {change.seconds:.0f} s",
        values=values(change),
        evidence=change.evidence,
    )


def _pod(facts: Facts, change: "Change") -> str:
    """Name a pod as the cluster does, where its folder of logs was seen; else by its uid."""
    uid = pod_of(change.name) or change.name
    return need(facts.counters).pods.get(uid, uid)


CHECKS: Final[tuple[Check, ...]] = (throttled_services, throttled_pods, oom_kills)
