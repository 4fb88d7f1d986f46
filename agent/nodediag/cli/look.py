"""One look at a node: opened, locked, diagnosed, recorded. What `report` and `facts` share."""

import sys
import time
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from nodediag.cli.log_options import logs_of, without_logs
from nodediag.cli.options import NodeOptions
from nodediag.errors import BusyError, ReadError, UsageError
from nodediag.facts import ahead
from nodediag.host import own
from nodediag.host.host import Host
from nodediag.host.origin import RUNNING, Opened, open_host
from nodediag.logs.node import LOGS, Logs, encoded
from nodediag.model.report import Origin, Report
from nodediag.model.request import Request

if TYPE_CHECKING:
    from nodediag.facts.inputs import Inputs
    from nodediag.facts.snapshot import Facts
    from nodediag.profiles.load import Catalogue

_LOCK_PATHS: Final = ("/etc/os-release", "/usr/lib/os-release")
_LOCK_PAUSE_S: Final = 0.2


def look(options: NodeOptions, now: datetime) -> Report["Facts"]:
    """Diagnose the node the options mean; raises UsageError, ProfileError, BusyError, OutputError."""
    own.be_gentle()
    if options.record is not None:
        own.prepare_folder("--record", options.record)
    opened = open_host(options.root, budget_s=options.timeout)  # its child is made before the rest is imported
    try:
        return _diagnosed(opened, options, now)
    finally:
        opened.close()


def _diagnosed(opened: Opened, options: NodeOptions, now: datetime) -> Report["Facts"]:
    if opened.host.seen.origin in RUNNING:
        _wait_for_turn(opened.host, options.timeout)
    opened.host.ahead(*ahead.ASKS)
    signatures = options.texts()
    logs = (
        without_logs(opened, options, now)
        if options.no_logs
        else logs_of(opened, options, signatures, now, options.timeout)
    )
    try:
        return _judged(opened, logs, signatures, options, now)
    finally:
        logs.close()


def _judged(
    opened: Opened, logs: Logs, signatures: dict[str, str], options: NodeOptions, now: datetime
) -> Report["Facts"]:
    from nodediag.diagnose import check_selection, diagnose  # noqa: PLC0415 - after the children were made
    from nodediag.facts import inputs as inputs_  # noqa: PLC0415 - as above
    from nodediag.host.recording import Head  # noqa: PLC0415 - as above

    request = Request(logs=not options.no_logs, deep=options.deep, only=options.only, skip=options.skip)
    check_selection(request)
    catalogue, profile = catalogue_of(options, signatures)
    request = msgspec.structs.replace(request, profile=profile)
    inputs = _inputs(opened, options)
    recorder = opened.record() if options.record is not None else None
    host = opened.host
    report = diagnose(host, logs, catalogue, request, now, inputs=inputs)
    if options.record is not None and recorder is not None:
        head = Head(
            version=report.tool.version, observed_at=report.observed_at, origin=host.seen.origin, root=host.seen.root
        )
        kept = {LOGS: encoded(report.logs), inputs_.INPUTS: inputs_.encoded(inputs)}
        recorder.save(options.record, head, kept)
    if options.verbose:
        _log(report)
    return report


def _inputs(opened: Opened, options: NodeOptions) -> "Inputs":
    """Read the files that options name, over those that a recording kept."""
    from nodediag.facts.inputs import INPUTS, kept, laid  # noqa: PLC0415 - after the children were made

    given = options.inputs()
    return laid(kept(opened.kept(INPUTS)), given) if opened.host.seen.origin is Origin.RECORDING else given


def _log(report: Report["Facts"]) -> None:
    """Log the run's one line; a standard error that takes none must not cost the report."""
    from nodediag import log  # noqa: PLC0415 - structlog costs more than all else; only who asks for it pays

    if sys.stderr is None:
        return
    log.configure(terminal=sys.stderr.isatty())
    with suppress(OSError):
        log.event(
            "diagnosed",
            verdict=report.verdict.value,
            origin=report.view.origin.value,
            root=report.view.root,
            blind_spots=len(report.view.blind_spots),
            **{f"{step}_ms": duration for step, duration in report.duration_ms.items()},
        )


def catalogue_of(options: NodeOptions, signatures: dict[str, str]) -> tuple["Catalogue", str]:
    """Read this release's profiles and known issues, those of --data over them, and a file that --profile names."""
    from nodediag.diagnose import check_profile  # noqa: PLC0415 - after the child was made
    from nodediag.profiles import issues  # noqa: PLC0415 - as above
    from nodediag.profiles.load import Catalogue, builtin  # noqa: PLC0415 - as above

    newer, known = dict[str, str](), issues.builtin()
    if options.data is not None:
        if not own.is_folder(options.data):
            raise UsageError(f"--data {options.data}: there is no such folder")
        newer = own.texts_in("--data", f"{options.data}/profiles", ".toml")
        known |= own.texts_in("--data", f"{options.data}/issues", ".toml")
    catalogue = Catalogue(builtin(), signatures, known)
    for file, text in newer.items():
        catalogue.add(file, text)
    if options.profile is None or options.profile.partition("@")[0] in catalogue.names():
        return catalogue, options.profile or ""
    if "/" not in options.profile and not options.profile.endswith(".toml"):
        return catalogue, options.profile  # diagnose says which names there are
    name = catalogue.add(options.profile, own.read_text("--profile", options.profile))
    check_profile(catalogue.get(name), options.profile)
    return catalogue, name


def _wait_for_turn(host: Host, timeout_s: float) -> None:
    """Wait until no other diagnosis of this node runs; a node without a file to lock is diagnosed all the same."""
    until = time.monotonic() + timeout_s
    for path in _LOCK_PATHS:
        try:
            while not host.lock(path):
                if time.monotonic() >= until:
                    raise BusyError(f"another diagnosis of this node still ran after {timeout_s:g} s")
                time.sleep(_LOCK_PAUSE_S)
        except ReadError:
            continue
        return
