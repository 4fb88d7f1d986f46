"""containerd's configuration: would it start with it, does it say what is deprecated, do the cgroup drivers agree?"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from nodediag.checks import state
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.kubelet import EndpointFrom, Kubelet
from nodediag.facts.runtime import ContainerdConfig, Setting
from nodediag.facts.snapshot import Facts
from nodediag.host.answer import CriAnswer
from nodediag.images import told
from nodediag.images.gke import kubelet_release
from nodediag.images.version import numbers
from nodediag.model.evidence import Evidence, FileEvidence, PathEvidence
from nodediag.model.image import RuntimeName
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import DeprecatedKeyRule, Profile

_CONFIG: Final = "runtime.config"
_DRIVER: Final = "runtime.cgroup-driver"
_NEEDS: Final = "/etc/containerd/config.toml, or what containerd's --config names, and what that imports"
_PACKAGES: Final = frozenset({"containerd", "containerd.io"})
_DRIVER_FROM_CRI: Final = ((1, 31), (2, 0))  # since when a kubelet asks for the driver, and containerd tells it
_UNSET: Final = frozenset({"", "false"})  # as `containerd config default` writes what is not used
_MODERN: Final = 3  # the first version of the file that containerd 1 does not read


@check(
    "runtime.config", title="The configuration is one that containerd starts with and heeds as a whole", needs=_NEEDS
)
def config(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """It is read when containerd starts: one that is wrong does no harm before the next restart, and stops it then."""
    found = of_kubelet(facts)
    rule = state.asked(facts, profile, _CONFIG)
    for one in found.broken:
        yield rule.broken(
            Problem(
                severity=Severity.WARNING,
                subject=Subject("path", one.path),
                message=f"containerd will not start again: {one.why}",
                expected="a configuration that containerd can read",
                observed=one.evidence.text or "nothing",
                evidence=(one.evidence,),
            )
        )
    if found.passed_over:
        first = found.passed_over[0]
        yield rule.broken(
            Problem(
                severity=Severity.WARNING,
                subject=Subject("path", first.path),
                message=f"containerd passes over {len(found.passed_over)} lines of {first.path}: a file of version"
                f" {found.version} configures the CRI plugin by other names",
                expected='[plugins."io.containerd.cri.v1.runtime"] and [plugins."io.containerd.cri.v1.images"]',
                observed=first.text,
                values={"version": found.version},
                evidence=found.passed_over,
            )
        )
    if found.incomplete is not msgspec.UNSET and not found.broken:
        raise NotKnownError(found.incomplete)


@check("runtime.config-deprecated", title="Nothing in the configuration of containerd is deprecated", needs=_NEEDS)
def deprecated(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Containerd 2 has dropped some of it and will drop more: GKE stops upgrades of nodes that depend on it."""
    found = of_kubelet(facts)
    if not profile.deprecated_keys:
        raise NotApplicableError(f"the profile {profile.name} asks nothing of it")
    version = version_of(facts)
    own = [pattern for rule in profile.own_keys for pattern in rule.keys]
    for name, rule in profile.deprecated_keys.items():
        if not _told(rule, version):
            continue
        used = [
            setting
            for setting in found.settings
            if set(setting.values) - _UNSET and any(_matching(setting, rule.keys)) and not all(_matching(setting, own))
        ]
        if used:
            yield _deprecated(profile, name, rule, used, version)
    if found.incomplete is not msgspec.UNSET:
        raise NotKnownError(found.incomplete)


@check(
    "runtime.cgroup-driver",
    title="The kubelet and containerd make cgroups in one way, which is right for this node",
    needs=f"{_NEEDS}; the kubelet's command line and --config file; the mounts of cgroup file systems",
)
def cgroup_driver(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """With two drivers no container starts, or pods escape their limits; on cgroup version 2 it must be systemd."""
    found = of_kubelet(facts)
    rule = state.asked(facts, profile, _DRIVER)
    driver, setting = _runtime_driver(found)
    answer = _answer(facts)
    if answer is not None and answer.cgroup_driver:  # what it does, whatever the file says by now
        driver = answer.cgroup_driver
    elif found.incomplete is not msgspec.UNSET:
        raise NotKnownError(found.incomplete)
    kubelet, cgroups = need(facts.kubelet), need(facts.cgroups)
    evidence: Evidence = _absent(found) if setting is None else setting.evidence
    theirs = _kubelet_driver(facts, kubelet, driver)
    if theirs != driver:
        yield rule.broken(
            Problem(
                severity=Severity.CRITICAL if driver == "systemd" else Severity.WARNING,
                subject=Subject("cgroup-driver", "kubelet"),
                message=f"containerd makes cgroups by the driver {driver}, the kubelet by {theirs}",
                expected=f"cgroupDriver: {driver}",
                observed=f"cgroupDriver: {theirs}",
                values={"runtime": driver, "kubelet": theirs},
                evidence=(evidence, *kubelet.evidence[:1]),
            )
        )
    word = f"v{cgroups.version} {driver}"
    if not rule.fits(word):
        yield rule.broken(
            Problem(
                severity=Severity.WARNING,
                subject=Subject("cgroup-driver", "containerd"),
                message=f"containerd makes cgroups by the driver {driver}, on a node with cgroup version"
                f" {cgroups.version}, where systemd is the one that manages them",
                expected="SystemdCgroup = true",
                observed=f"SystemdCgroup = {str(driver == 'systemd').lower()}",
                values={"runtime": driver, "cgroup_version": cgroups.version},
                evidence=(evidence, cgroups.evidence),
            )
        )


def of_kubelet(facts: Facts) -> ContainerdConfig:
    """Give the configuration of the containerd that runs this node's pods."""
    image = need(facts.image)
    if image.runtime is RuntimeName.UNKNOWN:
        raise NotKnownError(image.open["runtime"])
    if image.runtime is not RuntimeName.CONTAINERD:
        raise NotApplicableError(f"the kubelet's container runtime here is {image.runtime}, not containerd")
    return need(facts.containerd_config)


def version_of(facts: Facts) -> str:
    """Give containerd's version as it says itself, or as packages or the node's object tell it; empty short of that."""
    answer = _answer(facts)
    if answer is not None:
        return answer.version
    packages, theirs = known(facts.packages), told.node_object(facts)
    for package in packages.installed if packages is not None else ():
        if package.name in _PACKAGES:
            return package.version
    name, version = theirs.runtime if theirs is not None else (RuntimeName.UNKNOWN, "")
    return version if name is RuntimeName.CONTAINERD else ""


def _answer(facts: Facts) -> CriAnswer | None:
    seen = known(facts.cri)
    return None if seen is None or seen.answer is msgspec.UNSET else seen.answer


def _told(rule: DeprecatedKeyRule, version: str) -> bool:
    """Tell whether a key is deprecated in this version already; every node's is later than most of them."""
    release = numbers(version)
    return release >= numbers(rule.since) if release else not rule.needs_version


def _matching(setting: Setting, patterns: Sequence[str]) -> list[bool]:
    """Tell of each value of a setting whether a `key` or `key=value` stands for it, in both with `*` for anything."""
    whole = [pattern if "=" in pattern else f"{pattern}=*" for pattern in patterns]
    words = [f"{setting.key}={value}" for value in setting.values]
    return [any(fnmatchcase(word, pattern) for pattern in whole) for word in words]


def _deprecated(profile: Profile, name: str, rule: DeprecatedKeyRule, used: list[Setting], version: str) -> Problem:
    keys = ", ".join(dict.fromkeys(setting.key for setting in used[:3]))
    gone = bool(numbers(version)) and numbers(version) >= numbers(rule.ends)
    when = f"containerd {rule.ends} has dropped it, and this node's is {version}" if gone else f"{rule.ends} drops it"
    return Problem(
        severity=Severity.WARNING if rule.severity is msgspec.UNSET else rule.severity,
        subject=Subject("key", name),
        message=f"{rule.condition}: containerd's configuration sets {keys}, deprecated since containerd {rule.since};"
        f" {when}",
        expected=f"no {name}",
        observed=used[0].evidence.text,
        values={"condition": rule.condition, "since": rule.since, "ends": rule.ends, "containerd": version},
        requirement=Requirement(profile=profile.name, key=f"deprecated_keys.{name}", why=rule.why, source=rule.source),
        remedy=rule.remedy,
        evidence=tuple(dict.fromkeys(setting.evidence for setting in used)),
    )


def _runtime_driver(found: ContainerdConfig) -> tuple[str, Setting | None]:
    """Give the driver of the runtime that pods get, and where it is said; runc's own default is cgroupfs."""
    name = found.value("cri.containerd.default_runtime_name", "runc")
    kind = found.value(f"cri.containerd.runtimes.{name}.runtime_type", "io.containerd.runc.v2")
    if not kind.startswith("io.containerd.runc."):
        raise NotApplicableError(f"pods get the runtime {kind}, which has cgroups of its own")
    setting = found.get(f"cri.containerd.runtimes.{name}.options.SystemdCgroup") or found.get("cri.systemd_cgroup")
    return "systemd" if setting is not None and setting.value == "true" else "cgroupfs", setting


def _kubelet_driver(facts: Facts, kubelet: Kubelet, runtimes: str) -> str:
    """Give the kubelet's driver; a newer one asks a newer containerd and needs none of its own."""
    if kubelet.endpoint_from is EndpointFrom.UNREAD or kubelet.config_reason is not msgspec.UNSET:
        unread = Reason(code=Code.NOT_CAPTURED, detail="the kubelet's configuration was not read")
        raise NotKnownError(unread if kubelet.config_reason is msgspec.UNSET else kubelet.config_reason)
    own = kubelet.cgroup_driver or "cgroupfs"
    asks_since, tells_since = _DRIVER_FROM_CRI
    release, version, found = kubelet_release(kubelet), numbers(version_of(facts)), need(facts.containerd_config)
    if own == runtimes or release is None or release < asks_since:
        return own
    if found.version >= _MODERN or version >= tells_since:
        return runtimes
    if version:
        return own
    detail = "a kubelet of 1.31 or later takes the driver that containerd 2 tells it; containerd's version is not known"
    raise NotKnownError(Reason(code=Code.NOT_CAPTURED, detail=detail, needs="containerd's version (--node-object)"))


def _absent(found: ContainerdConfig) -> Evidence:
    """Give as evidence that nothing is said: the file, or that there is none."""
    if found.present:
        return FileEvidence(path=found.path, line=0, text="SystemdCgroup is not set")
    return PathEvidence(path=found.path, type="absent")


CHECKS: Final[tuple[Check, ...]] = (config, deprecated, cgroup_driver)
