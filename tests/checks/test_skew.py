"""What fits together by version: branches that are maintained side by side, and what is not known."""

from typing import Final, Protocol

import msgspec
import pytest

from nodediag.checks.check import run
from nodediag.checks.skew import version_skew
from nodediag.facts.cgroups import Cgroups
from nodediag.facts.fact import Fact, Known, Unknown, known
from nodediag.facts.kernel import Kernel
from nodediag.facts.packages import Package, Packages
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.profile import Profile

PATH: Final = "/var/lib/dpkg/status"


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


def containerd(version: str) -> Fact[Packages]:
    evidence = FileEvidence(path=PATH, line=1, text=version)
    return Known(Packages(manager=True, installed=(Package(name="containerd.io", version=version, evidence=evidence),)))


def judged(healthy: Make, profile: Profile, kubelet: str, **facts: object) -> CheckResult:
    told = known(healthy().kubelet)
    assert told is not None
    running = msgspec.structs.replace(told, version=kubelet)
    silent = {"cri": Unknown(Reason(code=Code.NOT_ASKED, detail="no gRPC"))}
    return run(version_skew, healthy(kubelet=Known(running), **(silent | facts)), profile, Request())


@pytest.mark.parametrize(
    ("kubelet", "version", "severity"),
    [
        ("v1.33.1", "2.1.0", None),
        ("v1.33.1", "2.0.4", None),
        ("v1.33.1", "2.0.3-1", Severity.INFO),
        ("v1.33.1", "1.7.24~rc1", None),
        ("v1.33.1", "1.7.23", Severity.INFO),
        ("v1.33.1", "9.0.0", None),
        ("v1.33.1", "1.5.18", Severity.CRITICAL),
        ("v1.26.0-gke.100", "1.5.18", Severity.CRITICAL),
        ("v1.25.16", "1.5.18", None),
        ("v1.34.0", "1.6.0", None),
    ],
)
def test_a_version_is_held_against_its_own_branch(
    kubelet: str, version: str, severity: Severity | None, healthy: Make, base: Profile
) -> None:
    result = judged(healthy, base, kubelet, packages=containerd(version))
    assert [problem.severity for problem in result.problems] == ([] if severity is None else [severity])


def test_an_old_kernel_matters_with_cgroup_version_2_alone(healthy: Make, profile: Profile) -> None:
    whole = healthy()
    kernel, cgroups = known(whole.kernel), known(whole.cgroups)
    assert isinstance(kernel, Kernel)
    assert isinstance(cgroups, Cgroups)
    old = Known(msgspec.structs.replace(kernel, release="5.4.0-99-generic"))
    (problem,) = judged(healthy, profile, "v1.30.0", packages=containerd("2.1.0"), kernel=old).problems
    assert (problem.subject.name, problem.severity) == ("kernel", Severity.INFO)
    legacy = Known(msgspec.structs.replace(cgroups, version=1))
    result = judged(healthy, profile, "v1.30.0", packages=containerd("2.1.0"), kernel=old, cgroups=legacy)
    assert result.outcome is Outcome.PASSED


def test_the_node_s_object_tells_the_runtime_s_version_too(healthy: Make, profile: Profile) -> None:
    theirs = known(healthy().node_object)
    assert theirs is not None
    result = judged(healthy, profile, "v1.34.0")
    assert result.outcome is Outcome.UNKNOWN
    assert result.reason
    assert "the version of containerd is not known" in result.reason.detail
    said = msgspec.structs.replace(theirs, info={**theirs.info, "containerRuntimeVersion": "containerd://2.0.6"})
    assert judged(healthy, profile, "v1.34.0", node_object=Known(said)).outcome is Outcome.PASSED
    old = msgspec.structs.replace(theirs, info={**theirs.info, "containerRuntimeVersion": "containerd://1.5.1"})
    (problem,) = judged(healthy, profile, "v1.34.0", node_object=Known(old)).problems
    assert problem.requirement
    assert (problem.requirement.key, problem.severity) == ("skew.containerd-cri-v1", Severity.CRITICAL)
    assert len(problem.evidence) == 2


def test_the_runtime_s_own_word_goes_before_that_of_its_package(healthy: Make, profile: Profile) -> None:
    said = healthy().cri
    result = judged(healthy, profile, "v1.34.0", packages=containerd("1.5.1"), cri=said)
    assert result.outcome is Outcome.PASSED


def test_a_kubelet_without_a_version_leaves_it_open(healthy: Make, profile: Profile, missing: object) -> None:
    result = judged(healthy, profile, "", node_object=missing, metadata=missing)
    assert result.outcome is Outcome.UNKNOWN
    assert result.reason
    assert "--node-object" in result.reason.needs
