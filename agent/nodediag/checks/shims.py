"""Are there shims of containerd whose pods are gone?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.threshold import asked, broken, requirement
from nodediag.facts.fact import NotKnownError, need
from nodediag.facts.shims import Left, Shim, Shims
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile, ThresholdRule

_NAMED: Final = 5
_KEY: Final = "runtime.shims"
_WORDS: Final = {Left.BUNDLE: "its bundle was removed", Left.PROCESS: "its first process has ended"}


@check(
    "runtime.shims",
    title="No shim is left of a pod that is gone",
    needs="the process list, and as root each shim's working folder (/proc/PID/cwd)",
)
def shims(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Each keeps memory and mounts of its pod, and its pod may hang in Terminating; containerd knows of it no more."""
    rule = asked(profile, _KEY)
    seen = need(facts.shims)
    if not seen.total:
        raise NotApplicableError("no shim of containerd runs here")
    if seen.left:
        yield _left(profile, rule, seen)
    if seen.unseen is not msgspec.UNSET:
        raise NotKnownError(seen.unseen)


def _left(profile: Profile, rule: ThresholdRule, seen: Shims) -> Problem:
    found = broken(rule, seen.left_total)
    who = ", ".join(_told(one) for one in seen.left[:_NAMED])
    return Problem(
        severity=found[0] if found is not None else Severity.INFO,
        subject=Subject("processes", "containerd-shim"),
        message=f"{seen.left_total} of {seen.total} shims are left of pods that are gone: {who}"
        f"{' and others' if seen.left_total > _NAMED else ''}",
        expected="none",
        observed=str(seen.left_total),
        values={"left": seen.left_total, "shims": seen.total, "pids": tuple(str(one.pid) for one in seen.left)},
        requirement=requirement(profile, _KEY, rule),
        remedy=rule.remedy,
        evidence=tuple(one.evidence for one in seen.left),
    )


def _told(one: Shim) -> str:
    return f"{one.pid} of {one.namespace}/{one.id[:12]} ({_WORDS[one.gone]})"


CHECKS: Final[tuple[Check, ...]] = (shims,)
