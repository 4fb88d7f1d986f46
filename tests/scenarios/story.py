"""The stories as they are written: what a file may hold, and a node laid over what it stands on. See README.md.

A story stands on a base from bases/ (a healthy node) and tells what is different; a twin stands on the story and is the
near miss, after which the finding is gone or another.
"""

from pathlib import Path
from typing import Final

import msgspec

from nodediag.checks import CHECKS

HERE: Final = Path(__file__).parent


STORIES: Final = sorted((HERE / "stories").glob("*.toml"))


class Node(msgspec.Struct, forbid_unknown_fields=True):
    """A node, or what is different from the one below it."""

    base: str = ""
    about: str = ""
    partial: bool | None = None
    uname: str | None = None
    table: str = ""
    files: dict[str, str] = {}
    remove: list[str] = []
    mount: list[str] = []
    mount_on_top: list[str] = []
    unmount: list[str] = []
    block: dict[str, str] = {}
    processes: dict[str, str] = {}
    kubelet: list[str] | None = None
    flags: dict[str, str] = {}
    journal: list[str] | None = None
    space: dict[str, str] = {}
    states: dict[str, str] = {}
    parents: dict[str, int] = {}
    deep: bool | None = None
    metadata: dict[str, str] = {}
    object: str | None = None
    instance: list[str] | None = None
    gke_versions: str | None = None
    seen: bool | None = None
    systemd: str = ""
    units: dict[str, str] = {}
    units_before: dict[str, str] | None = None
    links: dict[str, str] = {}
    cgroups: dict[str, str] = {}
    certificates: dict[str, list[str]] = {}
    healthz: str = ""
    sockets: dict[str, str] = {}
    cri: str = ""
    modes: dict[str, str] = {}
    filter: list[str] | None = None
    earlier: dict[str, str] | None = None


class Expect(msgspec.Struct, forbid_unknown_fields=True):
    """What the report must say; a key that is left out is not looked at, but `failed`: no other check may fail."""

    verdict: str = ""
    profile: str = ""
    node: dict[str, str] = {}
    failed: list[str] = []
    unknown: list[str] | None = None
    passed: list[str] = []
    not_applicable: list[str] = []
    because: dict[str, str] = {}
    caused: dict[str, int] | None = None


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """One telling."""

    story: str
    expect: Expect
    node: Node = msgspec.field(default_factory=Node)


class Story(msgspec.Struct, forbid_unknown_fields=True):
    """A file: the story, and one twin at least."""

    story: str
    expect: Expect
    twin: list[Case]
    node: Node = msgspec.field(default_factory=Node)


WELL: Final = msgspec.toml.decode((HERE / "well.toml").read_text(), type=Node)


class StoryError(Exception):
    """A file that is not a story."""


def read_story(name: str, text: str) -> Story:
    try:
        story = msgspec.toml.decode(text, type=Story)
    except msgspec.DecodeError as error:
        raise StoryError(f"{name}: {error}") from error
    if not story.twin:
        raise StoryError(f"{name}: a story needs a [[twin]], the near miss")
    known = {check.id for check in CHECKS}
    for case in cases_of(story):
        expect = case.expect
        named = {line.split(" ")[0] for line in expect.failed}
        named |= {*(expect.unknown or ()), *expect.passed, *expect.not_applicable}
        named -= {one.partition(".")[0] for one in known}
        if named - known:
            raise StoryError(f"{name}: {case.story}: there is no check {', '.join(sorted(named - known))}")
    return story


def cases_of(story: Story) -> list[Case]:
    return [Case(story.story, story.expect, story.node), *story.twin]


def read_base(name: str) -> Node:
    path = HERE / "bases" / f"{name}.toml"
    if not path.is_file():
        there = ", ".join(sorted(base.stem for base in path.parent.glob("*.toml")))
        raise StoryError(f"there is no base {name!r}; there are {there}")
    try:
        return msgspec.toml.decode(path.read_text(), type=Node)
    except msgspec.DecodeError as error:
        raise StoryError(f"{path.name}: {error}") from error


def resolved(node: Node) -> Node:
    """Lay a node over its base."""
    return laid(resolved(read_base(node.base)), node) if node.base else laid(WELL, node)


def laid(under: Node, over: Node) -> Node:
    files = {path: text for path, text in under.files.items() if not is_below(path, over.remove)} | over.files
    processes = {pid: line for pid, line in under.processes.items() if pid not in over.remove} | over.processes
    kubelet = under.kubelet if over.kubelet is None else over.kubelet
    return Node(
        partial=under.partial if over.partial is None else over.partial,
        uname=under.uname if over.uname is None else over.uname,
        table=over.table or under.table,
        files=files,
        mount=mounted(under.mount, over),
        block={name: row for name, row in under.block.items() if name not in over.remove} | over.block,
        processes=processes,
        space=under.space | over.space,
        states=under.states | over.states,
        parents=under.parents | over.parents,
        deep=under.deep if over.deep is None else over.deep,
        cgroups=under.cgroups | over.cgroups,
        earlier=under.earlier if over.earlier is None else over.earlier,
        filter=under.filter if over.filter is None else over.filter,
        kubelet=flagged([] if "kubelet" in over.remove else kubelet or [], over.flags),
        journal=under.journal if over.journal is None else over.journal,
        metadata={key: value for key, value in (under.metadata | over.metadata).items() if value},
        object=under.object if over.object is None else over.object,
        instance=under.instance if over.instance is None else over.instance,
        gke_versions=under.gke_versions if over.gke_versions is None else over.gke_versions,
        seen=under.seen if over.seen is None else over.seen,
        systemd=over.systemd or under.systemd,
        units_before=under.units_before if over.units_before is None else over.units_before,
        units={name: row for name, row in under.units.items() if name not in over.remove} | over.units,
        sockets={path: word for path, word in under.sockets.items() if path not in over.remove} | over.sockets,
        cri=over.cri or under.cri,
        links={path: target for path, target in under.links.items() if path not in over.remove} | over.links,
        healthz=over.healthz or under.healthz,
        modes=under.modes | over.modes,
        certificates={path: rows for path, rows in under.certificates.items() if not is_below(path, over.remove)}
        | over.certificates,
    )


def is_below(path: str, removed: list[str]) -> bool:
    return any(path == gone or path.startswith(gone.rstrip("/") + "/") for gone in removed)


def mounted(rows: list[str], over: Node) -> list[str]:
    """Replace rows in their place by target; new ones and those on top come last."""
    rows = [row for row in rows if target_of(row) not in over.unmount]
    unknown = [path for path in over.unmount if path.startswith("/") is False]
    if unknown:
        raise StoryError(f"unmount: {unknown[0]!r} is no path")
    for new in over.mount:
        places = [place for place, row in enumerate(rows) if target_of(row) == target_of(new)]
        if places:
            rows[places[-1]] = new
        else:
            rows.append(new)
    rows += over.mount_on_top
    for row in rows:
        target_of(row)
    return rows


def target_of(row: str) -> str:
    fields = row.split()
    if len(fields) != 4 or not fields[1].startswith("/"):
        raise StoryError(f"mount: found {row!r}, wanted `SOURCE TARGET FSTYPE OPTIONS`")
    return fields[1]


def flagged(argv: list[str], flags: dict[str, str]) -> list[str]:
    """Set flags of the kubelet; an empty value takes one away."""
    if flags and not argv:
        raise StoryError("flags: no kubelet runs here")
    kept = [word for word in argv if word.lstrip("-").partition("=")[0] not in flags]
    return [*kept, *(f"--{name}={value}" for name, value in flags.items() if value)]


def twin_of(below: Node, twin: Case) -> Node:
    return resolved(twin.node) if twin.node.base else laid(below, twin.node)
