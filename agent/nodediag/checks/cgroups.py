"""Does the cgroup version fit the image?"""

from collections.abc import Iterator
from typing import Final

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.state import covers
from nodediag.facts.cmdline import Cmdline
from nodediag.facts.fact import known, need
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.profiles.profile import Profile

_ASKED_V1: Final = frozenset({"0", "false", "no", "off", "n", "f"})  # as systemd reads them; the bare word is yes


@check(
    "cgroups.version",
    title="The cgroup version is the one the image starts with",
    needs="PID 1's mount table, os-release and /proc/cmdline",
)
def version(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Kubelet, runtime and agents are set up for one version; under the other, limits do not hold."""
    if not profile.cgroup:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    release = need(facts.os_release).fields.get("VERSION_ID", "")
    rule = next((rule for rule in profile.cgroup if covers(rule.since, rule.until, release)), None)
    if rule is None:
        raise NotApplicableError(f"images of release {release or 'unknown'} start with either version")
    cgroups, cmdline = need(facts.cgroups), known(facts.cmdline)
    wanted = _asked(cmdline) or rule.version
    if cgroups.version != wanted:
        need(facts.cmdline)  # GKE keeps a pool on the other version by it
        evidence = (cgroups.evidence, need(facts.os_release).evidence("VERSION_ID"))
        yield Problem(
            severity=Severity.WARNING,
            subject=Subject("cgroup", "version"),
            message=f"the node has cgroup version {cgroups.version} ({cgroups.mode.value}); its release, {release},"
            f" {'was told on the kernel command line to use' if wanted != rule.version else 'starts with'} {wanted}",
            expected=f"v{wanted}",
            observed=f"v{cgroups.version} ({cgroups.mode.value})",
            values={"version": cgroups.version, "wanted": wanted},
            requirement=Requirement(profile=profile.name, key="cgroup", why=rule.why, source=rule.source),
            remedy=rule.remedy,
            evidence=(*evidence, *((cmdline.evidence,) if cmdline is not None else ())),
        )


def _asked(cmdline: Cmdline | None) -> int:
    """Give the version that the command line asks systemd for, 0 where it asks for none."""
    if cmdline is None or not cmdline.has("systemd.unified_cgroup_hierarchy"):
        return 2 if cmdline is not None and cmdline.last("cgroup_no_v1") == "all" else 0
    return 1 if cmdline.last("systemd.unified_cgroup_hierarchy").lower() in _ASKED_V1 else 2


CHECKS: Final[tuple[Check, ...]] = (version,)
