"""Do the units run that the image lives by, and does systemd have trouble with any other?"""

from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Final, TypeVar

import msgspec

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.facts.fact import NOT_COLLECTED, Fact, NotKnownError, Unknown, known, need
from nodediag.facts.snapshot import Facts
from nodediag.facts.unit_files import UnitFiles
from nodediag.facts.units import How, Unit, Units
from nodediag.model.evidence import PathEvidence
from nodediag.model.outcome import Problem, Requirement, Severity, Subject
from nodediag.model.reason import Code, Reason
from nodediag.profiles.profile import Profile, UnitRule

T = TypeVar("T")

NEEDS: Final = "systemd's D-Bus socket: /run/dbus/system_bus_socket, or as root /run/systemd/private"
_FILES_NEED: Final = "/etc/systemd/system and /run/systemd/system"
_RUNS: Final = frozenset({"active", "reloading", "refreshing"})
_FAILED: Final = "failed"
_MASKED: Final = "masked"
STOPPING: Final = "stopping"
_WAITS: Final = "auto-restart"
_RESULTS: Final = {
    "exit-code": "its program ended with status {status}",
    "signal": "its program was killed by signal {status}",
    "core-dump": "its program crashed with signal {status}",
    "timeout": "it did not start or stop in time",
    "watchdog": "it did not answer its watchdog in time",
    "start-limit-hit": "it was started too often and systemd has given up",
    "oom-kill": "it ran out of memory",
    "resources": "systemd lacked the means to start it, or a file it names is missing",
    "protocol": "it never told systemd that it had started",
    "exec-condition": "its own condition kept it from starting",
}


@check(
    "units.expected",
    title="Every unit the image lives by runs, is enabled and not masked",
    needs=f"{NEEDS}; {_FILES_NEED}",
)
def expected(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A node whose kubelet, runtime or one of GKE's own services does not run looks alive and does less than it should.

    In a pod without systemd's socket only services that have processes are known to run; the others stay unknown.
    """
    if not profile.units:
        raise NotApplicableError(f"the profile {profile.name} names no units")
    open_: list[Reason] = []
    for name, rule in profile.units.items():
        said = _lacks(name, rule, facts)
        if isinstance(said, Reason):
            open_.append(said)
        elif said is not None:
            yield _unmet(name, rule, said, facts, profile)
    if open_:
        raise NotKnownError(open_[0])


def _lacks(name: str, rule: UnitRule, facts: Facts) -> str | Reason | None:
    """Say what a unit lacks, or why that is not known; None where all is well."""
    units, files = known(facts.units), known(facts.unit_files)
    unit = units.at(name) if units is not None else None
    if (files is not None and files.mask(name) is not None) or (unit is not None and unit.load == _MASKED):
        return "is masked"
    if units is None:
        return _reason(facts.units)
    if rule.optional and not _is_here(name, units, files):
        return None
    if unit is None or unit.active not in _RUNS:
        return _unseen(name, units) if units.how is How.CGROUPS else _state(unit, units)
    if not rule.enabled or (files is not None and any(file.unit == name for file in files.enabled)):
        return None
    return "runs, but is not enabled: it will be gone after the next boot" if files else _reason(facts.unit_files)


def _is_here(name: str, units: Units, files: UnitFiles | None) -> bool:
    """Tell whether the node has a unit; where that cannot be seen, it may."""
    if units.at(name) is not None or (files is None and units.how is How.CGROUPS):
        return True
    return files is not None and any(file.unit == name for file in files.files)


def _state(unit: Unit | None, units: Units) -> str | Reason:
    """Say in what state a unit is instead of running, unless it is too early or too late to judge."""
    startup = units.startup
    if startup is not msgspec.UNSET and startup.state == STOPPING:
        return Reason(code=Code.ONE_SAMPLE, detail="the node is shutting down", needs="a look at the node when it runs")
    comes = unit is None or unit.active == "inactive" or (unit.active == "activating" and unit.sub != _WAITS)
    if startup is not msgspec.UNSET and not startup.finished and comes:
        return Reason(code=Code.ONE_SAMPLE, detail="the boot has not finished", needs="a look once it has")
    return "is not there" if unit is None else f"is {told(unit)}"


def _unmet(name: str, rule: UnitRule, said: str, facts: Facts, profile: Profile) -> Problem:
    units, files = known(facts.units), known(facts.unit_files)
    unit = units.at(name) if units is not None else None
    mask = files.mask(name) if files is not None else None
    runs = unit is not None and unit.active in _RUNS
    severity = Severity.WARNING if runs or rule.severity is msgspec.UNSET else rule.severity
    return Problem(
        severity=severity,
        subject=Subject("unit", name),
        message=f"{name} {said}",
        expected="active, enabled and not masked" if rule.enabled else "active and not masked",
        observed=said.removeprefix("is "),
        values=_values(unit),
        requirement=Requirement(
            profile=profile.name, key=f"units.{name}", why=rule.why, source=rule.source, document=rule.document
        ),
        remedy=f"`systemctl unmask {name}`; {rule.remedy}" if mask is not None else rule.remedy,
        evidence=(
            *((mask.evidence,) if mask is not None else ()),
            *((units.evidence(unit or Unit(name=name, active="not loaded")),) if units is not None else ()),
        ),
    )


@check("units.failed", title="No unit has failed", needs=NEEDS)
def failed(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """What failed stays so until somebody looks; start limits, watchdogs and programs that ended are told apart."""
    units = asked(facts)
    for unit in units.units:
        if unit.active != _FAILED or unit.name in profile.units:
            continue
        rule = next((rule for rule in profile.failed_units if _one_of(unit.name, rule.names)), None)
        yield Problem(
            severity=Severity.WARNING if rule is None else Severity.INFO,
            subject=Subject("unit", unit.name),
            message=f"{unit.name} is {told(unit)}" + (f" ({rule.why})" if rule is not None else ""),
            expected="no failed unit",
            observed=f"failed ({unit.result or unit.sub})",
            values=_values(unit),
            remedy=f"`systemctl status {unit.name}` and its log tell why; when it is over, `systemctl reset-failed` it",
            evidence=(units.evidence(unit),),
        )


@check("units.flapping", title="No service is restarted by systemd again and again", needs=NEEDS)
def flapping(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A service that ends and is restarted looks fine whenever one looks. Only systemd's own restarts count.

    A start or restart on somebody's order sets its count back, so a planned stop is never taken for one.
    """
    rule = profile.flapping
    if rule is msgspec.UNSET:
        raise NotApplicableError(f"the profile {profile.name} has no bound for restarts")
    units = asked(facts)
    services = [unit for unit in units.units if unit.name.endswith(".service") and unit.sub == "running"]
    if services and all(unit.restarts is msgspec.UNSET for unit in services):
        detail = f"systemd {units.version} does not count restarts"
        raise NotKnownError(Reason(code=Code.UNSUPPORTED, detail=detail, needs="systemd 235 or later"))
    for unit in units.units:
        if unit.restarts is msgspec.UNSET or unit.restarts < rule.restarts or unit.active == _FAILED:
            continue
        ago = _since(unit, units)
        if unit.sub != _WAITS and (ago is None or ago > timedelta(minutes=rule.within_minutes)):
            continue
        last = "" if ago is None else f", the last time {int(ago.total_seconds()) // 60} min ago"
        yield Problem(
            severity=Severity.WARNING,
            subject=Subject("unit", unit.name),
            message=f"systemd has restarted {unit.name} {unit.restarts} times{last}; it is {told(unit)}",
            expected=f"fewer than {rule.restarts} restarts, or none in the last {rule.within_minutes} min",
            observed=f"{unit.restarts} restarts",
            values=_values(unit),
            requirement=Requirement(profile=profile.name, key="flapping", why=rule.why, source=rule.source),
            remedy=rule.remedy,
            evidence=(units.evidence(unit),),
        )


@check("units.drop-ins", title="The units the image lives by are as the image brings them", needs=_FILES_NEED)
def drop_ins(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """What somebody put over the kubelet's or the runtime's unit explains why this node differs from its neighbours."""
    if not profile.units:
        raise NotApplicableError(f"the profile {profile.name} names no units")
    files = need(facts.unit_files)
    for name, rule in profile.units.items():
        for path, over in _overrides(name, files):
            if _one_of(path, rule.own):
                continue
            what = f"takes the place of {over}" if over else "changes it"
            yield Problem(
                severity=Severity.INFO,
                subject=Subject("path", path),
                message=f"{name} is not as the image has it: {path} {what}",
                expected="no file but the image's own",
                observed=path,
                requirement=Requirement(profile=profile.name, key=f"units.{name}", why=rule.why, source=rule.source),
                remedy="`systemctl cat` shows what it comes to; take the file out if nobody meant it to be there",
                evidence=(PathEvidence(path=path, type="file"),),
            )


def _overrides(name: str, files: UnitFiles) -> Iterator[tuple[str, str]]:
    """Give what changes a unit: drop-ins of its own, of its prefixes and of its type, and files in place of its own."""
    stem, _, kind = name.rpartition(".")
    parts = stem.split("-")
    names = {name, kind, *(f"{'-'.join(parts[:count])}-.{kind}" for count in range(1, len(parts)))}
    yield from ((file.path, "") for file in files.drop_ins if file.unit in names)
    yield from ((file.path, file.over) for file in files.files if file.unit == name)


def asked(facts: Facts) -> Units:
    """Give the units where systemd itself told of them, or end the check that asks as unknown."""
    units = known(facts.units)
    if units is None:
        raise NotKnownError(_reason(facts.units))
    if units.reason is not msgspec.UNSET:
        raise NotKnownError(_with_needs(units.reason))
    return units


def _reason(fact: Fact[T]) -> Reason:
    return _with_needs(fact.reason) if isinstance(fact, Unknown) else NOT_COLLECTED.reason


def _unseen(name: str, units: Units) -> Reason:
    why = f" ({units.reason.detail})" if units.reason is not msgspec.UNSET else ""
    return Reason(code=Code.NOT_CAPTURED, detail=f"{name} has no process, and systemd was not asked{why}", needs=NEEDS)


def _with_needs(reason: Reason) -> Reason:
    return reason if reason.needs else msgspec.structs.replace(reason, needs=NEEDS)


def told(unit: Unit) -> str:
    """Say in what state a unit is, and why where systemd knows.

    Of a service that ended too often systemd keeps the result of its last end: that it has given up shows in the count.
    """
    state = unit.active if unit.sub in {"", unit.active} else f"{unit.active} ({unit.sub})"
    why = _RESULTS.get(unit.result, "").format(status=unit.exit_status)
    since = "" if unit.changed is msgspec.UNSET else f" since {unit.changed:%Y-%m-%dT%H:%M:%SZ}"
    tried = unit.restarts if unit.active == _FAILED and unit.restarts is not msgspec.UNSET else 0
    given_up = f"; systemd has restarted it {tried} times and given up" if tried else ""
    return f"{state}{since}{f': {why}' if why else ''}{given_up}"


def _since(unit: Unit, units: Units) -> timedelta | None:
    if unit.started is msgspec.UNSET or units.asked is msgspec.UNSET:
        return None
    return max(units.asked - unit.started, timedelta())


def _values(unit: Unit | None) -> dict[str, str | int | float | bool | tuple[str, ...]]:
    if unit is None:
        return {}
    counted = {} if unit.restarts is msgspec.UNSET else {"restarts": unit.restarts}
    return {"active": unit.active, "sub": unit.sub, **({"result": unit.result} if unit.result else {}), **counted}


def _one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


CHECKS: Final[tuple[Check, ...]] = (expected, failed, flapping, drop_ins)
