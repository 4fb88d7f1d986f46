"""What follows once a node is open, loaded while it begins to answer: lock, diagnose, keep. See look.py."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from nodediag.cli.catalogue import catalogue_of
from nodediag.cli.log_options import logs_of, without_logs
from nodediag.cli.looks import earlier_look
from nodediag.cli.options import NodeOptions
from nodediag.errors import BusyError, ParseError, ReadError, UsageError
from nodediag.facts import ahead
from nodediag.facts.inputs import INPUTS, Inputs, encoded as encoded_inputs, kept, laid
from nodediag.facts.node_name import VARIABLE, NodeName, parse
from nodediag.host import own
from nodediag.host.host import Host
from nodediag.host.origin import RUNNING, Opened
from nodediag.host.recording import LOG, PROFILE, REPORT, Head, Recorder, Told
from nodediag.logs.node import LOGS, Logs, encoded
from nodediag.model.outcome import Verdict
from nodediag.model.report import Captured, Origin, ProfileUsed, Report
from nodediag.model.request import Request

if TYPE_CHECKING:
    from nodediag.facts.snapshot import Facts
    from nodediag.logs.node import Excerpted
    from nodediag.profiles.load import Catalogue

_LOCK_PATHS: Final = ("/etc/os-release", "/usr/lib/os-release")
_LOCK_PAUSE_S: Final = 0.2


class _ToldTool(msgspec.Struct):
    version: str


class _Told(msgspec.Struct):
    verdict: Verdict
    tool: _ToldTool


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """All that a look at a node was told, and what it came to.

    `others` stand in the recording beside its answers, and so does the `log` that the run kept of itself; `excerpt` is
    of the journal, where it was asked for and read.
    """

    opened: Opened
    report: Report["Facts"]
    profile: str
    asked: bool  # whether somebody named that profile
    log: bytes
    signatures: dict[str, str]
    recorder: Recorder
    others: dict[str, bytes]
    masked: dict[str, dict[str, int]]  # in which of these, by the rule's id
    excerpt: "Excerpted"

    @property
    def head(self) -> Head:
        """The first line of the recording."""
        seen, report = self.opened.host.seen, self.report
        return Head(version=report.tool.version, observed_at=report.observed_at, origin=seen.origin, root=seen.root)


Keep: TypeAlias = Callable[[Taken], None]


def diagnosed(
    opened: Opened, options: NodeOptions, now: datetime, keep: Keep | None, *, excerpt: bool
) -> Report["Facts"]:
    """Wait for one's turn, diagnose, and give what was told to `keep`."""
    if opened.host.seen.origin in RUNNING:
        _wait_for_turn(opened.host, options.timeout)
    if options.sample is None:  # else all is asked after the first look, none of it before
        opened.host.ahead(*ahead.ASKS)
    signatures = options.texts()
    logs = (
        without_logs(opened, options, now)
        if options.no_logs
        else logs_of(opened, options, signatures, now, options.timeout, excerpt=excerpt)
    )
    try:
        return _judged(opened, logs, signatures, options, now, keep)
    finally:
        logs.close()


def _judged(  # noqa: PLR0913, PLR0917 - all that a look rests on
    opened: Opened, logs: Logs, signatures: dict[str, str], options: NodeOptions, now: datetime, keep: Keep | None
) -> Report["Facts"]:
    from nodediag.diagnose import check_selection, diagnose  # noqa: PLC0415 - after the children were made

    request = Request(logs=not options.no_logs, deep=options.deep, only=options.only, skip=options.skip)
    check_selection(request)
    catalogue, profile = catalogue_of(options, signatures)
    asked = opened.kept(PROFILE) if not profile and opened.host.seen.origin is Origin.RECORDING else None
    if asked is not None:
        profile = catalogue.add(f"{PROFILE} of the bundle", asked.decode("utf-8", "backslashreplace"))
    request = msgspec.structs.replace(request, profile=profile)
    if keep is not None:
        _counted()
    inputs = _inputs(opened, options)
    masked = {INPUTS: _counted() if keep is not None else {}}
    recorder = opened.record() if keep is not None else None
    report = diagnose(opened.host, logs, catalogue, request, now, inputs=inputs)
    report = msgspec.structs.replace(report, captured=_captured(opened))
    if keep is not None and recorder is not None:
        others = {LOGS: encoded(report.logs), INPUTS: encoded_inputs(inputs)}
        own_text = bool(profile) and options.data is None  # all that it extends is this release's
        log = _log(opened, report, recorder, options)
        masked[LOG] = _counted()
        judged_by = catalogue.text(profile) if own_text else _judged_by(report, catalogue, profile)
        keep(
            Taken(
                opened=opened, report=report, profile=judged_by, asked=bool(profile), log=log, signatures=signatures,
                recorder=recorder, others=others, masked={path: counts for path, counts in masked.items() if counts},
                excerpt=logs.excerpt(),
            )
        )  # fmt: skip
    if options.verbose:
        _say(report, () if recorder is None else recorder.told, options)
    return report


def _counted() -> dict[str, int]:
    """Give what was masked since this was asked before, by the rule's id."""
    from nodediag.redact import counted  # noqa: PLC0415 - only who keeps the look needs it

    return counted()


def _judged_by(report: Report["Facts"], catalogue: "Catalogue", asked: str) -> str:
    """Give the profile that judged, with all that it extends, as one file."""
    from nodediag.profiles.load import BASE  # noqa: PLC0415 - only who keeps the look needs it
    from nodediag.profiles.write import as_toml, whole  # noqa: PLC0415 - as above

    used = report.profile.name if isinstance(report.profile, ProfileUsed) else BASE
    return as_toml(whole(catalogue.get(asked or used), catalogue.get(BASE)))


def _captured(opened: Opened) -> Captured | msgspec.UnsetType:
    """Give the verdict that a bundle brings with it."""
    data = opened.kept(REPORT) if opened.host.seen.origin is Origin.RECORDING else None
    if data is None:
        return msgspec.UNSET
    try:
        told = msgspec.json.decode(data, type=_Told)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{REPORT} of the bundle is no report: {error}") from error
    return Captured(verdict=told.verdict, version=told.tool.version)


def _inputs(opened: Opened, options: NodeOptions) -> Inputs:
    """Read the files that options name, over those that a recording kept, and take the first of two looks."""
    given = options.inputs()
    if opened.host.seen.origin in RUNNING:
        given = msgspec.structs.replace(given, node_name=_named())
    first = earlier_look(opened, options)
    if first is not None:
        given = msgspec.structs.replace(given, earlier=first)
    return laid(kept(opened.kept(INPUTS)), given) if opened.host.seen.origin is Origin.RECORDING else given


def _named() -> NodeName | msgspec.UnsetType:
    """Give the node's name as Kubernetes told it to our pod."""
    name = own.environment(VARIABLE)
    try:
        return parse(name) if name else msgspec.UNSET
    except ParseError as error:
        raise UsageError(error.reason.detail) from error


def _log(opened: Opened, report: Report["Facts"], recorder: Recorder, options: NodeOptions) -> bytes:
    """Give what the run tells of itself; a recording keeps that of the run that looked at the node."""
    from nodediag.render import as_log  # noqa: PLC0415 - only who keeps the look needs it

    before = opened.kept(LOG) if opened.host.seen.origin is Origin.RECORDING else None
    return as_log.render(as_log.events(report.timeless(), recorder.told, options.given())) if before is None else before


def _say(report: Report["Facts"], told: tuple[Told, ...], options: NodeOptions) -> None:
    """Log what the run tells of itself; a standard error that takes nothing must not cost the report."""
    from nodediag import log  # noqa: PLC0415 - structlog costs more than all else; only who asks for it pays
    from nodediag.render import as_log  # noqa: PLC0415 - as above

    if sys.stderr is None:
        return
    log.configure(terminal=sys.stderr.isatty())
    with suppress(OSError):
        for event in as_log.events(report, told, options.given()):
            log.event(event.name, level=event.level, at=event.at, fields=event.fields)


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
