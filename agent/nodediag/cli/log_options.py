"""The options that say what of a journal is read and which signatures judge it, shared by all verbs that read one."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, ParamSpec

import click
import msgspec

from nodediag.errors import UsageError
from nodediag.host import own, package
from nodediag.host.origin import Opened
from nodediag.model.report import FOLDERS, Origin

if TYPE_CHECKING:
    from nodediag.logs.node import Logs
    from nodediag.logs.window import Window

_DAY: Final = "24h"
_READING: Final = 0.9  # of the time is for the journal, which is read beside all else
_OPTIONS: Final = (
    click.option("--since", metavar="WHEN", help="The journal from then on: 24h, a date, yesterday. Default: 24h."),
    click.option("--until", metavar="WHEN", help="The journal up to then. Default: now, or its end where it is saved."),
    click.option(
        "--boot", metavar="N|ID", help="One boot, all of it: 0 the last, -1 the one before, 1 the first, or an id."
    ),
    click.option("--signatures", metavar="FILE", help="Signatures of your own, beside those of this release."),
    click.option(
        "--data", metavar="DIR", help="Data newer than this release: DIR/{profiles,signatures,issues}/*.toml."
    ),
)

P = ParamSpec("P")


class LogOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What of a journal is read, and what it is held against."""

    since: str | None
    until: str | None
    boot: str | None
    signatures: str | None
    data: str | None

    def window(self, now: datetime, default: str = _DAY) -> "Window":
        """Give the time asked for; one boot is read from its beginning. Raises UsageError."""
        from nodediag.logs.window import Window  # noqa: PLC0415 - `--help` need not load it

        given = (("--since", self.since), ("--until", self.until), ("--boot", self.boot))
        for name, value in given:
            if value is not None and not value.strip():
                raise UsageError(f"{name} is empty")
        span = "" if self.since or self.boot else default
        window = Window(now=now, since=self.since or "", until=self.until or "", boot=self.boot or "", span=span)
        meant = window.query(())
        if meant.since > meant.until:
            end = f"--until {self.until!r}" if self.until else "now"
            raise UsageError(f"--since {self.since!r} is later than {end}; wanted an earlier time")
        return window

    def narrowed(self) -> str:
        """Name the option by which a certain time or boot is asked for; empty where there is none."""
        given = {"--since": self.since, "--until": self.until, "--boot": self.boot}
        return next((name for name, value in given.items() if value is not None), "")

    def texts(self) -> dict[str, str]:
        """Give the texts of this release's signatures, newer ones of --data over them, and one's own."""
        texts = package.texts("signatures/data")
        if self.data is not None:
            if own.texts_in("--data", self.data, ".toml"):
                wanted = "wanted its .toml files in profiles, signatures or issues below it"
                raise UsageError(f"--data {self.data}: {wanted}")
            texts |= own.texts_in("--data", f"{self.data}/signatures", ".toml")
        if self.signatures is not None:
            texts[self.signatures] = own.read_text("--signatures", self.signatures)
        if self.data is not None or self.signatures is not None:
            _tried(texts)
        return texts


def log_options(command: Callable[P, int]) -> Callable[P, int]:
    """Give a verb the options that say what of a journal is read."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def logs_of(  # noqa: PLR0913 - what is read, and how
    opened: Opened,
    options: LogOptions,
    signatures: dict[str, str],
    now: datetime,
    timeout_s: float,
    *,
    excerpt: bool = False,
) -> "Logs":
    """Begin to read a node's journal, in a child that stays small where little has been imported yet."""
    from nodediag.host.host import Taken  # noqa: PLC0415 - `--help` need not load it
    from nodediag.logs.node import LOGS, ReadLogs, kept, not_captured  # noqa: PLC0415 - as above

    seen = opened.host.seen
    window, origin = options.window(seen.observed_at or now), seen.origin
    if origin is Origin.NONE:
        return not_captured(window)
    if origin is not Origin.RECORDING:
        saved = Taken(seen.observed_at, seen.zone_s) if origin in FOLDERS else None
        budget_s = _READING * timeout_s
        return ReadLogs(opened.folder, signatures, window, budget_s=budget_s, saved=saved, excerpt=excerpt)
    if options.narrowed():
        raise UsageError(f"{options.narrowed()}: a recording holds what the journal told in its own window")
    return kept(opened.kept(LOGS), window, asked=True)


def without_logs(opened: Opened, options: LogOptions, now: datetime) -> "Logs":
    """Give what a run knows that asks for no logs; of a recording it is of the time that was meant when it was made."""
    from nodediag.logs.node import LOGS, kept, not_asked  # noqa: PLC0415 - `--help` need not load it

    seen = opened.host.seen
    window = options.window(seen.observed_at or now)
    if seen.origin is not Origin.RECORDING or options.narrowed():
        return not_asked(window)
    return kept(opened.kept(LOGS), window, asked=False)


def _tried(texts: dict[str, str]) -> None:
    """Tell a mistake in data that is not the release's here, and not in the child that reads; raises ProfileError."""
    from nodediag.logs.matcher import Matcher  # noqa: PLC0415 - the release's own signatures are not tried here
    from nodediag.signatures.load import merge  # noqa: PLC0415 - as above

    Matcher(merge(texts)).hits(b"\n")  # of more than one line, for which a set is made when it is wanted
