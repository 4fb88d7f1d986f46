"""What containerd needs on disk for pods: a CNI configuration with its plugins' programs, and its snapshotter."""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.checks import state
from nodediag.checks.check import Check, check
from nodediag.checks.containerd import of_kubelet
from nodediag.checks.state import Asked
from nodediag.facts.cni import Cni, CniProgram
from nodediag.facts.fact import NotKnownError, known, need
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence, PathEvidence
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile

_CNI: Final = "runtime.cni"
_SNAPSHOTTER: Final = "runtime.snapshotter"


@check(
    "runtime.cni",
    title="There is a CNI configuration, and the programs of its plugins can be started",
    needs="the folders that containerd's configuration names (conf_dir, bin_dir), PID 1's mount table",
)
def cni(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Without them the runtime is not ready: no pod with a network of its own starts, and the node is NotReady."""
    of_kubelet(facts)
    rule = state.asked(facts, profile, _CNI)
    seen = need(facts.cni)
    if not seen.configurations:
        yield rule.broken(_unconfigured(seen))
    elif seen.broken:
        yield rule.broken(
            Problem(
                severity=Severity.CRITICAL,
                subject=Subject("path", f"{seen.conf_dir.path}/{seen.configurations[0]}"),
                message=f"containerd cannot use its CNI configuration: {seen.broken}",
                expected="a CNI configuration",
                observed=seen.broken,
                evidence=(seen.evidence,),
            )
        )
    for program in seen.programs:
        if not program.executable:
            yield rule.broken(_no_program(seen, program))
    yield from _not_executable(facts, rule, seen)
    if seen.incomplete is not msgspec.UNSET:
        raise NotKnownError(seen.incomplete)


@check(
    "runtime.snapshotter",
    title="The snapshotter has its folder, or its service's socket",
    needs="containerd's root folder (/var/lib/containerd), the socket of a snapshotter that is a service of its own",
)
def snapshotter(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """All layers of all images lie there: where it is missing, no container can be made of any image."""
    of_kubelet(facts)
    rule = state.asked(facts, profile, _SNAPSHOTTER)
    seen = need(facts.snapshotter)
    if not seen.there:
        stood = PathEvidence(path=seen.path, type="absent")
        yield rule.broken(
            Problem(
                severity=Severity.CRITICAL,
                subject=Subject("snapshotter", seen.name),
                message=f"containerd uses the snapshotter {seen.name}, and there is no {seen.wanted} {seen.path}",
                expected=f"a {seen.wanted}",
                observed="none",
                values={"path": seen.path},
                evidence=tuple(dict.fromkeys((seen.evidence, stood))),
            )
        )


def _unconfigured(seen: Cni) -> Problem:
    folder = seen.conf_dir
    what = "holds no CNI configuration" if folder.there else "is not there"
    return Problem(
        severity=Severity.CRITICAL,
        subject=Subject("path", folder.path),
        message=f"{folder.path}, where containerd looks for the CNI configuration, {what}",
        expected="a file whose name ends with .conflist, .conf or .json",
        observed="no such file" if folder.there else "no such folder",
        evidence=(folder.evidence,),
    )


def _no_program(seen: Cni, program: CniProgram) -> Problem:
    folders = ", ".join(folder.path for folder in seen.bin_dirs)
    what = f"{program.path} cannot be executed" if program.path else f"it has no program in {folders}"
    evidence: tuple[Evidence, ...] = (program.evidence, *(folder.evidence for folder in seen.bin_dirs))
    return Problem(
        severity=Severity.CRITICAL,
        subject=Subject("cni-plugin", program.name),
        message=f"the CNI configuration {seen.configurations[0]} names the plugin {program.name}, and {what}",
        expected=f"an executable file {program.name}",
        observed=program.path or "none",
        evidence=evidence,
    )


def _not_executable(facts: Facts, rule: Asked, seen: Cni) -> Iterator[Problem]:
    mounts = known(facts.mounts)
    for folder in seen.bin_dirs:
        held = mounts.holding(folder.path) if mounts is not None else None
        if folder.there and held is not None and held.options_known and not held.executable:
            yield rule.broken(
                Problem(
                    severity=Severity.CRITICAL,
                    subject=Subject("path", folder.path),
                    message=f"{folder.path}, from which containerd starts CNI plugins, is mounted noexec",
                    expected="a mount that allows programs to be started",
                    observed=",".join(held.options),
                    evidence=(folder.evidence, held.evidence),
                )
            )


CHECKS: Final[tuple[Check, ...]] = (cni, snapshotter)
