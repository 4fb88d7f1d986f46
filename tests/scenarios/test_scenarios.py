"""Stories of nodes: each TOML file in stories/ is a small node, what must be said of it, and its twins."""

from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.diagnose import diagnose
from nodediag.model.request import Request
from nodediag.profiles import issues
from nodediag.profiles.load import Catalogue, builtin
from nodediag.redact import redact_arguments, redact_text
from tests.scenarios.expected import differences, said, wanted
from tests.scenarios.made import MakeHost, made
from tests.scenarios.story import (
    HERE,
    STORIES,
    Case,
    Node,
    StoryError,
    cases_of,
    read_base,
    read_story,
    resolved,
    twin_of,
)
from tests.scenarios.told import earlier_look, inputs_of, told

CATALOGUE: Final = Catalogue(builtin(), issues=issues.builtin())


def twice(text: str) -> str:
    return redact_text(redact_text(text))


def masked(node: Node) -> Node:
    """Mask the secrets of all that is told of a node, twice."""

    def words(line: str) -> str:
        return " ".join(redact_arguments(redact_arguments(tuple(line.split()))))

    return msgspec.structs.replace(
        node,
        files={path: twice(text) for path, text in node.files.items()},
        processes={pid: words(line) for pid, line in node.processes.items()},
        kubelet=words(" ".join(node.kubelet)).split() if node.kubelet else node.kubelet,
        journal=[twice(line) for line in node.journal] if node.journal is not None else None,
        metadata={key: twice(value) for key, value in node.metadata.items()},
        object=twice(node.object) if node.object else node.object,
        instance=[twice(text) for text in node.instance] if node.instance is not None else None,
        gke_versions=twice(node.gke_versions) if node.gke_versions else node.gke_versions,
    )


@pytest.mark.parametrize("with_secrets", [True, False], ids=["", "masked"])
@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_and_its_twins_are_told_apart_with_and_without_secrets(
    path: Path,
    with_secrets: bool,  # noqa: FBT001 - a parameter of the test
    host: MakeHost,
    now: datetime,
) -> None:
    story = read_story(path.name, path.read_text())
    below = resolved(story.node)
    cases = [Case(story.story, story.expect, below), *(Case(t.story, t.expect, twin_of(below, t)) for t in story.twin)]
    if not with_secrets:
        cases = [Case(case.story, case.expect, masked(case.node)) for case in cases]
    for case in cases:
        logs = told(case.node.journal, now)
        request = Request(logs=case.node.journal is not None, deep=case.node.deep or False)
        inputs = inputs_of(case.node)
        inputs = msgspec.structs.replace(inputs, earlier=earlier_look(case.node, host, now))
        report = diagnose(made(case.node, host, now), logs, CATALOGUE, request, now, inputs=inputs)
        assert differences(said(report, case.expect), wanted(case.expect)) == [], case.story


def test_there_are_stories_and_every_base_is_used() -> None:
    told = [read_story(path.name, path.read_text()) for path in STORIES]
    used = {case.node.base for story in told for case in cases_of(story)}
    bases = {path.stem: read_base(path.stem) for path in (HERE / "bases").glob("*.toml")}
    assert set(bases) == (used | {base.base for base in bases.values()}) - {""}
    assert all(base.about for base in bases.values())


MINIMAL: Final = 'story = "s"\n[expect]\nverdict = "healthy"\n[[twin]]\nstory = "t"\n[twin.expect]\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("storry = 1\n", "storry"),
        ('story = "s"\n[expect]\n', "twin"),
        ('story = "s"\ntwin = []\n[expect]\n', "near miss"),
        (MINIMAL.replace("verdict", "verdikt"), "verdikt"),
        (MINIMAL.replace('verdict = "healthy"', 'failed = ["mounts.exe path:/var warning"]'), "no check mounts.exe"),
    ],
)
def test_a_mistake_in_a_story_is_named(text: str, words: str) -> None:
    with pytest.raises(StoryError, match=words):
        read_story("file.toml", text)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (Node(base="cos_contaner"), "there is no base 'cos_contaner'; there are bare_cos"),
        (Node(mount=["tmpfs /tmp"]), "wanted `SOURCE TARGET FSTYPE OPTIONS`"),
        (Node(flags={"version": "v1"}), "no kubelet runs here"),
        (Node(unmount=["tmp"]), "'tmp' is no path"),
    ],
)
def test_a_mistake_in_a_node_is_named(node: Node, words: str) -> None:
    with pytest.raises(StoryError, match=words):
        resolved(node)
