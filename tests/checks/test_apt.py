"""What dpkg and APT have installed, on a node with Ubuntu."""

from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts import os_release
from nodediag.facts.apt import Apt
from nodediag.facts.fact import Known
from nodediag.facts.package_files import ChangedFile, PackageFiles
from nodediag.facts.packages import Marked, Package, Packages
from nodediag.host.host import Line
from nodediag.model.evidence import FileEvidence, PathEvidence
from nodediag.model.image import Answer, Image, ImageType, OsFamily, RuntimeName
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request

if TYPE_CHECKING:
    from nodediag.facts.snapshot import Facts
    from nodediag.profiles.profile import Profile

IDS: Final = ("apt.consistent", "apt.held", "apt.pending-reboot", "apt.release")
LINE: Final = FileEvidence(path="/var/lib/dpkg/status", line=1, text="Status: install ok half-installed")
CONTAINERD: Final = Package(name="containerd", version="1.7.0-0ubuntu0~22.04.1~gke1", evidence=LINE)
WELL: Final = Packages(manager=True, installed=(CONTAINERD,))
IMAGE: Final = Image(
    os_family=OsFamily.UBUNTU, gke=Answer.YES, gce=Answer.YES, runtime=RuntimeName.CONTAINERD,
    image_type=ImageType.UBUNTU_CONTAINERD,
)  # fmt: skip
HALF: Final = Marked(name="docker.io", status="install ok half-configured", evidence=LINE)
LEFT: Final = PathEvidence(path="/var/lib/dpkg/updates/0001", type="file")
DUE: Final = FileEvidence(path="/run/reboot-required", line=0, text="*** System restart required ***")
UNSEEN: Final = Reason(code=Code.NOT_PERMITTED, detail="no", needs="root")


class Make(Protocol):
    def __call__(self, **facts: object) -> "Facts": ...


def judged(one: str, facts: "Facts", profile: "Profile") -> CheckResult:
    return run(next(check for check in CHECKS if check.id == one), facts, profile, Request(logs=True))


@pytest.fixture
def ubuntu(healthy: Make) -> Make:
    """Make the facts of a healthy node with Ubuntu 22.04, some of them replaced."""
    release = os_release.parse(
        (Line("/etc/os-release", 1, "ID=ubuntu"), Line("/etc/os-release", 2, "VERSION_ID=22.04"))
    )
    whole = {
        "os_release": Known(release), "image": Known(IMAGE), "packages": Known(WELL), "apt": Known(Apt(present=True)),
    }  # fmt: skip
    return lambda **facts: healthy(**{**whole, **facts})


@pytest.mark.parametrize("one", IDS)
def test_on_a_healthy_node_each_passes(one: str, ubuntu: Make, on_ubuntu: "Profile") -> None:
    assert judged(one, ubuntu(), on_ubuntu).outcome is Outcome.PASSED


@pytest.mark.parametrize("one", IDS)
def test_where_there_is_no_dpkg_nothing_is_asked(one: str, healthy: Make, ubuntu: Make, on_ubuntu: "Profile") -> None:
    assert judged(one, healthy(), on_ubuntu).outcome is Outcome.NOT_APPLICABLE  # COS
    bare = ubuntu(packages=Known(Packages(manager=False, installed=())))
    assert judged(one, bare, on_ubuntu).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize("one", IDS)
def test_what_was_not_captured_is_unknown(one: str, ubuntu: Make, missing: object, on_ubuntu: "Profile") -> None:
    result = judged(one, ubuntu(packages=missing, apt=missing), on_ubuntu)
    assert result.outcome is Outcome.UNKNOWN
    assert result.reason
    assert result.reason.needs


@pytest.mark.parametrize(
    ("one", "facts", "subjects"),
    [
        ("apt.consistent", {"packages": Known(msgspec.structs.replace(WELL, unsettled=(HALF,)))}, ["packages"]),
        ("apt.consistent", {"apt": Known(Apt(present=True, interrupted=(LEFT,)))}, ["dpkg"]),
        ("apt.held", {"packages": Known(msgspec.structs.replace(WELL, held=(HALF,)))}, ["packages"]),
        ("apt.pending-reboot", {"apt": Known(Apt(present=True, reboot=(DUE,)))}, ["reboot"]),
        ("apt.release", {"apt": Known(Apt(present=True, upgraded=(LEFT,)))}, ["upgrade"]),
        (
            "apt.release",
            {"packages": Known(Packages(manager=True, installed=(
                Package(name="containerd", version="1.5.9-0ubuntu1~20.04.4~gke1", evidence=LINE),)))},
            ["containerd"],
        ),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_and_rule(
    one: str, facts: dict[str, object], subjects: list[str], ubuntu: Make, on_ubuntu: "Profile"
) -> None:
    result = judged(one, ubuntu(**facts), on_ubuntu)
    assert [problem.subject.name for problem in result.problems] == subjects
    for problem in result.problems:
        assert problem.evidence
        assert problem.remedy
        assert problem.requirement
        assert problem.requirement.key == f"states.{one}"
        assert problem.severity is (Severity.INFO if one == "apt.held" else Severity.WARNING)


@pytest.mark.parametrize(
    ("one", "path"),
    [("apt.consistent", "/var/lib/dpkg/updates"), ("apt.pending-reboot", "/run/reboot-required"),
     ("apt.release", "/var/log/dist-upgrade")],
)  # fmt: skip
def test_what_could_not_be_looked_at_is_unknown(one: str, path: str, ubuntu: Make, on_ubuntu: "Profile") -> None:
    result = judged(one, ubuntu(apt=Known(Apt(present=True, unseen={path: UNSEEN}))), on_ubuntu)
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, UNSEEN)


def test_files_of_packages_are_compared_where_that_was_asked(
    ubuntu: Make, missing: object, on_ubuntu: "Profile"
) -> None:
    entry = FileEvidence(path="/var/lib/dpkg/info/containerd.md5sums", line=1, text=f"{'ab' * 16}  usr/bin/containerd")
    other = ChangedFile(path="/usr/bin/containerd", package="containerd", missing=False, evidence=entry)
    whole = PackageFiles(packages=("containerd",), compared=40)
    assert judged("drift.packages", ubuntu(), on_ubuntu).outcome is Outcome.NOT_APPLICABLE
    assert judged("drift.packages", ubuntu(package_files=missing), on_ubuntu).outcome is Outcome.UNKNOWN
    assert judged("drift.packages", ubuntu(package_files=Known(whole)), on_ubuntu).outcome is Outcome.PASSED
    changed = msgspec.structs.replace(whole, changed=(other,), unseen=1, unseen_reason=UNSEEN)
    result = judged("drift.packages", ubuntu(package_files=Known(changed)), on_ubuntu)
    (problem,) = result.problems
    assert (problem.subject.name, problem.values["survives_recreation"]) == ("/usr/bin/containerd", False)
    assert result.reason
    assert "1 files could not be compared" in result.reason.detail


def test_a_list_without_states_tells_nothing_of_them(ubuntu: Make, on_ubuntu: "Profile") -> None:
    listed = Known(msgspec.structs.replace(WELL, states=False))
    assert judged("apt.consistent", ubuntu(packages=listed), on_ubuntu).outcome is Outcome.UNKNOWN
