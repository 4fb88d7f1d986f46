"""One look at a node: opened, locked, diagnosed, recorded. What `report`, `facts` and `bundle` share."""

from datetime import datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Final

from nodediag.cli.options import NodeOptions
from nodediag.host import own
from nodediag.host.origin import open_host
from nodediag.host.recording import LOG

if TYPE_CHECKING:
    from nodediag.cli.diagnosed import Keep, Taken
    from nodediag.facts.snapshot import Facts
    from nodediag.model.report import Report

_NEXT: Final = "nodediag.cli.diagnosed"


def look(options: NodeOptions, now: datetime, keep: "Keep | None" = None, *, excerpt: bool = False) -> "Report[Facts]":
    """Diagnose the node the options mean, and give what was told to `keep` while it can still be asked.

    Raises UsageError, ProfileError, BusyError, OutputError.
    """
    own.be_gentle()
    if options.record is not None:
        own.prepare_folder("--record", options.record)
        keep = partial(_save, options.record)
    opened = open_host(options.root, budget_s=options.timeout, meanwhile=lambda: import_module(_NEXT))
    try:
        from nodediag.cli.diagnosed import diagnosed  # noqa: PLC0415 - after the child was made, which stays small so

        return diagnosed(opened, options, now, keep, excerpt=excerpt)
    finally:
        opened.close()


def _save(folder: str, taken: "Taken") -> None:
    taken.recorder.save(folder, taken.head, taken.others | {LOG: taken.log})
