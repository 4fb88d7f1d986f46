"""Known issues: ranges to the number, evidence that must be there too, and what was not seen is told, not guessed."""

from typing import Final, Protocol

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts import os_release
from nodediag.facts.fact import Known, Unknown, known
from nodediag.facts.snapshot import Facts
from nodediag.host.host import Line
from nodediag.images.version import numbers
from nodediag.model.evidence import JournalEvidence
from nodediag.model.image import Image, ImageType
from nodediag.model.logs import LogFinding, LogSample
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.request import Request
from nodediag.profiles.load import Catalogue, builtin
from nodediag.profiles.profile import Profile

RESET: Final = "issue.cos-docker-clusterip-reset"
HEAD: Final = (
    'date = "2026-01-01"\n[[issue]]\nid = "issue.mine"\ntitle = "It breaks"\nseverity = "critical"\n'
    'effect = "e"\nworkaround = "w"\nsource = "a test"\nimage_types = ["cos_containerd"]\n'
)
SAMPLE: Final = LogSample(time="2026-11-20T10:00:00Z", unit="kernel", cursor="s=1", text="hung")
FINDING: Final = LogFinding(
    id="kernel.hung-task", condition="hung", title="hung", severity=Severity.WARNING, count=1, first="", last="",
    active=True, subjects=(), units=(), samples=(SAMPLE,), cause="c", remedy="r", source="s",
)  # fmt: skip


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


def judged(facts: Facts, profile: Profile) -> CheckResult:
    return run(next(check for check in CHECKS if check.id == "issues.known"), facts, profile, Request(logs=True))


def on_record(text: str) -> Profile:
    """The profile of cos_containerd with one issue, which is data alone."""
    return Catalogue(builtin(), issues={"mine.toml": text}).get("cos_containerd")


def node(healthy: Make, image: ImageType, version: str, **facts: object) -> Facts:
    whole = healthy()
    kubelet, found = known(whole.kubelet), known(whole.image)
    assert kubelet is not None
    assert found is not None
    flags = {**kubelet.flags, "version": version}
    told = msgspec.structs.replace(kubelet, version=version, flags=flags)
    return healthy(
        **{"kubelet": Known(told), "image": Known(msgspec.structs.replace(found, image_type=image)), **facts}
    )


def subjects(result: CheckResult) -> set[str]:
    return {problem.subject.name for problem in result.problems}


@pytest.mark.parametrize(
    ("image", "version", "applies"),
    [
        (ImageType.COS, "v1.20.5-gke.99", False),
        (ImageType.COS, "v1.20.5-gke.100", True),
        (ImageType.COS, "v1.20.5-gke.1300", True),
        (ImageType.COS, "v1.20.15-gke.1", True),
        (ImageType.COS, "v1.9.7-gke.300", False),
        (ImageType.COS, "v1.23.17-gke.5600", True),
        (ImageType.COS, "v1.24.0-gke.1", False),
        (ImageType.COS_CONTAINERD, "v1.20.5-gke.100", False),
        (ImageType.UBUNTU, "v1.20.5-gke.100", False),
    ],
)
def test_resets_through_a_clusterip_are_cos_with_docker_up_to_its_end(
    image: ImageType,
    version: str,
    applies: bool,  # noqa: FBT001 - a table
    healthy: Make,
    profile: Profile,
) -> None:
    result = judged(node(healthy, image, version), profile)
    assert (RESET in subjects(result)) is applies
    for problem in result.problems:
        if problem.subject.name == RESET:
            assert problem.requirement
            assert problem.requirement.document == "G1"
            assert version in problem.message


def test_a_version_that_was_not_seen_leaves_it_open_and_names_the_issue(healthy: Make, profile: Profile) -> None:
    result = judged(node(healthy, ImageType.COS, ""), profile)
    assert (result.outcome, result.problems) == (Outcome.UNKNOWN, ())
    assert result.reason
    assert RESET in result.reason.detail
    assert "may apply" in result.reason.detail


def test_an_image_with_no_issue_on_record_is_not_judged(healthy: Make, profile: Profile) -> None:
    assert judged(node(healthy, ImageType.NONE, ""), profile).outcome is Outcome.NOT_APPLICABLE


def test_what_no_node_tells_is_told_as_info_only(healthy: Make, profile: Profile) -> None:
    whole = node(healthy, ImageType.UBUNTU_CONTAINERD, "v1.21.4-gke.1")
    kubelet = known(whole.kubelet)
    assert kubelet is not None
    assert judged(whole, profile).outcome is Outcome.PASSED
    netd = Known(msgspec.structs.replace(kubelet, labels={"cloud.google.com/gke-netd-ready": "true"}))
    (problem,) = judged(msgspec.structs.replace(whole, kubelet=netd), profile).problems
    assert (problem.subject.name, problem.severity) == ("issue.intranode-visibility-dns", Severity.INFO)
    assert "may apply" in problem.message
    assert "intranode visibility" in problem.message


def test_adding_an_issue_edits_no_python(healthy: Make) -> None:
    (problem,) = judged(healthy(), on_record(HEAD + 'gke = [{ since = "1.34" }]\n')).problems
    assert (problem.subject.name, problem.severity, problem.remedy) == ("issue.mine", Severity.CRITICAL, "w")
    assert problem.evidence
    assert judged(healthy(), on_record(HEAD + 'gke = [{ before = "1.34" }]\n')).outcome is Outcome.PASSED


def labelled(facts: Facts, **labels: str) -> Facts:
    kubelet = known(facts.kubelet)
    assert kubelet is not None
    return msgspec.structs.replace(facts, kubelet=Known(msgspec.structs.replace(kubelet, labels=labels)))


def hung(facts: Facts) -> Facts:
    logs = known(facts.logs)
    assert logs is not None
    return msgspec.structs.replace(facts, logs=Known(msgspec.structs.replace(logs, signatures=(FINDING,))))


@pytest.mark.parametrize(
    ("words", "applies"),
    [
        ('milestone = [{ since = "121-18867.199.27", before = "121-18867.199.100" }]', True),
        ('milestone = [{ since = "121-18867.199.29" }]', False),
        ('milestone = [{ before = "121" }]', False),
        ('kernel = [{ since = "6.6.97", before = "6.6.100" }]', True),
        ('kernel = [{ before = "6.6.9" }]', False),
        ('shows = { noexec = "/home/somebody" }', True),
        ('shows = { noexec = "/var/lib/containerd/x" }', False),
        ('shows = { label = "gpu" }', True),
        ('shows = { label = "gpu=no" }', False),
        ('shows = { label = "other" }', False),
        ('shows = { argument = "cros_efi" }', True),
        ('shows = { argument = "root=/dev/dm-0" }', True),
        ('shows = { argument = "root=/dev/sda" }', False),
        ("shows = { cgroup = 2 }", True),
        ("shows = { cgroup = 1 }", False),
        ('shows = { signature = "kernel.hung-task" }', True),
        ('shows = { signature = "kernel.panic" }', False),
        ('gke = [{ since = "1.34" }]\nshows = { cgroup = 2, label = "gpu=yes" }', True),
        ('gke = [{ since = "1.35" }]\nshows = { cgroup = 2 }', False),
    ],
)
def test_each_kind_of_evidence_can_be_asked_for(words: str, applies: bool, healthy: Make) -> None:  # noqa: FBT001 - a table
    release = ("ID=cos", "VERSION_ID=121", "BUILD_ID=18867.199.28")
    held = os_release.parse(tuple(Line("/etc/os-release", place, word) for place, word in enumerate(release, 1)))
    facts = hung(labelled(healthy(os_release=Known(held)), gpu="yes"))
    result = judged(facts, on_record(f"{HEAD}{words}\n"))
    assert subjects(result) == ({"issue.mine"} if applies else set())
    assert all(problem.evidence for problem in result.problems)


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        ('milestone = [{ since = "1" }]', "os_release"),
        ('kernel = [{ since = "1" }]', "kernel"),
        ('shows = { noexec = "/home" }', "mounts"),
        ('shows = { label = "gpu" }', "kubelet"),
        ('shows = { argument = "cros_efi" }', "cmdline"),
        ("shows = { cgroup = 2 }", "cgroups"),
        ('shows = { signature = "kernel.panic" }', "logs"),
    ],
)
def test_evidence_that_could_not_be_seen_leaves_an_issue_open(
    words: str, fact: str, healthy: Make, missing: Unknown
) -> None:
    result = judged(healthy(**{fact: missing}), on_record(f"{HEAD}{words}\n"))
    assert (result.outcome, result.problems) == (Outcome.UNKNOWN, ())
    assert result.reason
    assert result.reason.needs == missing.reason.needs


def test_what_is_ruled_out_by_one_condition_is_not_left_open_by_another(healthy: Make, missing: Unknown) -> None:
    words = 'gke = [{ since = "1.35" }]\nshows = { signature = "kernel.panic" }\n'
    assert judged(healthy(logs=missing), on_record(HEAD + words)).outcome is Outcome.PASSED


def test_the_line_of_the_journal_is_the_evidence(healthy: Make) -> None:
    (problem,) = judged(hung(healthy()), on_record(f'{HEAD}shows = {{ signature = "kernel.hung-task" }}\n')).problems
    assert problem.evidence == (JournalEvidence(cursor="s=1", time=SAMPLE.time, unit="kernel", text="hung"),)


def test_an_image_that_is_not_known_leaves_issues_open(healthy: Make, missing: Unknown, profile: Profile) -> None:
    unsure = Image(image_type=ImageType.UNKNOWN, open={"image_type": missing.reason})
    result = judged(healthy(image=Known(unsure)), profile)
    assert (result.outcome, result.reason) == (Outcome.UNKNOWN, missing.reason)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("v1.34.0-gke.1662000", (1, 34, 0, 1662000)),
        ("1.24.3-gke.200", (1, 24, 3, 200)),
        ("v1.21.9-gke.1002", (1, 21, 9, 1002)),
        ("121-18867.199.28", (121, 18867, 199, 28)),
        ("6.6.97+", (6, 6, 97)),
        ("5.15.0-1048-gke", (5, 15, 0, 1048)),
        ("v1.27.2", (1, 27, 2)),
        ("1.30.0-alpha.1", (1, 30, 0)),
        ("\u0661.2", ()),
        ("unknown", ()),
        ("", ()),
    ],
)
def test_versions_are_compared_by_all_their_numbers(text: str, found: tuple[int, ...]) -> None:
    assert numbers(text) == found
