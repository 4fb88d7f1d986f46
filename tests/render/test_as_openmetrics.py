from datetime import datetime
from typing import Protocol

import msgspec
import pytest
from hypothesis import given, strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from nodediag.diagnose import diagnose
from nodediag.facts.snapshot import Facts
from nodediag.host.host import Host
from nodediag.logs.node import not_asked
from nodediag.logs.window import Window
from nodediag.model.logs import LogFinding, UnitLogs
from nodediag.model.outcome import Severity
from nodediag.model.report import Report
from nodediag.model.request import Request
from nodediag.profiles.load import Catalogue, builtin
from nodediag.render import as_openmetrics
from nodediag.render.exposition import END, family

MOUNTINFO = "20 1 253:0 / / rw,relatime - ext2 /dev/mapper/vroot rw\n21 20 0:5 / /proc rw - proc proc rw\n"


class MakeHost(Protocol):
    def __call__(self, files: dict[str, str]) -> Host: ...


@pytest.fixture
def report(host: MakeHost, now: datetime) -> Report[Facts]:
    node = host({"/etc/os-release": "ID=cos\nVERSION_ID=121\n", "/proc/1/mountinfo": MOUNTINFO})
    return diagnose(node, not_asked(Window(now=now)), Catalogue(builtin()), Request(only=("mounts",)), now)


def parsed(text: bytes) -> dict[str, Metric]:
    return {metric.name: metric for metric in text_string_to_metric_families(text.decode())}


def labelled(metric: Metric) -> list[dict[str, str]]:
    return [sample.labels for sample in metric.samples if sample.value]


def test_the_verdict_is_one_of_a_set_of_states(report: Report[Facts]) -> None:
    metric = parsed(as_openmetrics.render(report))["nodediag_verdict"]
    assert metric.type == "stateset"
    assert labelled(metric) == [{"nodediag_verdict": report.verdict.value}]
    assert len(metric.samples) == 4


def test_every_check_has_one_outcome(report: Report[Facts]) -> None:
    outcomes = labelled(parsed(as_openmetrics.render(report))["nodediag_check_outcome"])
    assert outcomes == [{"check": check.id, "outcome": check.outcome.value} for check in report.checks]


def test_counts_and_durations_are_those_of_the_report(report: Report[Facts]) -> None:
    metrics = parsed(as_openmetrics.render(report))
    counts = {sample.labels["outcome"]: sample.value for sample in metrics["nodediag_checks"].samples}
    assert counts == report.counts.outcomes
    steps = {sample.labels["step"] for sample in metrics["nodediag_step_duration_seconds"].samples}
    assert steps == set(report.duration_ms)
    assert metrics["nodediag_observed_timestamp_seconds"].samples[0].value == report.observed_at.timestamp()


def finding(*, active: bool) -> LogFinding:
    return LogFinding(
        id="kubelet.pleg-unhealthy", condition="pleg-unhealthy", title="", severity=Severity.CRITICAL, count=3,
        first="", last="", active=active, subjects=(), units=(), samples=(), cause="", remedy="", source="",
    )  # fmt: skip


@pytest.mark.parametrize("active", [True, False])
def test_a_signature_is_told_with_its_count_and_whether_it_is_over(report: Report[Facts], active: bool) -> None:  # noqa: FBT001
    units = {"kubelet.service": UnitLogs(entries=5, levels={"error": 2, "info": 3}, first="", last="", cut=0)}
    logs = msgspec.structs.replace(report.logs, signatures=(finding(active=active),), units=units)
    metrics = parsed(as_openmetrics.render(msgspec.structs.replace(report, logs=logs)))
    (state,) = metrics["nodediag_signature_active"].samples
    assert state.labels == {
        "signature": "kubelet.pleg-unhealthy", "condition": "pleg-unhealthy", "severity": "critical",
    }  # fmt: skip
    assert state.value == active
    assert metrics["nodediag_signature_occurrences"].samples[0].value == 3
    entries = {sample.labels["level"]: sample.value for sample in metrics["nodediag_log_entries"].samples}
    assert entries == {"error": 2, "info": 3}


def test_each_problem_is_told_with_its_subject(report: Report[Facts]) -> None:
    wanted = {(check.id, problem.subject.name) for check in report.checks for problem in check.problems}
    told = labelled(parsed(as_openmetrics.render(report))["nodediag_problem"])
    assert {(labels["check"], labels["subject"]) for labels in told} == wanted


@given(text=st.text())
def test_any_text_can_be_a_label(text: str) -> None:
    written = (family("x", "gauge", "about", [({"label": text}, 1.0)]) + END).encode("utf-8", "backslashreplace")
    (metric,) = text_string_to_metric_families(written.decode())
    assert len(metric.samples) == 1
    if text.isprintable() and len(text) <= 256:
        assert metric.samples[0].labels["label"] == text
