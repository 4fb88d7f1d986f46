"""How near are the kernel's limits: threads, open files, inotify, tracked connections, cgroups?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks import eviction
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.threshold import Measured, asked, held, requirement
from nodediag.facts.fact import Fact, NotKnownError, Unknown, known, need
from nodediag.facts.kubepods import Kubepods
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile, ThresholdRule

_SIGNAL: Final = "pid.available"
_MOST_MEMORY_CGROUPS: Final = 65_535  # MEM_CGROUP_ID_MAX in the kernel's include/linux/memcontrol.h
_PER_CENT: Final = 100


class _Use(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a limit is in use."""

    limit: str
    what: str
    used: int
    most: int
    evidence: tuple[Evidence, ...]

    @property
    def share(self) -> float:
        return self.used / self.most * _PER_CENT if self.most > 0 else float(_PER_CENT)


@check(
    "limits.pids",
    title="Threads and process ids are left",
    needs="/proc/loadavg, kernel.threads-max and kernel.pid_max, the pids controller's files of the kubepods cgroup",
)
def pids(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """When they run out nothing can be started, not even a shell to see why; the lowest of three limits bites first."""
    rule = asked(profile, "limits.pids")
    load, limits = need(facts.load), need(facts.pids)
    uses = [
        _threads(
            load.threads, "kernel.threads-max", limits.threads_max.most, limits.threads_max.evidence, load.evidence
        )
    ]
    if limits.pid_max is not msgspec.UNSET:
        uses.append(
            _threads(load.threads, "kernel.pid_max", limits.pid_max.most, limits.pid_max.evidence, load.evidence)
        )
    pods = known(facts.kubepods)
    if pods is not None and pods.pids_max is not msgspec.UNSET:
        lines = tuple(pods.evidence[name] for name in ("pids.current", "pids.max"))
        uses.append(
            _Use(
                limit=f"{pods.path}/pids.max", what="pods' threads", used=pods.pids, most=pods.pids_max, evidence=lines
            )
        )
    nearest = max(uses, key=lambda use: use.share)
    unsure = _unsure(facts, limits.pid_max_reason)
    try:
        thresholds = eviction.thresholds(facts, profile, _SIGNAL)
    except NotKnownError as error:
        thresholds, unsure = (), unsure or error
    yield from _pids(profile, rule, nearest, uses, thresholds)
    if unsure is not None:
        raise unsure


@check("limits.files", title="File handles are left", needs="/proc/sys/fs/file-nr")
def files(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """At the limit no process but root's can open a file or a connection."""
    asked(profile, "limits.files")
    seen = need(facts.file_handles)
    use = _Use(limit="fs.file-max", what="file handles", used=seen.allocated, most=seen.most, evidence=(seen.evidence,))
    yield from _judge(profile, "limits.files", use)


@check(
    "limits.conntrack",
    title="The table of tracked connections has room",
    needs="/proc/1/net/stat/nf_conntrack, nf_conntrack_max",
)
def conntrack(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """When it is full the kernel drops the first packet of each new connection: services fail, first now and then."""
    asked(profile, "limits.conntrack")
    seen = need(facts.conntrack)
    if not seen.tracked:
        raise NotApplicableError("this kernel tracks no connections")
    use = _Use(
        limit="net.netfilter.nf_conntrack_max", what="tracked connections", used=seen.entries, most=seen.most,
        evidence=seen.evidence,
    )  # fmt: skip
    yield from _judge(profile, "limits.conntrack", use)


@check(
    "limits.inotify",
    title="Users may have as many inotify instances and watches as a node needs",
    needs="/proc/sys/fs/inotify",
)
def inotify(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """All containers of a user share them; where they are few, `too many open files` comes from a watch, not a file."""
    rules = {name: profile.thresholds.get(f"limits.inotify.{name}") for name in ("instances", "watches")}
    if not any(rules.values()):
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    seen = need(facts.inotify)
    for name, limit in (("instances", seen.instances), ("watches", seen.watches)):
        rule = rules[name]
        if rule is not None and rule.least is not msgspec.UNSET and limit.most < rule.least:
            yield Problem(
                severity=Severity.WARNING,
                subject=Subject("limit", f"fs.inotify.max_user_{name}"),
                message=f"a user may have {limit.most} inotify {name}, fewer than {rule.least:g}",
                expected=f"at least {rule.least:g}",
                observed=str(limit.most),
                values={"most": limit.most, "least": rule.least},
                requirement=requirement(profile, f"limits.inotify.{name}", rule),
                remedy=rule.remedy,
                evidence=(limit.evidence,),
            )


@check(
    "limits.cgroups",
    title="There are not too many cgroups, living or dying",
    needs="/sys/fs/cgroup/cgroup.stat, or /proc/cgroups",
)
def cgroups(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Removed cgroups that are still charged for pages keep memory and make every look at statistics slower."""
    asked(profile, "limits.cgroups")
    seen = need(facts.kubepods)
    if seen.cgroups is msgspec.UNSET:
        path = "/sys/fs/cgroup/cgroup.stat"
        raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=f"{path} does not tell their number", needs=path))
    use = _Use(
        limit="memory cgroups", what="cgroups", used=seen.cgroups, most=_MOST_MEMORY_CGROUPS,
        evidence=(seen.evidence["nr_descendants"],),
    )  # fmt: skip
    yield from _judge(profile, "limits.cgroups", use)
    if "limits.dying-cgroups" in profile.thresholds and seen.dying is not msgspec.UNSET:
        yield from _dying(profile, seen.dying, seen)


def _threads(used: int, limit: str, most: int, *evidence: Evidence) -> _Use:
    return _Use(limit=limit, what="threads", used=used, most=most, evidence=evidence)


def _unsure(facts: Facts, pid_max: Reason | msgspec.UnsetType) -> NotKnownError | None:
    """Give why one of the limits on threads was not seen; what a node does not have is no limit."""
    if pid_max is not msgspec.UNSET:
        return NotKnownError(pid_max)
    pods: Fact[Kubepods] = facts.kubepods
    if isinstance(pods, Unknown) and pods.reason.code is not Code.ABSENT:
        return NotKnownError(pods.reason)
    return None


def _pids(
    profile: Profile, rule: ThresholdRule, nearest: _Use, uses: list[_Use], thresholds: tuple[eviction.Threshold, ...]
) -> Iterator[Problem]:
    """Hold threads against the kubelet's threshold, of what the kernel's limits leave, then the nearest limit."""
    lowest = min((use for use in uses if use.what == "threads"), key=lambda use: use.most)
    left = max(0, lowest.most - lowest.used)
    below = [threshold for threshold in thresholds if left < threshold.of(lowest.most)]
    if not below:
        yield from _judge(profile, "limits.pids", nearest)
        return
    threshold = below[0]
    yield Problem(
        severity=threshold.severity,
        subject=Subject("limit", lowest.limit),
        message=f"{lowest.used} threads of {lowest.most} ({lowest.limit}) are in use; the kubelet evicts pods where"
        f" {_SIGNAL} is below {threshold.text}, by {threshold.told_by}",
        expected=f"at least {threshold.of(lowest.most)} left",
        observed=f"{left} left",
        values={"used": lowest.used, "most": lowest.most, "signal": _SIGNAL, "threshold": threshold.text},
        requirement=threshold.requirement,
        remedy=rule.remedy,
        evidence=(*lowest.evidence, *threshold.evidence),
    )


def _judge(profile: Profile, key: str, use: _Use) -> Iterator[Problem]:
    measured = Measured(
        subject=Subject("limit", use.limit),
        value=use.share,
        unit="% in use",
        message=f"{use.used} {use.what} of {use.most} ({use.limit}) are in use: {use.share:.1f} %",
        values={"used": use.used, "most": use.most},
        evidence=use.evidence,
    )
    yield from held(profile, key, measured)


def _dying(profile: Profile, dying: int, seen: Kubepods) -> Iterator[Problem]:
    measured = Measured(
        subject=Subject("cgroups", "dying"),
        value=dying,
        message=f"{dying} cgroups were removed and are not gone, beside {seen.cgroups} that live",
        observed=str(dying),
        values={"dying": dying},
        evidence=(seen.evidence["nr_dying_descendants"],),
    )
    yield from held(profile, "limits.dying-cgroups", measured)


CHECKS: Final[tuple[Check, ...]] = (pids, files, conntrack, inotify, cgroups)
