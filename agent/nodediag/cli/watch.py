"""nodediag watch."""

from typing import Final

import click
import msgspec

from nodediag.cli.options import collected, node_options, span
from nodediag.errors import Exit, UsageError
from nodediag.host import own
from nodediag.model.request import Request

_JITTER: Final = 0.1
_PATIENCE_S: Final = 3.0
_OK: Final = 200


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    interval: float
    jitter: float | None
    state: str | None
    keep: int
    listen: str
    once: bool
    check: bool


def _jitter(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    return 0.0 if value == "0" else span(ctx, param, value)


@click.command("watch", short_help="Diagnose again and again, and say what changed.")
@node_options
@click.option(
    "--interval", callback=span, default="5m", metavar="SPAN", show_default=True, help="From one diagnosis to the next."
)
@click.option(
    "--jitter",
    callback=_jitter,
    metavar="SPAN",
    help="An interval is longer or shorter by up to this. Default: a tenth.",
)
@click.option("--state", metavar="DIR", help="Keep the last reports and what was said there. Default: keep nothing.")
@click.option(
    "--keep", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many reports, each at most a MiB."
)
@click.option(
    "--listen", metavar="HOST:PORT|none", default="127.0.0.1:9753", show_default=True,
    help="Where /healthz, /readyz and /metrics are.",
)  # fmt: skip
@click.option("--once", is_flag=True, help="End after one diagnosis.")
@click.option("--check", is_flag=True, help="Ask the watch that listens there whether it is well; ends with 0 or 1.")
def command(**given: object) -> int:
    """Diagnose the node again and again, and say what changed: what a DaemonSet runs.

    Each diagnosis, and each problem that began or ended, is a line of JSON on standard output. Between diagnoses the
    journal is followed: a critical failure is told within seconds. Ends as the signal does that ends it.
    """
    options = msgspec.convert(given, _Given)
    if options.check:
        return _check(options.listen)
    return _watch(options, {key: value for key, value in given.items() if key not in _Given.__struct_fields__})


def _watch(options: _Given, given: dict[str, object]) -> int:
    """Become the process that stays, which need not know this command line's parser."""
    from nodediag.cli import watching  # noqa: PLC0415 - `--help` need not load it
    from nodediag.watch.changes import CHECK  # noqa: PLC0415 - as above
    from nodediag.watch.loop import Plan  # noqa: PLC0415 - as above

    node = collected(given)
    for name, value in (
        ("--record", node.record),
        ("--previous", node.previous),
        ("--until", node.until),
        ("--boot", node.boot),
    ):
        if value is not None:
            raise UsageError(f"{name} is for one report, not for one after the other")
    plan = Plan(
        interval_s=options.interval,
        jitter_s=options.interval * _JITTER if options.jitter is None else options.jitter,
        timeout_s=node.timeout,
        state=options.state,
        listen=options.listen,
        once=options.once,
        follow=Request(logs=not node.no_logs, only=node.only, skip=node.skip).selects(CHECK),
    )
    wanted = watching.Options(
        plan=plan,
        keep=options.keep,
        root=node.root,
        data=node.data,
        signatures=node.signatures,
        node=msgspec.json.encode(node).decode(),
    )
    own.again("nodediag.cli.watching", (msgspec.json.encode(wanted).decode(),))
    return watching.main(wanted)


def _check(listen: str) -> int:
    """Ask `/healthz`, as a container's health check does where there is no curl."""
    from nodediag.host import listener  # noqa: PLC0415 - only this asks
    from nodediag.watch import serve  # noqa: PLC0415 - as above

    where = serve.address(listen)
    if where is None:
        raise UsageError("--check asks where --listen says; there is none")
    host, port = where
    try:
        reply = listener.ask("127.0.0.1" if host == "0.0.0.0" else host, port, serve.QUESTION, _PATIENCE_S)  # noqa: S104
    except OSError as error:
        own.write_stdout(f"no answer from {listen}: {error.strerror or error}\n".encode())
        return Exit.PROBLEM
    status, body = serve.parse(reply)
    own.write_stdout((body or "no answer that is one\n").encode())
    return Exit.OK if status == _OK else Exit.PROBLEM
