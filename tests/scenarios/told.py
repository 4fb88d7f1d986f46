"""What is told of a story's node beside itself: an earlier look, files that options name, and the journal."""

from datetime import datetime, timedelta
from functools import cache
from typing import Final

import msgspec

from nodediag.facts import restarts
from nodediag.facts.counters import UPTIME_PATH, Counters
from nodediag.facts.inputs import File, Inputs, read as read_inputs
from nodediag.facts.metadata import Asking
from nodediag.host.package import texts
from nodediag.journal.saved import SavedJournal
from nodediag.logs.collect import scan
from nodediag.logs.matcher import Matcher
from nodediag.logs.node import NOTHING, Excerpted, Logs, not_asked
from nodediag.logs.window import Window
from nodediag.model.image import OsFamily
from nodediag.model.logs import LogResult
from nodediag.signatures.load import merge
from tests.scenarios.made import MakeHost, made
from tests.scenarios.story import Node

BOOT_ID_LENGTH: Final = 32


EARLIER: Final = "86280.00 160000.00\n"  # two minutes before well.toml's


def earlier_look(node: Node, make: MakeHost, now: datetime) -> Counters | msgspec.UnsetType:
    """Look at the node as it was two minutes before, with the files that were different then."""
    if node.earlier is None or node.partial or node.seen is False:
        return msgspec.UNSET
    before = {UPTIME_PATH: EARLIER, **node.earlier}
    units = node.units if node.units_before is None else node.units | node.units_before
    return restarts.look(made(msgspec.structs.replace(node, files=node.files | before, units=units), make, now))


def inputs_of(node: Node) -> Inputs:
    return read_inputs(
        node=File("node.yaml", node.object) if node.object else None,
        name="",
        instance=tuple(File(f"instance-{number}", text) for number, text in enumerate(node.instance or [])),
        versions=File("gke-to-cos.json", node.gke_versions) if node.gke_versions else None,
        metadata=Asking(),
    )


class ToldLogs:
    """The journal of a story, judged by the release's signatures."""

    def __init__(self, lines: list[str], now: datetime) -> None:
        before = f"{(now - timedelta(hours=25)).isoformat()} init.scope the journal goes back further than is asked"
        text = b"\n".join(map(entry, (before, *lines)))
        journal = SavedJournal(iter([text]), "the story")
        self._scanned = scan(journal, matcher(), Window(now=now, since="24h").query(journal.units()))

    def judged(self, family: OsFamily) -> LogResult:
        return self._scanned.judged(family)

    def excerpt(self) -> Excerpted:
        return NOTHING

    def close(self) -> None:
        pass


def entry(line: str) -> bytes:
    """Make `TIME UNIT MESSAGE` a line as journalctl prints it; `UNIT@B` is of the boot B."""
    time, unit, message = line.split(" ", 2)
    unit, _, boot = unit.partition("@")
    at = datetime.fromisoformat(time)
    record = {
        "__REALTIME_TIMESTAMP": str(int(at.timestamp() * 1_000_000)),
        "_BOOT_ID": (boot or "a") * BOOT_ID_LENGTH,
        "MESSAGE": message,
        "PRIORITY": "6",
        **({"_TRANSPORT": "kernel"} if unit == "kernel" else {"_SYSTEMD_UNIT": unit}),
    }
    return msgspec.json.encode(record)


@cache
def matcher() -> Matcher:
    return Matcher(merge(texts("signatures/data")))


def told(lines: list[str] | None, now: datetime) -> Logs:
    return not_asked(Window(now=now)) if lines is None else ToldLogs(lines, now)
