"""nodediag profile: what images are held against, listed, shown, checked, compared, and recorded from a good node."""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click
import msgspec

from nodediag.cli.options import collected, node_options, now, output_option
from nodediag.errors import Exit, UsageError
from nodediag.host import own
from nodediag.render.visible import visible

if TYPE_CHECKING:
    from nodediag.facts.snapshot import Facts
    from nodediag.model.report import Report
    from nodediag.profiles.load import Catalogue
    from nodediag.profiles.profile import Profile

_data_option: Final = click.option(
    "--data", metavar="DIR", help="Profiles newer than this release: DIR/profiles/*.toml."
)


@click.group("profile")
def command() -> None:
    """List, show, validate, compare and record image profiles."""


@command.command("list", short_help="List all profiles, and which image each is for.")
@_data_option
def listing(data: str | None) -> int:
    """List all profiles: date, the document each follows, which image it is for, older revisions."""
    catalogue = _catalogue(data)
    for name in catalogue.names():
        profile = catalogue.get(name)
        match = msgspec.to_builtins(profile.match) if profile.match is not msgspec.UNSET else {}
        image = ", ".join(f"{key} {value}" for key, value in match.items()) or "what no other fits"
        older = [date for date in catalogue.revisions(name) if date != profile.date]
        also = f"; also {', '.join(f'{name}@{date}' for date in older)}" if older else ""
        _print(f"{name:<18} {profile.date}  for {image}; follows: {profile.document}{also}")
    return Exit.OK


@command.command("show", short_help="Print a profile with all it extends, as TOML.")
@click.argument("name", metavar="NAME|FILE")
@_data_option
def show(name: str, data: str | None) -> int:
    """Print a profile with all it extends, as one TOML file that says the same."""
    from nodediag.profiles.load import BASE  # noqa: PLC0415 - `--help` need not load it
    from nodediag.profiles.write import as_toml, whole  # noqa: PLC0415 - as above

    catalogue = _catalogue(data)
    own.write_stdout(as_toml(whole(_named(catalogue, name), catalogue.get(BASE))).encode())
    return Exit.OK


@command.command("validate", short_help="Check profiles of your own.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@_data_option
def validate(files: tuple[str, ...], data: str | None) -> int:
    """Check profiles of your own: a mistake is told with file, key, what was found and what was wanted."""
    catalogue = _catalogue(data)
    added = [(file, catalogue.add(file, own.read_text("FILE", file))) for file in files]  # they may extend each other
    for file, name in added:
        _checked(catalogue.get(name), file)
        _print(f"{file}: the profile {name} is valid")
    return Exit.OK


@command.command("diff", short_help="Say what two profiles or revisions ask differently.")
@click.argument("one", metavar="NAME|FILE")
@click.argument("other", metavar="NAME|FILE")
@_data_option
def diff(one: str, other: str, data: str | None) -> int:
    """Say in words what two profiles, or two revisions NAME@DATE of one, ask differently."""
    from nodediag.profiles.differences import differences  # noqa: PLC0415 - `--help` need not load it

    lines = differences(_named(_catalogue(data), one), _named(_catalogue(data), other), (one, other))
    for line in lines or (f"{one} and {other} ask the same",):
        _print(line)
    return Exit.OK


@command.command("record", short_help="Write a profile from a node known to be good.")
@click.option("--name", metavar="NAME", required=True, help="What the profile is to be called.")
@node_options
@output_option
def record(name: str, output: str, **node: object) -> int:
    """Write a profile from a node that is known to be good; it extends the profile that fits.

    It is loaded again, and the node judged by it: unless the verdict is healthy nothing is written, and the status is
    that of such a report. What was left out, and why, stands at the top of the file.
    """
    from nodediag.cli.look import look  # noqa: PLC0415 - only this one of the verbs looks at a node

    options = collected(node)
    report = look(options, now())
    from nodediag.cli.catalogue import catalogue_of  # noqa: PLC0415 - loaded while the node answers
    from nodediag.facts.fact import NotKnownError  # noqa: PLC0415 - as above
    from nodediag.images.record import record as recorded  # noqa: PLC0415 - as above

    catalogue, asked = catalogue_of(options, {})
    try:
        made = recorded(report.facts, _fitting(report, catalogue, asked), name, report.observed_at.date().isoformat())
    except NotKnownError as error:
        _refuse(str(error))
        return Exit.UNKNOWN
    if name in catalogue.names():
        raise UsageError(f"--name {name}: there is a profile of that name; a new one needs a name of its own")
    catalogue.add(output, made.text)
    status = _judged(report, msgspec.structs.replace(catalogue.get(name), judged_on=report.observed_at.date()))
    if status is Exit.OK:
        own.write_output(output, made.text.encode())
    return status


def _fitting(report: "Report[Facts]", catalogue: "Catalogue", asked: str) -> "Profile":
    from nodediag.profiles.load import BASE  # noqa: PLC0415 - as above

    used = report.profile.name if report.profile is not msgspec.UNSET else BASE
    return catalogue.get(asked or used)


def _judged(report: "Report[Facts]", profile: "Profile") -> Exit:
    """Judge the facts once more; say what is against it where the node is not well by its own profile."""
    from nodediag.checks import CHECKS  # noqa: PLC0415 - as above
    from nodediag.checks.check import run  # noqa: PLC0415 - as above
    from nodediag.diagnose import judge  # noqa: PLC0415 - as above
    from nodediag.model.outcome import Outcome, Verdict  # noqa: PLC0415 - as above
    from nodediag.model.request import Request  # noqa: PLC0415 - as above

    chosen = tuple(result.id for result in report.checks if result.outcome is not Outcome.NOT_SELECTED)
    request = Request(logs=True, only=chosen)
    results = tuple(run(check, report.facts, profile, request) for check in CHECKS)
    verdict, because = judge(results, profile)
    if verdict is Verdict.HEALTHY:
        return Exit.OK
    named = [f"{result.id}: {problem.message}" for result in results for problem in result.problems]
    told = "; ".join(named) if verdict is not Verdict.UNKNOWN else ", ".join(because) + " could not be seen"
    _refuse(f"by its own profile the node is {verdict.value}: {told}")
    return Exit.UNKNOWN if verdict is Verdict.UNKNOWN else Exit.PROBLEM


def _refuse(why: str) -> None:
    with suppress(OSError):  # a standard error that takes none must not change the status
        click.echo(visible(f"nodediag: nothing was written: {why}"), err=True)


def _catalogue(data: str | None) -> "Catalogue":
    from nodediag.profiles.load import Catalogue, builtin  # noqa: PLC0415 - `--help` need not load it

    catalogue = Catalogue(builtin())
    if data is not None:
        if not own.is_folder(data):
            raise UsageError(f"--data {data}: there is no such folder")
        for file, text in own.texts_in("--data", f"{data}/profiles", ".toml").items():
            catalogue.add(file, text)
    return catalogue


def _named(catalogue: "Catalogue", name: str) -> "Profile":
    """Give a profile by its name, or the one in a file."""
    if name.partition("@")[0] in catalogue.names() or not ("/" in name or name.endswith(".toml")):
        return catalogue.get(name)
    return catalogue.get(catalogue.add(name, own.read_text("FILE", name)))


def _checked(profile: "Profile", file: str) -> None:
    from nodediag.diagnose import check_profile  # noqa: PLC0415 - only `validate` needs the checks

    check_profile(profile, file)


def _print(line: str) -> None:
    own.write_stdout(line.encode() + b"\n")
