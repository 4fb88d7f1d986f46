"""Is there memory left, and does the kubelet stand the swap there is?"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks import eviction
from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.threshold import Measured, asked, held, requirement
from nodediag.facts import quantity
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.kubelet import Kubelet
from nodediag.facts.kubelet_config import Told
from nodediag.facts.memory import Memory
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile, ThresholdRule

_NEEDS: Final = "/proc/meminfo, the kubelet's command line and --config file"
_SIGNAL: Final = "memory.available"
_LINES: Final = ("MemTotal", "MemAvailable", "MemFree", "Inactive(file)")


@check("memory.available", title="There is memory left, more than the kubelet evicts pods for", needs=_NEEDS)
def available(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Below its threshold the kubelet evicts pods; where it is too slow, the kernel kills what it likes."""
    rule = asked(profile, "memory.available")
    memory = need(facts.memory)
    try:
        thresholds, unsure = eviction.thresholds(facts, profile, _SIGNAL), None
    except NotKnownError as error:
        thresholds, unsure = (), error
    left = min(memory.available_bytes, memory.beyond_working_set_bytes)
    below = [threshold for threshold in thresholds if left < threshold.of(memory.total_bytes)]
    if below:
        yield _evicted(facts, rule, memory, below[0])
    else:
        yield from _scarce(profile, memory)
    if unsure is not None:
        raise unsure


@check("memory.swap", title="There is no swap, or the kubelet was told to stand it", needs=f"{_NEEDS}, /proc/swaps")
def swap(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A kubelet that was not told otherwise refuses to start while swap is on: the node is lost at its next restart."""
    rule = asked(profile, "memory.swap")
    kubelet = need(facts.kubelet)
    if not kubelet.running:
        raise NotApplicableError("no kubelet runs here")
    memory = need(facts.memory)
    if not memory.swap_total_bytes:
        return
    if kubelet.settings_reason is not msgspec.UNSET:
        raise NotKnownError(kubelet.settings_reason)
    if kubelet.settings is not msgspec.UNSET and kubelet.settings.fail_swap_on:
        yield Problem(
            severity=Severity.WARNING,
            subject=Subject("swap", "all"),
            message=f"{quantity.size(memory.swap_total_bytes)} of swap are on ({', '.join(memory.swaps) or 'unnamed'});"
            " this kubelet does not start with swap on",
            expected="no swap, or failSwapOn: false",
            observed=f"{memory.swap_total_bytes} bytes of swap, failSwapOn true",
            values={
                "swap_total_bytes": memory.swap_total_bytes,
                "swap_free_bytes": memory.swap_free_bytes,
                "swaps": memory.swaps,
            },
            requirement=requirement(profile, "memory.swap", rule),
            remedy=rule.remedy,
            evidence=(memory.evidence["SwapTotal"], *_flags(kubelet)),
        )


@check(
    "memory.reserved",
    title="What the node itself uses fits in what the kubelet reserves for it",
    needs=f"{_NEEDS}, the memory controller's files of the kubepods cgroup",
)
def reserved(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Pods may use all but the reservations; what the node's own daemons use beyond those was promised to pods."""
    rule = asked(profile, "memory.reserved")
    kubelet = need(facts.kubelet)
    if not kubelet.running:
        raise NotApplicableError("no kubelet runs here")
    if kubelet.settings_reason is not msgspec.UNSET:
        raise NotKnownError(kubelet.settings_reason)
    kept = _kept(kubelet)
    if not kept:
        raise NotApplicableError("this kubelet was told to reserve no memory")
    memory, pods = need(facts.memory), need(facts.kubepods)
    if not pods.path:
        raise NotApplicableError("no pod has run here")
    most = sum(quantity.amount(told.value) for told in kept.values())
    used = memory.total_bytes - memory.available_bytes - memory.hugetlb_bytes - pods.working_set_bytes
    if used > most:
        words = ", ".join(f"{name} {told.value}" for name, told in kept.items())
        yield Problem(
            severity=Severity.WARNING,
            subject=Subject("memory", "system"),
            message=f"the node itself uses {quantity.size(used)} of memory, beside its pods; {words} are reserved",
            expected=f"at most {quantity.size(most)}",
            observed=quantity.size(used),
            values={
                **_values(memory),
                "used_bytes": used,
                "reserved_bytes": most,
                "pods_bytes": pods.working_set_bytes,
            },
            requirement=requirement(profile, "memory.reserved", rule),
            remedy=rule.remedy,
            evidence=(*_lines(memory), pods.evidence["memory"], *(told.evidence for told in kept.values())),
        )


def _kept(kubelet: Kubelet) -> dict[str, Told]:
    if kubelet.settings is msgspec.UNSET:
        return {}
    return {name: told for name, told in kubelet.settings.reserved.items() if name.endswith(".memory")}


def _flags(kubelet: Kubelet) -> tuple[Evidence, ...]:
    return kubelet.flag_evidence("fail-swap-on") if "fail-swap-on" in kubelet.flags else ()


def _evicted(facts: Facts, rule: ThresholdRule, memory: Memory, threshold: eviction.Threshold) -> Problem:
    least = threshold.of(memory.total_bytes)
    kept = _reserved(facts)
    return Problem(
        severity=threshold.severity,
        subject=Subject("memory", "node"),
        message=f"{_left(memory)}; the kubelet evicts pods where {_SIGNAL} is below {threshold.text}, by"
        f" {threshold.told_by}{f' (reserved: {kept})' if kept else ''}",
        expected=f"at least {quantity.size(least)} available",
        observed=f"{quantity.size(min(memory.available_bytes, memory.beyond_working_set_bytes))} available",
        values={
            **_values(memory), "least": least, "signal": _SIGNAL, "threshold": threshold.text,
            "threshold_from": threshold.told_by, "reserved": kept,
        },
        requirement=threshold.requirement,
        remedy=rule.remedy,
        evidence=(*_lines(memory), *threshold.evidence),
    )  # fmt: skip


def _scarce(profile: Profile, memory: Memory) -> Iterator[Problem]:
    used = 100 - memory.available_bytes / memory.total_bytes * 100 if memory.total_bytes else 0.0
    measured = Measured(
        subject=Subject("memory", "node"),
        value=used,
        unit="% in use",
        message=f"{_left(memory)}: {used:.1f} % are in use",
        values=_values(memory),
        evidence=_lines(memory),
    )
    yield from held(profile, "memory.available", measured)


def _left(memory: Memory) -> str:
    counted = quantity.size(memory.beyond_working_set_bytes)
    whole = quantity.size(memory.total_bytes)
    return (
        f"of {whole} of memory {quantity.size(memory.available_bytes)} are available as the kernel estimates,"
        f" {counted} as the kubelet counts"
    )


def _values(memory: Memory) -> dict[str, int | str | float | bool | tuple[str, ...]]:
    return {
        "total_bytes": memory.total_bytes, "available_bytes": memory.available_bytes,
        "beyond_working_set_bytes": memory.beyond_working_set_bytes,
    }  # fmt: skip


def _lines(memory: Memory) -> tuple[Evidence, ...]:
    return tuple(memory.evidence[name] for name in _LINES if name in memory.evidence)


def _reserved(facts: Facts) -> str:
    """Tell what the kubelet keeps from pods' hands."""
    kubelet = known(facts.kubelet)
    kept = _kept(kubelet) if kubelet is not None else {}
    return ", ".join(f"{name} {told.value}" for name, told in kept.items())


CHECKS: Final[tuple[Check, ...]] = (available, reserved, swap)
