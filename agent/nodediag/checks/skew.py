"""Do the kubelet, its runtime and the kernel fit together, as those who make them say?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.snapshot import Facts
from nodediag.images import told
from nodediag.images.version import numbers, parse_version
from nodediag.model.evidence import Evidence
from nodediag.model.image import RuntimeName
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile, SkewRule

_KERNEL: Final = "kernel"
_CGROUP_2: Final = 2
_BRANCH: Final = 2
_GRAVEST: Final = tuple(Severity)
_NEEDS: Final = (
    "the kubelet's --version flag and the runtime's own word (its socket, and the extra `cri`), its package, or the"
    " node's object (--node-object FILE)"
)


@check("kubelet.version-skew", title="The kubelet, its runtime and the kernel fit together", needs=_NEEDS)
def version_skew(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """What was never tested together fails in ways nobody has seen; some pairs cannot speak with each other at all.

    Which build of COS belongs to which version of GKE is another question: `image.version-map`.
    """
    if not profile.skew:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    if not need(facts.kubelet).running:
        raise NotApplicableError("no kubelet runs here")
    kubelet = told.kubelet_version(facts)
    version = None if kubelet is None else parse_version(kubelet[0])
    if kubelet is None or version is None:
        raise NotKnownError(_lacking("the kubelet's version is not known"))
    rules = {name: rule for name, rule in profile.skew.items() if _covers(rule, version[:_BRANCH], facts)}
    judged: set[str] = set()
    for name, rule in sorted(rules.items(), key=lambda pair: _GRAVEST.index(pair[1].severity)):
        found = _found(facts, rule.of)
        if found is None:
            raise NotKnownError(_lacking(f"the version of {rule.of} is not known"))
        if rule.of not in judged and _is_older(found[0], rule.least):
            judged.add(rule.of)
            yield _problem(profile, name, rule, kubelet, found)


def _covers(rule: SkewRule, kubelet: tuple[int, ...], facts: Facts) -> bool:
    """Tell whether a rule is of this kubelet, and of what this node has."""
    since, until = numbers(rule.since), numbers(rule.until)
    if (since and kubelet < since) or (until and kubelet > until):
        return False
    if rule.of == _KERNEL:
        return need(facts.cgroups).version == _CGROUP_2 if rule.with_cgroup_2 else True
    return need(facts.image).runtime is RuntimeName(rule.of)


def _found(facts: Facts, of: str) -> tuple[str, Evidence] | None:
    if of == _KERNEL:
        kernel = need(facts.kernel)
        return kernel.release, kernel.evidence
    packages, theirs, seen = known(facts.packages), told.node_object(facts), known(facts.cri)
    if seen is not None and seen.answer is not msgspec.UNSET and seen.answer.name == of and seen.answer.version:
        return seen.answer.version, seen.evidence("Version", seen.answer.version)
    for one in packages.installed if packages is not None else ():
        if one.name in {of, f"{of}.io", f"{of}-ce"}:
            return one.version, one.evidence
    if theirs is not None and theirs.runtime[0].value == of and theirs.runtime[1]:
        return theirs.runtime[1], theirs.info_evidence("containerRuntimeVersion")
    return None


def _is_older(version: str, least: tuple[str, ...]) -> bool:
    """Tell a version below the least of its own branch, or of a branch older than all that are named."""
    ours = numbers(version)
    named = {numbers(one)[:_BRANCH]: numbers(one) for one in least}
    branch = ours[:_BRANCH]
    return ours < named[branch] if branch in named else branch < min(named)


def _problem(
    profile: Profile, name: str, rule: SkewRule, kubelet: tuple[str, Evidence], found: tuple[str, Evidence]
) -> Problem:
    wanted = " or ".join(f"{one}+" for one in rule.least)
    return Problem(
        severity=rule.severity,
        subject=Subject("version", rule.of),
        message=f"{rule.of} {found[0]} is older than what the kubelet {kubelet[0]} is meant to run with: {wanted}",
        expected=wanted,
        observed=found[0],
        values={"kubelet": kubelet[0], rule.of: found[0]},
        requirement=Requirement(profile=profile.name, key=f"skew.{name}", why=rule.why, source=rule.source),
        remedy=rule.remedy,
        evidence=(found[1], kubelet[1]),
    )


def _lacking(detail: str) -> Reason:
    return Reason(code=Code.NOT_CAPTURED, detail=detail, needs=_NEEDS)


CHECKS: Final[tuple[Check, ...]] = (version_skew,)
