"""Volumes in use against Google's table: what is not supported is named so, what was not seen stays open."""

from typing import Protocol

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts import os_release
from nodediag.facts.fact import Known, Unknown, known
from nodediag.facts.snapshot import Facts
from nodediag.facts.storage import Storage, Use, Uses
from nodediag.host.host import Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.request import Request
from nodediag.profiles import issues
from nodediag.profiles.load import Catalogue, builtin
from nodediag.profiles.profile import Profile

LINE = FileEvidence(path="/proc/1/mountinfo", line=9, text="a mount")
UBUNTU = Catalogue(builtin(), issues=issues.builtin()).get("ubuntu_containerd")


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


def judged(facts: Facts, profile: Profile) -> CheckResult:
    return run(next(check for check in CHECKS if check.id == "storage.supported"), facts, profile, Request(logs=True))


def using(facts: Facts, *names: str, unseen: dict[str, Unknown] | None = None) -> Known[Storage]:
    held = known(facts.storage)
    assert held is not None
    used = Known(Uses(uses=(Use(what="server:/x on /y", evidence=LINE),), total=1))
    volumes = {name: msgspec.structs.replace(held.volumes[name], in_use=used) for name in names}
    volumes |= {
        name: msgspec.structs.replace(held.volumes[name], in_use=lacks) for name, lacks in (unseen or {}).items()
    }
    return Known(Storage(volumes={**held.volumes, **volumes}))


def milestone(number: int) -> Known[os_release.OsRelease]:
    words = ("ID=cos", f"VERSION_ID={number}")
    return Known(os_release.parse(tuple(Line("/etc/os-release", place, word) for place, word in enumerate(words, 1))))


@pytest.mark.parametrize("name", ["cephfs", "rbd", "iscsi", "fibre-channel", "cinder", "flocker"])
def test_what_google_does_not_support_on_cos_is_named_so_and_never_called_unavailable(
    name: str, healthy: Make, profile: Profile
) -> None:
    (problem,) = judged(healthy(storage=using(healthy(), name)), profile).problems
    assert "not supported by GKE" in problem.message
    assert "available" not in problem.message
    assert (problem.severity, problem.subject.name) == (Severity.WARNING, name)
    assert problem.requirement
    assert problem.requirement.document == profile.storage[name].document


@pytest.mark.parametrize("name", ["persistent-disk-ext4", "persistent-disk-xfs", "nfs-v3", "nfs-v4"])
def test_what_google_supports_on_cos_passes(name: str, healthy: Make, profile: Profile) -> None:
    assert judged(healthy(storage=using(healthy(), name)), profile).outcome is Outcome.PASSED


@pytest.mark.parametrize(("number", "outcome"), [(84, Outcome.FAILED), (85, Outcome.PASSED), (121, Outcome.PASSED)])
def test_xfs_is_supported_from_cos_85_on(number: int, outcome: Outcome, healthy: Make, profile: Profile) -> None:
    facts = healthy(storage=using(healthy(), "persistent-disk-xfs"), os_release=milestone(number))
    assert judged(facts, profile).outcome is outcome


def test_xfs_on_a_release_that_was_not_seen_stays_open(healthy: Make, missing: Unknown, profile: Profile) -> None:
    facts = healthy(storage=using(healthy(), "persistent-disk-xfs"), os_release=missing)
    assert judged(facts, profile).outcome is Outcome.UNKNOWN


def test_cephfs_on_ubuntu_is_limited_which_is_worth_knowing_and_no_more(healthy: Make) -> None:
    (problem,) = judged(healthy(storage=using(healthy(), "cephfs")), UBUNTU).problems
    assert problem.severity is Severity.INFO
    assert "limited testing" in problem.message


def test_a_part_that_was_not_seen_is_told_beside_what_was_found(
    healthy: Make, missing: Unknown, profile: Profile
) -> None:
    facts = healthy(storage=using(healthy(), "rbd", unseen={"iscsi": missing}))
    result = judged(facts, profile)
    assert (result.outcome, len(result.problems)) == (Outcome.FAILED, 1)
    assert result.reason == missing.reason
    alone = judged(healthy(storage=using(healthy(), unseen={"iscsi": missing})), profile)
    assert alone.outcome is Outcome.UNKNOWN


def test_the_table_of_every_image_names_each_volume_type(healthy: Make) -> None:
    held = known(healthy().storage)
    assert held is not None
    for name in ("cos", "cos_containerd", "ubuntu", "ubuntu_containerd"):
        assert set(Catalogue(builtin()).get(name).storage) == set(held.volumes)
