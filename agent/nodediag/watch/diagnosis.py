"""One diagnosis, in a child: the report kept, and reduced to what the parent must know."""

from collections.abc import Callable

import msgspec

from nodediag.errors import Exit, NodediagError, ProfileError, UsageError
from nodediag.facts.snapshot import Facts
from nodediag.host.child import Tell
from nodediag.model.changes import sight
from nodediag.model.report import Report
from nodediag.render import as_json, as_openmetrics
from nodediag.watch import reports
from nodediag.watch.told import Diagnosed, Failed, Judging

Look = Callable[[], tuple[Report[Facts], Judging]]  # and how the profile of the report judges what the journal shows


def diagnose(tell: Tell, look: Look, folder: str | None, keep: int) -> None:
    """Look once, and tell what it came to."""
    try:
        told: Diagnosed | Failed = _diagnosed(*look(), folder, keep)
    except (UsageError, ProfileError) as error:
        told = Failed(status=Exit.USAGE, why=str(error))
    except NodediagError as error:
        told = Failed(status=Exit.FAILED, why=str(error))
    except Exception as error:  # noqa: BLE001 - the boundary of this process: the parent says what went wrong
        told = Failed(status=Exit.FAILED, why=f"internal error: {type(error).__name__}: {error}; please report it")
    tell(msgspec.json.encode(told))


def _diagnosed(report: Report[Facts], judging: Judging, folder: str | None, keep: int) -> Diagnosed:
    kept, lost = reports.keep(folder, keep, report.generated_at, as_json.render(report)) if folder else ("", "")
    return Diagnosed(
        sight=sight(report),
        node=report.node.name if report.node.name not in {"unknown", "none"} else report.node.hostname,
        verdict=report.verdict,
        because=report.verdict_because,
        outcomes=report.counts.outcomes,
        severities=report.counts.severities,
        judging=judging,
        kept=kept,
        lost=lost,
        metrics=as_openmetrics.families(report),
        duration_ms=sum(report.duration_ms.values()),
    )
