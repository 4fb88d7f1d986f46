"""Full disks: by bytes and by inodes, by the kubelet's thresholds wherever they come from, and by the profile's."""

from typing import Final, NamedTuple, Protocol

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts.disks import Disks, FileSystem
from nodediag.facts.fact import Fact, Known, known
from nodediag.facts.folder_sizes import Entry, FolderSize, FolderSizes
from nodediag.facts.kubelet_config import Told
from nodediag.facts.kubelet_settings import Settings
from nodediag.facts.runtime import ContainerdConfig
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.profile import Profile

CONFIG: Final = "/home/kubernetes/kubelet-config.yaml"
LINE: Final = FileEvidence(path=CONFIG, line=9, text="  nodefs.available: 10%")


class Usage(Protocol):
    def __call__(self, available: int = ..., inodes_free: int = ...) -> Fact[Disks]: ...


class Broken(NamedTuple):
    severity: Severity
    signal: str


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


def told(**signals: str) -> dict[str, Told]:
    by = f"evictionHard in {CONFIG}"
    return {name.replace("_", "."): Told(value=value, by=by, evidence=LINE) for name, value in signals.items()}


def with_kubelet(healthy: Make, disks: Fact[Disks], **fields: object) -> Facts:
    kubelet = known(healthy().kubelet)
    assert kubelet is not None
    return healthy(disks=disks, kubelet=Known(msgspec.structs.replace(kubelet, **fields)))


def first(disks: Fact[Disks]) -> tuple[Disks, FileSystem, FileSystem]:
    held = known(disks)
    assert held is not None
    var, run = held.filesystems
    return held, var, run


def judged(one: str, facts: Facts, profile: Profile) -> CheckResult:
    return run(next(check for check in CHECKS if check.id == one), facts, profile, Request(logs=True))


class Case(NamedTuple):
    healthy: Make
    disks: Usage
    profile: Profile


@pytest.fixture
def case(healthy: Make, disks: Usage, profile: Profile) -> Case:
    return Case(healthy, disks, profile)


NODEFS: Final = Broken(Severity.CRITICAL, "nodefs.available")
IMAGEFS: Final = Broken(Severity.CRITICAL, "imagefs.available")


@pytest.mark.parametrize(
    ("left", "hard", "broken"),
    [
        pytest.param(14_999, None, IMAGEFS, id="by the kubelet's own, images first"),
        pytest.param(15_000, None, None, id="at the threshold nothing is evicted yet"),
        pytest.param(9_999, {"nodefs_available": "10%"}, NODEFS, id="as it was told"),
        pytest.param(14_000, {"nodefs_available": "10%"}, None, id="what a set leaves out is not watched"),
        pytest.param(9_999, {"nodefs_available": "10k"}, NODEFS, id="a quantity"),
        pytest.param(
            4_000, {"memory_available": "1Mi"}, Broken(Severity.WARNING, ""), id="only the profile's is broken"
        ),
        pytest.param(0, {"memory_available": "1Mi"}, Broken(Severity.CRITICAL, ""), id="full is full"),
    ],
)
def test_space_is_held_against_the_thresholds_in_effect(
    case: Case, left: int, hard: dict[str, str] | None, broken: Broken | None
) -> None:
    settings = Settings() if hard is None else Settings(hard=told(**hard))
    result = judged(
        "disks.space", with_kubelet(case.healthy, case.disks(available=left), settings=settings), case.profile
    )
    found = [Broken(problem.severity, str(problem.values.get("signal", ""))) for problem in result.problems]
    assert found == ([broken] if broken else [])
    assert result.outcome is (Outcome.FAILED if broken else Outcome.PASSED)


def test_a_full_disk_is_told_with_bytes_inodes_threshold_and_whose_it_is(case: Case) -> None:
    settings = Settings(hard=told(nodefs_available="10%"))
    facts = with_kubelet(case.healthy, case.disks(available=5_000), settings=settings)
    (problem,) = judged("disks.space", facts, case.profile).problems
    assert problem.message == (
        "/var (ext4 on /dev/sda1, on the boot disk sda) is short of space: 4.9 KiB of 97.7 KiB, 3000 of 6000 inodes are"
        " left; the kubelet evicts pods where nodefs.available is below 10% (9.8 KiB), by evictionHard in"
        f" {CONFIG}"
    )
    assert problem.evidence[-1] == LINE
    assert problem.values["available_bytes"] == 5_000
    assert problem.values["inodes_free"] == 3_000
    assert problem.values["least"] == 10_000


def test_a_soft_threshold_gives_grace_and_so_a_warning(case: Case) -> None:
    settings = Settings(hard={}, soft=told(nodefs_available="20%"), soft_grace={"nodefs.available": "1m30s"})
    facts = with_kubelet(case.healthy, case.disks(available=19_000), settings=settings)
    (problem,) = judged("disks.space", facts, case.profile).problems
    assert problem.severity is Severity.WARNING
    assert "after 1m30s" in problem.message


def test_images_that_lie_elsewhere_are_looked_for_where_containerd_was_told(case: Case) -> None:
    elsewhere = Known(ContainerdConfig(present=True, root="/run/images"))
    facts = case.healthy(disks=case.disks(available=14_000), containerd_config=elsewhere)
    assert judged("disks.space", facts, case.profile).outcome is Outcome.PASSED


def test_thresholds_that_were_not_read_leave_it_open_but_a_full_disk_is_told(case: Case) -> None:
    reason = Reason(code=Code.UNSUPPORTED, detail="a --config-dir")
    unread = {"settings": msgspec.UNSET, "settings_reason": reason}
    room, full = (with_kubelet(case.healthy, case.disks(available=left), **unread) for left in (50_000, 0))
    assert judged("disks.space", room, case.profile).outcome is Outcome.UNKNOWN
    result = judged("disks.space", full, case.profile)
    assert (result.outcome, result.reason) == (Outcome.FAILED, reason)


def test_a_file_system_that_gave_no_answer_leaves_it_open(case: Case) -> None:
    held, _var, _run = first(case.disks())
    reason = Reason(code=Code.TIMED_OUT, detail="/mnt/disks/a: no answer within 2.0 s")
    silent = msgspec.structs.replace(held, unread={"/mnt/disks/a": reason})
    assert judged("disks.space", case.healthy(disks=Known(silent)), case.profile).reason == reason


def test_a_kubelet_whose_folder_was_not_seen_is_not_passed(case: Case) -> None:
    _held, _var, run = first(case.disks())
    only_run = Disks(filesystems=(run,), total=1)
    result = judged("disks.inodes", case.healthy(disks=Known(only_run)), case.profile)
    assert result.outcome is Outcome.UNKNOWN


def test_memory_that_runs_full_is_critical_for_run_alone(case: Case) -> None:
    held, var, run = first(case.disks())
    run_full = msgspec.structs.replace(run, available_bytes=0)
    tmp_full = msgspec.structs.replace(run_full, target="/tmp")
    for found, severity in ((run_full, Severity.CRITICAL), (tmp_full, Severity.WARNING)):
        full = msgspec.structs.replace(held, filesystems=(var, found))
        (problem,) = judged("disks.space", case.healthy(disks=Known(full)), case.profile).problems
        assert problem.severity is severity


def test_a_file_system_without_a_number_of_inodes_is_never_short_of_them(case: Case) -> None:
    held, var, run = first(case.disks())
    free = msgspec.structs.replace(var, inodes=0, inodes_free=0)
    facts = case.healthy(disks=Known(msgspec.structs.replace(held, filesystems=(free, run))))
    assert judged("disks.inodes", facts, case.profile).outcome is Outcome.PASSED


def test_what_fills_a_full_disk_is_named_where_the_folders_were_walked(healthy: Make, profile: Profile) -> None:
    entries = tuple(Entry(path=f"/var/log/pods/{number}", bytes=number << 20, files=1) for number in range(12, 1, -1))
    folder = FolderSize(path="/var/log", bytes=1 << 30, files=99, complete=True, largest=entries)
    elsewhere = FolderSize(path="/etc", bytes=1 << 40, files=9, complete=True, largest=(entries[0],))
    walked = Known(FolderSizes(folders=(folder, elsewhere)))
    full = known(healthy().disks)
    assert full is not None
    var = msgspec.structs.replace(full.filesystems[0], available_bytes=1)
    facts = healthy(disks=Known(msgspec.structs.replace(full, filesystems=(var,))), folder_sizes=walked)
    (problem,) = run(next(check for check in CHECKS if check.id == "disks.space"), facts, profile, Request()).problems
    assert problem.message.endswith(
        "; the largest on it: /var/log/pods/12 12.0 MiB, /var/log/pods/11 11.0 MiB, /var/log/pods/10 10.0 MiB"
    )
    largest = problem.values["largest"]
    assert isinstance(largest, tuple)
    assert len(largest) == 10
