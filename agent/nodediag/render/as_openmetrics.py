"""The report as OpenMetrics, for a scraper or node_exporter's textfile collector."""

from collections.abc import Iterator
from typing import Final

from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Outcome, Verdict
from nodediag.model.report import ProfileUsed, Report
from nodediag.render.exposition import END, family, gauge, stateset

_MOST_PROBLEMS: Final = 200
_MOST_SIGNATURES: Final = 200


def render(report: Report[Facts]) -> bytes:
    """Give the whole exposition."""
    return (families(report) + END).encode("utf-8", "backslashreplace")


def families(report: Report[Facts]) -> str:
    """Give the families without their end, for who adds some."""
    return "".join(_families(report))


def _families(report: Report[Facts]) -> Iterator[str]:
    node, tool = report.node, report.tool
    who = {"version": tool.version, "data_digest": tool.data_digest}
    yield family("nodediag", "info", "Which nodediag judged, with which data.", [(who, 1)])
    what = {
        "image_type": node.image_type.value,
        "os": node.os.id,
        "os_version": node.os.version,
        "kernel": node.kernel.release,
        "kubelet": node.kubelet.version,
        "runtime": node.runtime.name.value,
        "profile": report.profile.name if isinstance(report.profile, ProfileUsed) else "none",
    }
    yield family("nodediag_node", "info", "What the node is.", [(what, 1)])
    yield stateset("nodediag_verdict", "The one word about the node.", (one.value for one in Verdict), report.verdict)
    observed = report.observed_at.timestamp()
    yield gauge("nodediag_observed_timestamp_seconds", "When the node was looked at.", observed)
    counts = report.counts
    checks = [({"outcome": outcome}, count) for outcome, count in counts.outcomes.items()]
    yield family("nodediag_checks", "gauge", "Checks by outcome.", checks)
    problems = [({"severity": severity}, count) for severity, count in counts.severities.items()]
    yield family("nodediag_problems", "gauge", "Problems by severity.", problems)
    yield from _single(report)
    yield from _logs(report)
    spots = report.view.blind_spots_total
    unseen = spots if isinstance(spots, int) else len(report.view.blind_spots)
    yield gauge("nodediag_blind_spots", "What could not be seen.", unseen)
    steps = [({"step": step}, took / 1000) for step, took in report.duration_ms.items()]
    yield family("nodediag_step_duration_seconds", "gauge", "How long each step of the diagnosis took.", steps)


def _single(report: Report[Facts]) -> Iterator[str]:
    """Give each check with its outcome, and each problem."""
    outcomes = [
        ({"check": check.id, "outcome": one.value}, float(check.outcome is one))
        for check in report.checks
        for one in Outcome
    ]
    yield family("nodediag_check_outcome", "gauge", "1 for the outcome that a check had, else 0.", outcomes)
    problems = [
        (
            {
                "check": check.id,
                "severity": problem.severity.value,
                "kind": problem.subject.kind,
                "subject": problem.subject.name,
                "fingerprint": problem.fingerprint,
            },
            1.0,
        )
        for check in report.checks
        for problem in check.problems
    ][:_MOST_PROBLEMS]
    yield family("nodediag_problem", "gauge", "A problem that is open.", problems)


def _logs(report: Report[Facts]) -> Iterator[str]:
    """Give the known failures that the journal tells of in its window, and how much it says at all."""
    found = [
        ({"signature": one.id, "condition": one.condition, "severity": one.severity.value}, one)
        for one in report.logs.signatures[:_MOST_SIGNATURES]
    ]
    active = [(labels, float(one.active)) for labels, one in found]
    yield family("nodediag_signature_active", "gauge", "Known failures: 1 for one that is not over, else 0.", active)
    counts = [(labels, float(one.count)) for labels, one in found]
    about = "How often the journal tells of a known failure, in the window that was read."
    yield family("nodediag_signature_occurrences", "gauge", about, counts)
    entries = [
        ({"unit": unit, "level": level}, float(count))
        for unit, told in report.logs.units.items()
        for level, count in told.levels.items()
    ]
    yield family("nodediag_log_entries", "gauge", "Entries of the journal in the window that was read.", entries)
