"""Every story with pseudonyms for its addresses and names: what was found stays found, and nothing else is."""

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from nodediag.anonymise import strings
from nodediag.cli.pseudonyms import anonymiser
from nodediag.diagnose import diagnose
from nodediag.facts import inputs as inputs_
from nodediag.facts.snapshot import Facts
from nodediag.host.answer import Failure, Reply
from nodediag.host.ask import Ask, place
from nodediag.host.host import Host
from nodediag.host.recording import Recorder, Told, key
from nodediag.logs import node as logs_
from nodediag.logs.window import Window
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Report
from nodediag.model.request import Request
from tests.scenarios.made import MakeHost, made
from tests.scenarios.story import STORIES, read_story, resolved, twin_of
from tests.scenarios.test_scenarios import CATALOGUE
from tests.scenarios.told import earlier_look, inputs_of, told

KEY = b"k" * 32
# who is called as a folder, an option or a unit is must not make these something else
NAMES = (
    'pod="dev/core" pod="run/proc" pod="sys/overlay" pod="net/ext4" pod="opt/cgroup2" pod="home/tmpfs" pod="mnt/block"',
    "USER=var USER=etc USER=lib USER=relatime USER=rw project=kubepods hostname=class node=active",
)


class Again:
    """What was told of a node, told again."""

    def __init__(self, every: tuple[Told, ...]) -> None:
        self._told = {key(one.ask): one.reply for one in every if one.reply is not msgspec.UNSET}

    def answer(self, ask: Ask) -> Reply:
        absent = Failure(Reason(code=Code.NOT_CAPTURED, detail=place(ask)))
        return self._told.get(key(ask), absent)


def outcomes(report: Report[Facts]) -> object:
    found = [(check.id, check.outcome, [problem.severity for problem in check.problems]) for check in report.checks]
    return found, report.verdict, report.verdict_because, report.node.image_type, report.node.platform


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_pseudonyms_change_no_outcome(path: Path, host: MakeHost, now: datetime) -> None:
    story = read_story(path.name, path.read_text())
    below = resolved(story.node)
    for node in (below, *(twin_of(below, twin) for twin in story.twin)):
        if node.seen is False:
            continue
        asked = node.journal is not None
        request, inputs = Request(logs=asked), inputs_of(node)
        inputs = msgspec.structs.replace(inputs, earlier=earlier_look(node, host, now))
        seen = made(node, host, now)
        recorder = Recorder(seen._source)  # noqa: SLF001 - what a host is asked through
        report = diagnose(Host(recorder, seen.seen), told(node.journal, now), CATALOGUE, request, now, inputs=inputs)
        by = anonymiser(report, KEY, (*NAMES, *(text for one in recorder.told for text in strings(one))))
        again = diagnose(
            Host(Again(tuple(by.record(one) for one in recorder.told)), seen.seen),
            logs_.kept(by.json(logs_.encoded(report.logs)), Window(now=now), asked=asked),
            CATALOGUE,
            request,
            now,
            inputs=inputs_.kept(by.json(inputs_.encoded(inputs))),
        )
        assert outcomes(again) == outcomes(report)
