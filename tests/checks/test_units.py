"""Units, the boot and the journal's place: what is told, how urgent it is, and what is not judged."""

from typing import Final, Protocol

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts.fact import Fact, Known, known
from nodediag.facts.journal_use import JournalUse
from nodediag.facts.journald import Journald, Setting
from nodediag.facts.snapshot import Facts
from nodediag.facts.unit_files import UnitFile, UnitFiles
from nodediag.facts.units import How, Unit, Units
from nodediag.host.answer_parts import Job, UnitState
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import CheckResult, Outcome, Severity
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.profile import Profile

ASKED_US: Final = 1_790_000_000_000_000
MINUTE_US: Final = 60_000_000
DENIED: Final = Reason(code=Code.NOT_PERMITTED, detail="/run/systemd/private: Permission denied")


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


class Systemd(Protocol):
    def __call__(self, *states: UnitState, without: tuple[str, ...] = ..., **said: object) -> Fact[Units]: ...


class Judge(Protocol):
    def __call__(self, one: str, **facts: object) -> CheckResult: ...


@pytest.fixture
def judge(healthy: Make, profile: Profile) -> Judge:
    """Run one check on the facts of a healthy node, some of them replaced."""
    return lambda one, **facts: judged(one, healthy(**facts), profile)


def said(result: CheckResult) -> list[str]:
    """Give each problem as `SUBJECT SEVERITY`."""
    return [f"{problem.subject.name} {problem.severity.value}" for problem in result.problems]


def judged(one: str, facts: Facts, profile: Profile) -> CheckResult:
    return run(next(check for check in CHECKS if check.id == one), facts, profile, Request(logs=True))


def told(one: str, facts: Facts, profile: Profile) -> list[str]:
    """Give each problem as `SUBJECT SEVERITY`."""
    return [f"{problem.subject.name} {problem.severity.value}" for problem in judged(one, facts, profile).problems]


def unit(name: str, active: str, sub: str = "", **more: object) -> UnitState:
    plain = UnitState(name=name, load="loaded", active=active, sub=sub or active)
    return msgspec.structs.replace(plain, **more)


def files_with(facts: Facts, **fields: object) -> Known[UnitFiles]:
    files = known(facts.unit_files)
    assert files is not None
    return Known(msgspec.structs.replace(files, **fields))


@pytest.mark.parametrize(
    ("state", "wanted", "words"),
    [
        (unit("kubelet.service", "failed", result="start-limit-hit"), "critical", "systemd has given up"),
        (unit("kubelet.service", "inactive", "dead"), "critical", "is inactive (dead)"),
        (
            unit("kubelet.service", "failed", result="exit-code", restarts=5),
            "critical",
            "restarted it 5 times and given",
        ),
        (
            unit("kubelet.service", "activating", "auto-restart", result="exit-code", exit_status=1),
            "critical",
            "status 1",
        ),
        (unit("kubelet.service", "deactivating", "stop-sigterm"), "critical", "stop-sigterm"),
        (unit("kubelet.service", "failed", result="watchdog"), "critical", "watchdog"),
        (unit("kubelet.service", "active", "running", load="masked"), "warning", "is masked"),
        (unit("kubelet.service", "inactive", "dead", load="masked"), "critical", "is masked"),
        (unit("kube-logrotate.timer", "inactive", "dead"), "warning", "is inactive"),
        (unit("node-problem-detector.service", "failed"), "warning", "is failed"),
    ],
)
def test_a_unit_the_image_lives_by_that_does_not_run_is_named_with_why(
    state: UnitState, wanted: str, words: str, systemd: Systemd, judge: Judge
) -> None:
    result = judge("units.expected", units=systemd(state))
    assert said(result) == [f"{state.name} {wanted}"]
    assert words in result.problems[0].message


@pytest.mark.parametrize(
    "state",
    [
        unit("kubelet.service", "reloading"),
        unit("kube-node-configuration.service", "active", "exited"),
        unit("node-problem-detector.service", "active", "running"),
        unit("mine.service", "inactive", "dead"),
    ],
)
def test_a_unit_that_is_as_it_should_be_is_no_problem(
    state: UnitState, healthy: Make, systemd: Systemd, profile: Profile
) -> None:
    assert judged("units.expected", healthy(units=systemd(state)), profile).outcome is Outcome.PASSED


def test_a_mask_and_a_missing_link_are_told_from_files_alone(healthy: Make, profile: Profile, missing: object) -> None:
    masked = UnitFile(unit="kubelet.service", path="/etc/systemd/system/kubelet.service")
    facts = healthy(units=missing, unit_files=files_with(healthy(), masked=(masked,), files=()))
    result = judged("units.expected", facts, profile)
    assert [problem.message for problem in result.problems] == ["kubelet.service is masked"]
    assert result.problems[0].evidence == (masked.evidence,)
    assert result.problems[0].severity is Severity.CRITICAL
    assert result.reason
    facts = healthy(unit_files=files_with(healthy(), enabled=()))
    assert len(told("units.expected", facts, profile)) == 4
    assert all("not enabled" in problem.message for problem in judged("units.expected", facts, profile).problems)


def test_what_is_enabled_stays_open_where_the_links_were_not_seen(
    healthy: Make, profile: Profile, missing: object
) -> None:
    result = judged("units.expected", healthy(unit_files=missing), profile)
    assert (result.outcome, result.problems) == (Outcome.UNKNOWN, ())


def test_while_the_boot_goes_on_nothing_is_missed_but_what_failed_is(
    healthy: Make, systemd: Systemd, profile: Profile
) -> None:
    kubelet, others = unit("kubelet.service", "activating", "start"), ("kubernetes.target",)
    coming = systemd(kubelet, without=others, state="starting", finished_us=0)
    result = judged("units.expected", healthy(units=coming), profile)
    assert (result.outcome, result.problems) == (Outcome.UNKNOWN, ())
    failed = systemd(unit("kubelet.service", "failed"), without=others, state="starting", finished_us=0)
    assert told("units.expected", healthy(units=failed), profile) == ["kubelet.service critical"]
    leaving = systemd(unit("kubelet.service", "inactive"), state="stopping")
    assert judged("units.expected", healthy(units=leaving), profile).outcome is Outcome.UNKNOWN


def test_from_cgroups_it_is_known_what_runs_and_never_what_does_not(healthy: Make, profile: Profile) -> None:
    seen = FileEvidence(path="/proc/9/cgroup", line=1, text="0::/system.slice/x")
    names = [name for name, rule in profile.units.items() if not rule.optional]
    running = tuple(Unit(name=name, active="active", seen=seen) for name in names)
    facts = healthy(units=Known(Units(how=How.CGROUPS, reason=DENIED, units=running)))
    assert judged("units.expected", facts, profile).outcome is Outcome.PASSED
    facts = healthy(units=Known(Units(how=How.CGROUPS, reason=DENIED, units=running[1:])))
    result = judged("units.expected", facts, profile)
    assert (result.outcome, result.problems) == (Outcome.UNKNOWN, ())
    assert result.reason
    assert names[0] in result.reason.detail
    assert DENIED.detail in result.reason.detail
    for one in ("units.failed", "units.flapping", "boot.finished", "boot.jobs"):
        result = judged(one, facts, profile)
        assert result.outcome is Outcome.UNKNOWN
        assert result.reason
        assert (result.reason.code, bool(result.reason.needs)) == (Code.NOT_PERMITTED, True)


def test_a_failed_unit_is_a_warning_and_a_single_command_s_is_a_fact(
    healthy: Make, systemd: Systemd, profile: Profile
) -> None:
    units = systemd(
        unit("backup.service", "failed", result="oom-kill"),
        unit("run-r4f1.scope", "failed"),
        unit("data.mount", "failed", result="exit-code", exit_status=32),
        unit("kubelet.service", "failed"),  # units.expected tells of it
    )
    assert told("units.failed", healthy(units=units), profile) == [
        "backup.service warning", "run-r4f1.scope info", "data.mount warning",
    ]  # fmt: skip


def restarted(times: int, sub: str, *, minutes_ago: int) -> UnitState:
    active = "active" if sub == "running" else "activating"
    return unit("mine.service", active, sub, restarts=times, started_us=ASKED_US - minutes_ago * MINUTE_US)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (restarted(5, "running", minutes_ago=3), ["mine.service warning"]),
        (restarted(4, "running", minutes_ago=3), []),
        (restarted(50, "running", minutes_ago=21), []),
        (restarted(5, "auto-restart", minutes_ago=60), ["mine.service warning"]),
        (restarted(0, "running", minutes_ago=1), []),
        (unit("mine.service", "failed", restarts=9, started_us=ASKED_US), []),  # units.failed tells of it
    ],
)
def test_restarts_count_when_they_are_many_and_fresh(
    state: UnitState, wanted: list[str], systemd: Systemd, judge: Judge
) -> None:
    assert said(judge("units.flapping", units=systemd(state))) == wanted


def test_a_systemd_that_does_not_count_restarts_leaves_flapping_open(
    healthy: Make, systemd: Systemd, profile: Profile
) -> None:
    whole = known(systemd())
    assert whole is not None
    units = tuple(msgspec.structs.replace(one, restarts=msgspec.UNSET) for one in whole.units)
    facts = healthy(units=Known(msgspec.structs.replace(whole, units=units, version="229")))
    result = judged("units.flapping", facts, profile)
    assert result.outcome is Outcome.UNKNOWN
    assert result.reason
    assert result.reason.code is Code.UNSUPPORTED


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/etc/systemd/system/kubelet.service", []),
        ("/run/systemd/system/kubelet.service", ["/run/systemd/system/kubelet.service info"]),
    ],
)
def test_a_unit_file_in_place_of_the_image_s_is_told_unless_the_image_s_scripts_bring_it(
    path: str, wanted: list[str], healthy: Make, judge: Judge
) -> None:
    over = UnitFile(unit="kubelet.service", path=path, over="/usr/lib/systemd/system/kubelet.service")
    result = judge("units.drop-ins", unit_files=files_with(healthy(), files=(over,)))
    assert said(result) == wanted
    assert all(over.over in problem.message for problem in result.problems)


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [("kubelet.service", 1), ("service", 1), ("kube-.service", 0), ("kubernetes.service", 0)],
)
def test_drop_ins_count_for_their_unit_its_prefixes_and_its_type(
    folder: str, wanted: int, healthy: Make, profile: Profile
) -> None:
    only = msgspec.structs.replace(profile, units={"kubelet.service": profile.units["kubelet.service"]})
    drop_in = UnitFile(unit=folder, path=f"/etc/systemd/system/{folder}.d/10-mine.conf")
    facts = healthy(unit_files=files_with(healthy(), drop_ins=(drop_in,)))
    assert told("units.drop-ins", facts, only) == [f"{drop_in.path} info"] * wanted


def test_a_prefix_is_a_part_of_the_name_up_to_a_dash(healthy: Make, profile: Profile) -> None:
    drop_in = UnitFile(unit="kube-.service", path="/etc/systemd/system/kube-.service.d/a.conf")
    facts = healthy(unit_files=files_with(healthy(), drop_ins=(drop_in,)))
    words = [problem.message for problem in judged("units.drop-ins", facts, profile).problems]
    assert [message.split()[0] for message in words] == [
        "kube-node-installation.service",
        "kube-node-configuration.service",
    ]


def test_a_boot_that_takes_too_long_says_what_it_waits_for(healthy: Make, systemd: Systemd, profile: Profile) -> None:
    waits = (Job(unit="network-online.target", type="start", state="waiting"),)
    booting = systemd(uptime_us=11 * MINUTE_US, state="starting", finished_us=0, jobs=waits)
    (problem,) = judged("boot.finished", healthy(units=booting), profile).problems
    assert problem.severity is Severity.WARNING
    assert "after 11 min; it waits for network-online.target (start, waiting)" in problem.message
    booting = systemd(uptime_us=9 * MINUTE_US, state="starting", finished_us=0, jobs=waits)
    early = judged("boot.finished", healthy(units=booting), profile)
    assert early.outcome is Outcome.UNKNOWN
    leaving = judged("boot.finished", healthy(units=systemd(state="stopping")), profile)
    assert leaving.outcome is Outcome.UNKNOWN


def test_a_node_in_emergency_mode_runs_nothing(healthy: Make, systemd: Systemd, profile: Profile) -> None:
    assert told("boot.finished", healthy(units=systemd(state="maintenance")), profile) == ["maintenance critical"]
    assert told("boot.finished", healthy(units=systemd(state="degraded")), profile) == []


def between(active: str, job: str, *, minutes: int) -> UnitState:
    return unit("slow.service", active, "start", job=job, changed_us=ASKED_US - minutes * MINUTE_US)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (between("activating", "start", minutes=61), ["slow.service warning"]),
        (between("activating", "start", minutes=59), []),
        (between("activating", "", minutes=90), []),
        (between("active", "stop", minutes=90), []),
    ],
)
def test_a_job_is_stuck_when_its_unit_has_been_between_two_states_for_long(
    state: UnitState, wanted: list[str], systemd: Systemd, judge: Judge
) -> None:
    assert said(judge("boot.jobs", units=systemd(state))) == wanted


@pytest.mark.parametrize(
    ("storage", "use", "wanted"),
    [
        ("volatile", JournalUse(folder=True, files=2, bytes=9), 1),
        ("none", JournalUse(folder=True, files=2, bytes=9), 1),
        ("auto", JournalUse(folder=False, files=0, bytes=0), 1),
        ("persistent", JournalUse(folder=True, files=0, bytes=0), 1),
        ("persistent", JournalUse(folder=True, files=2, bytes=9), 0),
        ("auto", JournalUse(folder=True, files=2, bytes=9), 0),
        ("", JournalUse(folder=True, files=2, bytes=9), 0),
    ],
)
def test_a_journal_is_kept_where_it_is_meant_to_be_and_is(
    storage: str, use: JournalUse, wanted: int, healthy: Make, profile: Profile
) -> None:
    evidence = FileEvidence(path="/etc/systemd/journald.conf", line=2, text=f"Storage={storage}")
    settings = {"Storage": Setting(value=storage, evidence=evidence)} if storage else {}
    facts = healthy(journald=Known(Journald(settings=settings)), journal_use=Known(use))
    assert len(told("journald.persistent", facts, profile)) == wanted


def test_a_journal_may_be_a_little_larger_than_its_bound(healthy: Make, profile: Profile) -> None:
    evidence = FileEvidence(path="/etc/systemd/journald.conf", line=2, text="SystemMaxUse=1G")
    bound = Known(Journald(settings={"SystemMaxUse": Setting(value="1G", evidence=evidence)}))
    for size, wanted in (((1 << 30) * 5 // 4, 0), ((1 << 30) * 5 // 4 + 1, 1)):
        facts = healthy(journald=bound, journal_use=Known(JournalUse(folder=True, files=9, bytes=size)))
        assert len(told("journald.bounded", facts, profile)) == wanted
