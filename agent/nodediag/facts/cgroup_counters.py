"""Counters of cgroups: CPU time that a quota withheld (cpu.stat) and processes killed for memory, by pod.

cgroup-v2 and cgroup-v1 in the kernel's admin guide. Version 2 tells a pod's kills in the pod's own memory.events, its
containers' among them; version 1 tells each cgroup's own in memory.oom_control. Containers and services have quotas.
"""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.cgroups import PATH
from nodediag.host.answer import FilesBelow
from nodediag.host.answer_parts import FileBelow
from nodediag.host.host import Host
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

PODS_PATH: Final = "/var/log/pods"
_CPU: Final = "cpu.stat"
_EVENTS: Final = "memory.events"
_CONTROL: Final = "memory.oom_control"
_TREES: Final = ("kubepods.slice", "kubepods")
_SERVICES: Final = "system.slice"
_DEPTH: Final = 3  # kubepods, its quality-of-service classes, pods, containers
_POD: Final = "pod"
_UID_LETTERS: Final = frozenset("0123456789abcdef-_")
_UID_LENGTHS: Final = frozenset({32, 36})  # of a static pod, and of one from the API
_MOST_DIGITS: Final = 20
_PERIODS: Final = ("nr_periods", "nr_throttled")
_NAME_PARTS: Final = 3  # namespace, name, uid
_MOST_LINES: Final = 4
MOST: Final = (1 << 53) - 1
_NONE: Final = Reason(code=Code.ABSENT, detail=f"no cgroup below {PATH} is one of pods or services")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of one thing by their names, and the lines they stood on."""

    values: dict[str, int]
    lines: tuple[FileEvidence, ...]


class CgroupCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by the cgroup's path, of those with a quota; and kills by the uid of the pod, of those that had one."""

    throttling: dict[str, Row]
    oom_kills: dict[str, Row]


def collect(host: Host) -> CgroupCounters:
    """Read both; raises ReadError where what is there cannot be read, and where no pod has run here."""
    version = 1 if host.absent(host.stat, f"{PATH}/cgroup.controllers") is None else 2
    throttling: dict[str, Row] = {}
    kills: dict[str, Row] = {}
    seen = False
    for tree, depth in ((_TREES[0], _DEPTH), (_TREES[1], _DEPTH), (_SERVICES, 1)):
        for folder, names in _places(version, tree):
            found = _found(host, folder, names, depth)
            if found is None:
                continue
            if not found.complete:
                detail = f"there are more cgroups below {folder} than are read"
                raise ReadError(folder, Reason(code=Code.TOO_LARGE, detail=detail))
            seen = True
            throttling |= _throttled(folder, found.files)
            _add_kills(kills, folder, found.files)
    if not seen:
        raise ReadError(PATH, _NONE)
    return CgroupCounters(throttling=throttling, oom_kills=kills)


def pod_of(path: str) -> str:
    """Give the uid of the pod in whose cgroup, or below it, a path lies; empty where it is no pod's."""
    for part in path.split("/"):
        uid = part.removesuffix(".slice").rpartition(_POD)[2]
        if _POD in part and len(uid) in _UID_LENGTHS and set(uid) <= _UID_LETTERS:
            return uid.replace("_", "-")
    return ""


def is_number(word: str) -> bool:
    """Tell whether a word is a number as the kernel writes it."""
    return word.isascii() and word.isdecimal() and len(word) <= _MOST_DIGITS


def pod_names(host: Host) -> dict[str, str]:
    """Give `NAMESPACE/NAME` of pods by uid, from their folders of logs; empty where those were not seen."""
    try:
        names = host.list(PODS_PATH)
    except ReadError:
        return {}
    parts = (name.split("_") for name in names)
    return {words[2]: f"{words[0]}/{words[1]}" for words in parts if len(words) == _NAME_PARTS}


def _found(host: Host, folder: str, names: tuple[str, ...], depth: int) -> FilesBelow | None:
    return host.absent(lambda path: host.below(path, names, depth=depth), folder)


def _places(version: int, tree: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    cpu_only = tree == _SERVICES
    if version == 1:
        cpu = (f"{PATH}/cpu/{tree}", (_CPU,))
        return (cpu,) if cpu_only else (cpu, (f"{PATH}/memory/{tree}", (_CONTROL,)))
    return ((f"{PATH}/{tree}", (_CPU,) if cpu_only else (_CPU, _EVENTS)),)


def _throttled(folder: str, files: tuple[FileBelow, ...]) -> dict[str, Row]:
    rows = {file.path: _row(folder, file, _PERIODS) for file in files if file.path.endswith(_CPU)}
    return {f"{folder}/{path}".rpartition("/")[0]: row for path, row in rows.items() if row.values.get("nr_periods")}


def _add_kills(kills: dict[str, Row], folder: str, files: tuple[FileBelow, ...]) -> None:
    """Add up the kills of a pod: its own number where that tells its containers' too, else each container's."""
    for file in files:
        at, _, name = file.path.rpartition("/")
        uid = pod_of(at)
        if not uid or name == _CPU or (name == _EVENTS and not pod_of(at.rpartition("/")[2])):
            continue
        row = _row(folder, file, ("oom_kill",))
        if row.values.get("oom_kill"):
            held = kills.get(uid, Row(values={"oom_kill": 0}, lines=()))
            count = held.values["oom_kill"] + row.values["oom_kill"]
            kills[uid] = Row(values={"oom_kill": count}, lines=(*held.lines, *row.lines)[:_MOST_LINES])


def _row(folder: str, file: FileBelow, wanted: tuple[str, ...]) -> Row:
    values: dict[str, int] = {}
    lines = []
    for number, text in enumerate(file.data.decode("utf-8", "backslashreplace").split("\n"), 1):
        name, _, word = text.partition(" ")
        if name in wanted and is_number(word):
            values[name] = min(int(word), MOST)
            lines.append(FileEvidence(path=f"{folder}/{file.path}", line=number, text=text))
    return Row(values=values, lines=tuple(lines))
