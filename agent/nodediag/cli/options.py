"""The options that several verbs share, and what they mean for a run."""

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, ParamSpec

import click
import msgspec

from nodediag.cli.input_options import InputOptions, input_options
from nodediag.cli.log_options import log_options
from nodediag.errors import UsageError
from nodediag.host import own

FORMATS: Final = ("json", "text", "markdown", "html", "openmetrics")
_ABOUT: Final = {
    "markdown": "to paste into an issue",
    "html": "one page to read or print, without script or network",
    "openmetrics": "for node_exporter's textfile collector",
}
_LONGEST_S: Final = 366 * 86400.0  # beyond it no clock of the kernel's or Python's needs to go
LEAST_BETWEEN_LOOKS_S: Final = 5.0  # as in facts/earlier.py, which is imported later
LOG_FORMATS: Final = ("json", "text")
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}

P = ParamSpec("P")


def span(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Give a span of time such as `60s`, `500ms` or `2m` in seconds, for click."""
    match = _SPAN.fullmatch(value)
    if match is None or float(match[1]) == 0:
        wanted = f"{value!r} is no span of time; wanted one such as 60s, 500ms or 2m"
        raise click.BadParameter(wanted, ctx=ctx, param=param)
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_S:
        raise click.BadParameter(f"{value[:40]!r} is longer than a year", ctx=ctx, param=param)
    return seconds


def spaced(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Give the time between two looks in seconds, for click."""
    if value is None:
        return None
    seconds = span(ctx, param, value)
    if seconds < LEAST_BETWEEN_LOOKS_S:
        wanted = f"{value!r} is too short for a rate; wanted {LEAST_BETWEEN_LOOKS_S:g}s or more"
        raise click.BadParameter(wanted, ctx=ctx, param=param)
    return seconds


class NodeOptions(InputOptions, frozen=True, kw_only=True):
    """Which node is looked at, for how long, and what it is held against."""

    root: str | None
    timeout: float  # seconds
    profile: str | None
    record: str | None
    sample: float | None  # seconds
    previous: str | None
    only: tuple[str, ...]
    skip: tuple[str, ...]
    no_logs: bool
    deep: bool
    verbose: bool

    def given(self) -> dict[str, str]:
        """Give those that say what is looked at and how, where they say anything."""
        told = ((name, getattr(self, name)) for name in self.__struct_fields__ if name not in {"verbose", "record"})
        return {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in told if value}


_NODE: Final = (
    click.option("--root", metavar="PATH", help="A folder, a recording, or `none`. Default: found by itself."),
    click.option("--profile", metavar="NAME|FILE", help="Judge by this profile instead of the one that fits."),
    click.option(
        "--timeout",
        callback=span,
        default="60s",
        metavar="SPAN",
        show_default=True,
        help="How long the whole run may take.",
    ),
    click.option("--record", metavar="DIR", help="Keep a recording of all that was read, in a new folder."),
    click.option("--sample", callback=spaced, metavar="SPAN", help="Look twice, so far apart (5s or more), for rates."),
    click.option("--previous", metavar="FILE", help="Take rates since this report or recording of the same boot."),
    click.option("--only", multiple=True, metavar="ID[,ID]", help="Run only these checks, or groups such as `mounts`."),
    click.option("--skip", multiple=True, metavar="ID[,ID]", help="Leave out these checks or groups."),
    click.option("-v", "--verbose", is_flag=True, help="Log to standard error what the run did."),
    click.option(
        "--deep", is_flag=True, help="Look at what takes long too: checksums of packages, what fills the disks."
    ),
    click.option("--no-logs", is_flag=True, help="Do not read the journal."),
)


def node_options(command: Callable[P, int]) -> Callable[P, int]:
    """Give a verb the options that say which node, and how."""
    command = input_options(log_options(command))
    for option in reversed(_NODE):
        command = option(command)
    return command


def output_option(command: Callable[P, int]) -> Callable[P, int]:
    """Give a verb `-o`."""
    help_text = "Write there, whole or not at all, readable to its owner only. `-` is standard output."
    return click.option("-o", "--output", metavar="FILE", default="-", help=help_text)(command)


def collected(given: dict[str, object]) -> NodeOptions:
    """Put together what click gave for these options; raises UsageError."""
    options = msgspec.convert(given, NodeOptions)
    return msgspec.structs.replace(options, only=split(options.only), skip=split(options.skip))


def split(values: tuple[str, ...]) -> tuple[str, ...]:
    """Split repeated options at commas; raises UsageError for an empty name."""
    names = tuple(name.strip() for value in values for name in value.split(","))
    if "" in names:
        raise UsageError("--only and --skip take names separated by commas; one of them is empty")
    return names


def format_option(formats: tuple[str, ...]) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Give a verb `--format`."""
    told = (f"{name}: {about}." for name, about in _ABOUT.items() if name in formats)
    help_text = " ".join(("Default: text on a terminal, json otherwise.", *told))
    return click.option("--format", "form", type=click.Choice(formats), help=help_text)


def wants_text(form: str | None, output: str) -> bool:
    """Tell whether the result is for a person: as `--format` says, else where a terminal shows it."""
    return form == "text" or (form is None and _to_terminal(output))


def wants_colour(output: str) -> bool:
    """Tell whether a terminal shows it in colours, and its user wants them: https://no-color.org, terminfo(5)."""
    return _to_terminal(output) and not own.environment("NO_COLOR") and own.environment("TERM") != "dumb"


def _to_terminal(output: str) -> bool:
    """Tell whether a person reads standard output, which may have been closed before we started."""
    return output == "-" and sys.stdout is not None and sys.stdout.isatty()


def now() -> datetime:
    """Give the time, once a run; all else is handed it."""
    return datetime.now(UTC)  # noqa: TID251 - the one place
