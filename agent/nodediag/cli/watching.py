"""The process that `nodediag watch` becomes: it stays for weeks, so it holds no command line parser, and little else.

`python -m nodediag.cli.watching OPTIONS`, the options as the JSON of `Options`.
"""

import gc
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import msgspec

from nodediag.errors import Exit, NodediagError, OutputError, ProfileError, UsageError
from nodediag.host import own, state_folder
from nodediag.watch.loop import Loop, Plan, Work
from nodediag.watch.told import Failed, Place

if TYPE_CHECKING:
    from nodediag.cli.options import NodeOptions
    from nodediag.facts.snapshot import Facts
    from nodediag.host.child import Tell
    from nodediag.model.report import Report
    from nodediag.watch.told import Judging


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What `nodediag watch` was asked for; `node` are the options of a diagnosis, as JSON."""

    plan: Plan
    keep: int
    root: str | None
    data: str | None
    signatures: str | None
    node: str


def main(options: Options | None = None) -> NoReturn:
    """Watch until a signal ends it, and end as that signal does; the options are those of the command line."""
    own.hold_streams()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        number = watch(options or msgspec.json.decode(sys.argv[1], type=Options))
    except (UsageError, ProfileError) as error:
        _complain(str(error))
        own.leave(Exit.USAGE)
    except OutputError as error:
        _complain(str(error))
        own.leave(Exit.FAILED)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever went wrong, a person reads one line
        _complain(f"internal error: {type(error).__name__}: {error}; please report it")
        own.leave(Exit.FAILED)
    if number:
        own.die_of(number)
    own.leave(Exit.OK)


def watch(options: Options) -> int:
    """Watch, and give the signal that ended it; raises UsageError, and OutputError where what it came to is lost."""
    gc.enable()
    if options.plan.state is not None:
        state_folder.prepare("--state", options.plan.state)
    work = Work(
        diagnose=partial(_diagnose, options=options),
        find=partial(_find, options=options),
        follow=partial(_follow, options=options),
    )
    loop = Loop(options.plan, work, _now)
    number = loop.run()
    if not number and loop.unsaid and options.plan.state is None:
        raise OutputError(f"standard output: {loop.unsaid}")
    return number


def _diagnose(tell: "Tell", options: Options) -> None:
    from nodediag.watch.diagnosis import diagnose  # noqa: PLC0415 - the parent does not need it

    gc.disable()
    diagnose(tell, partial(_look, options), options.plan.state, options.keep)


def _look(options: Options) -> tuple["Report[Facts]", "Judging"]:
    from nodediag.cli.look import look  # noqa: PLC0415 - the parent does not need it
    from nodediag.cli.looks import holds_counters  # noqa: PLC0415 - as above
    from nodediag.cli.options import NodeOptions  # noqa: PLC0415 - as above
    from nodediag.watch import reports  # noqa: PLC0415 - as above

    node = msgspec.json.decode(options.node, type=NodeOptions)
    last = reports.last(options.plan.state)
    if last is not None and node.sample is None and holds_counters(last):
        node = msgspec.structs.replace(node, previous=last)
    report = look(node, _now())
    return report, _judging(node, report)


def _judging(node: "NodeOptions", report: "Report[Facts]") -> "Judging":
    """Give how the profile of the report judges what the follower may find."""
    from nodediag.cli.catalogue import catalogue_of  # noqa: PLC0415 - the parent does not need it
    from nodediag.model.outcome import Severity, Waiver  # noqa: PLC0415 - as above
    from nodediag.watch.changes import CHECK  # noqa: PLC0415 - as above
    from nodediag.watch.told import Judging, Waived  # noqa: PLC0415 - as above

    catalogue, named = catalogue_of(node, {})
    name = named or (report.profile.name if report.profile is not msgspec.UNSET else "")
    if not name:
        return Judging()
    profile = catalogue.get(name)
    waived = (
        Waived(signature=rule.subject, waiver=Waiver(owner=rule.owner, reason=rule.reason, expires=rule.expires))
        for rule in profile.waivers
        if rule.check == CHECK
    )
    return Judging(severity=profile.severity.get(CHECK, Severity.CRITICAL), waived=tuple(waived))


def _find(tell: "Tell", options: Options) -> None:
    """Find the node's files, and tell whose system it is by its os-release alone."""
    from nodediag.errors import ParseError, ReadError  # noqa: PLC0415 - the parent does not need it
    from nodediag.facts import os_release  # noqa: PLC0415 - as above
    from nodediag.host.origin import open_host  # noqa: PLC0415 - as above

    try:
        opened = open_host(options.root, budget_s=options.plan.timeout_s)
    except NodediagError as error:
        tell(msgspec.json.encode(Failed(status=Exit.USAGE, why=str(error))))
        return
    family = "other"
    with suppress(ReadError, ParseError):
        named = os_release.collect(opened.host).id
        family = named if named in {"cos", "ubuntu"} else "other"
    opened.close()
    tell(msgspec.json.encode(Place(folder=opened.folder, family=family)))


def _follow(tell: "Tell", place: Place, cursor: str, since_us: int, options: Options) -> None:
    try:
        from nodediag.watch.follow import follow  # noqa: PLC0415 - the parent does not need it

        follow(tell, place, partial(_signatures, options), cursor, since_us)
    except (ImportError, OSError, NodediagError) as error:
        tell(msgspec.json.encode(Failed(status=Exit.FAILED, why=str(error))))
        raise


def _signatures(options: Options) -> dict[str, str]:
    """Give what LogOptions.texts gives, without loading the command line's parser for it."""
    from nodediag.host import package  # noqa: PLC0415 - the parent does not need it

    texts = package.texts("signatures/data")
    if options.data is not None:
        texts |= own.texts_in("--data", f"{options.data}/signatures", ".toml")
    if options.signatures is not None:
        texts[options.signatures] = own.read_text("--signatures", options.signatures)
    return texts


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the clock of a process that stays


def _complain(message: str) -> None:
    from nodediag.render.visible import visible  # noqa: PLC0415 - only when something is wrong

    with suppress(OSError, AttributeError):
        sys.stderr.write(f"nodediag: {visible(message)}\n")


if __name__ == "__main__":
    main()
