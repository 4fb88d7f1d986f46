"""nodediag's verbs, and the one boundary past which no traceback goes."""

import errno
import gc
import signal
import sys
from contextlib import suppress
from importlib import import_module
from io import StringIO
from typing import Final

import click

from nodediag import __version__
from nodediag.errors import Exit, NodediagError, ProfileError, UsageError
from nodediag.host import own

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_VERBS: Final = ("report", "facts", "logs", "diff", "watch", "bundle", "explain", "profile", "schema")
_UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG})


class _Verbs(click.Group):
    """Loads a verb's file only when that verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _VERBS:
            return None
        command: click.Command = import_module(f"nodediag.cli.{cmd_name}").command
        return command


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="nodediag %(version)s")
def nodediag() -> None:
    """Tell whether a Kubernetes node still is what its image says it should be, and why it is sick if it is not."""


class _EndedError(BaseException):
    """A signal has ended the run: what was begun, such as a file that is not whole, is removed on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _end(number: int, _frame: object) -> None:
    for each in _ENDING:
        signal.signal(each, signal.SIG_DFL)  # a second one is not waited for
    raise _EndedError(number)


def main() -> None:
    """Run, and end with the status that the README lists."""
    gc.disable()  # a run is short and makes no cycles worth the time to look for them
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for number in _ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as nohup(1) has it
            signal.signal(number, _end)
    try:
        status = run(sys.argv[1:])
    except _EndedError as ended:
        own.die_of(ended.number)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever went wrong, a person reads one line
        _complain(f"internal error: {type(error).__name__}: {error}; please report it")
        status = Exit.FAILED
    own.leave(status)


def run(arguments: list[str]) -> int:
    """Run one verb and give the exit status."""
    try:
        status = nodediag.main(args=arguments, prog_name="nodediag", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        _tell(error.format_message())
        return Exit.USAGE
    except click.ClickException as error:
        shown = StringIO()
        error.show(shown)
        _tell(shown.getvalue().rstrip("\n"))
        return Exit.USAGE
    except (UsageError, ProfileError) as error:
        _complain(str(error))
        return Exit.USAGE
    except NodediagError as error:
        _complain(str(error))
        return Exit.FAILED
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        _complain(f"standard output: {error.strerror}")  # help and version are written by click itself
        return Exit.FAILED
    return status if isinstance(status, int) else Exit.OK


def _complain(message: str) -> None:
    from nodediag.render.visible import visible  # noqa: PLC0415 - only when something is wrong

    _tell(f"nodediag: {visible(message)}")


def _tell(text: str) -> None:
    """Write to standard error; where that is closed or full, the exit status alone must do."""
    if sys.stderr is not None:
        with suppress(OSError):
            click.echo(text, err=True)
