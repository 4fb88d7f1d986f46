"""What a run of nodediag gave: a report, or why there is none."""

import subprocess
from typing import Final

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import CheckResult, Outcome, Problem
from nodediag.model.report import Report

NOT_HERE: Final = {"image.source-project", "image.source-version"}  # the lab has no metadata server
RATES: Final = "rates."


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A report with the exit status and the standard error of the run that printed it."""

    report: Report[Facts]
    text: str
    status: int
    stderr: str

    def check(self, identity: str) -> CheckResult:
        """Give one check."""
        return next(check for check in self.report.checks if check.id == identity)

    @property
    def counted(self) -> dict[str, Problem]:
        """The problems that count, by check and subject."""
        problems = ((check, problem) for check in self.report.checks for problem in check.problems if problem.counts)
        return {f"{check.id} {problem.subject.name}": problem for check, problem in problems}

    @property
    def unseen(self) -> dict[str, str]:
        """The checks that could not look, or broke, and why; but for what no lab can show, or no single look."""
        ended = {Outcome.UNKNOWN, Outcome.BROKEN}
        return {
            check.id: check.reason.detail
            for check in self.report.checks
            if check.outcome in ended and check.reason and check.id not in NOT_HERE and not check.id.startswith(RATES)
        }

    @property
    def waived(self) -> set[str]:
        """The checks with problems that a waiver is on."""
        return {check.id for check in self.report.checks if any(not problem.counts for problem in check.problems)}


def seen(done: subprocess.CompletedProcess[str]) -> Seen:
    """Read a report as any consumer would: from standard output, which must hold it and nothing else."""
    try:
        report = msgspec.json.decode(done.stdout, type=Report[Facts])
    except msgspec.DecodeError as error:
        message = f"no report ({error}); status {done.returncode}; {done.stdout[:2000]}{done.stderr}"
        raise AssertionError(message) from error
    return Seen(report=report, text=done.stdout, status=done.returncode, stderr=done.stderr)
