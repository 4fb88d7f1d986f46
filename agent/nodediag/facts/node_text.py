"""Nodes as kubectl shows them to people: the table of `kubectl get nodes -o wide`, and `kubectl describe node`.

What such text tells is put where the Node type of Kubernetes' API has it. It tells less than the object: a table has no
operating system, and no reason why a node is not ready.
"""

import re
from datetime import UTC, datetime
from typing import Final

from nodediag.host.yaml_text import Yaml

_HEAD: Final = ("NAME", "STATUS")
_COLUMNS: Final = {
    "VERSION": "kubeletVersion", "OS-IMAGE": "osImage", "KERNEL-VERSION": "kernelVersion",
    "CONTAINER-RUNTIME": "containerRuntimeVersion",
}  # fmt: skip
_NOTHING: Final = frozenset({"", "<none>", "<unknown>"})
_INFO: Final = {
    "machine id": "machineID", "system uuid": "systemUUID", "boot id": "bootID", "kernel version": "kernelVersion",
    "os image": "osImage", "operating system": "operatingSystem", "architecture": "architecture",
    "container runtime version": "containerRuntimeVersion", "kubelet version": "kubeletVersion",
}  # fmt: skip
_ENOUGH: Final = 2  # of these keys; another text may have one
_KEY: Final = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z][A-Za-z ]{0,40}?):[ \t]*(?P<value>.*)")
_GAP: Final = re.compile(r" {2,}|\t+")
_WORD: Final = re.compile(r"\S+")
_TIME: Final = "%a, %d %b %Y %H:%M:%S %z"
_CONDITION: Final = ("type", "status", "lastHeartbeatTime", "lastTransitionTime", "reason", "message")
_CONDITION_HEAD: Final = "LastHeartbeatTime"


def nodes(text: str) -> list[Yaml] | None:
    """Give the nodes of either text; None for a text that is neither."""
    lines = text.split("\n")
    head = next((line for line in lines if line.strip()), "")
    if tuple(head.split()[: len(_HEAD)]) == _HEAD:
        return [_row(head, line) for line in lines[lines.index(head) + 1 :] if line.strip()]
    found: list[Yaml] = [node for part in _parts(lines) if (node := _described(part)) is not None]
    return found or None


def _row(head: str, line: str) -> Yaml:
    """Read a row, by its gaps; where these do not tell the columns, by where the columns begin."""
    words = list(_WORD.finditer(head))
    cells = _GAP.split(line.strip())
    if len(cells) != len(words):
        starts = [word.start() for word in words]
        cells = [line[at:end].strip() for at, end in zip(starts, [*starts[1:], None], strict=True)]
    told = {word[0]: cell for word, cell in zip(words, cells, strict=True) if cell not in _NOTHING}
    info: dict[str, Yaml] = {key: told[column] for column, key in _COLUMNS.items() if column in told}
    ready = told.get("STATUS", "").split(",")[0]
    conditions: list[Yaml] = []
    if ready in {"Ready", "NotReady"}:
        conditions = [{"type": "Ready", "status": "True" if ready == "Ready" else "False or Unknown"}]
    labels: dict[str, Yaml] = dict(_labels(told.get("LABELS", "").split(",")))
    return _node(told.get("NAME", ""), "", labels, info, conditions)


def _parts(lines: list[str]) -> list[list[str]]:
    """Take the nodes of one text apart; what stands before the first name is an excerpt."""
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.startswith("Name:"):
            parts.append([])
        parts[-1].append(line)
    return parts


def _described(lines: list[str]) -> Yaml:
    section, name, provider = "", "", ""
    labels: list[str] = []
    info: dict[str, Yaml] = {}
    conditions: list[Yaml] = []
    for line in lines:
        found = _KEY.fullmatch(line.rstrip())
        if found is not None and not found["indent"]:
            section = found["key"]
            name = found["value"] if section == "Name" else name
            provider = found["value"] if section == "ProviderID" else provider
        if found is not None and found["key"].lower() in _INFO:
            info.setdefault(_INFO[found["key"].lower()], found["value"])
        elif section == "Labels":
            labels.append((line if found is None else found["value"]).strip())
        elif section == "Conditions" and line.startswith(" "):
            conditions += _condition(line)
    if len(info) < _ENOUGH:
        return None
    return _node(name, provider, dict(_labels(labels)), info, conditions)


def _condition(line: str) -> list[Yaml]:
    cells = _GAP.split(line.strip(), maxsplit=len(_CONDITION) - 1)
    if _CONDITION_HEAD in cells or len(cells) < len(_CONDITION) - 1 or not cells[0].strip("-"):
        return []
    told = dict(zip(_CONDITION, cells, strict=False))
    return [{key: _time(word) if key.startswith("last") else word for key, word in told.items()}]


def _time(text: str) -> str:
    try:
        return datetime.strptime(text, _TIME).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return ""


def _labels(words: list[str]) -> list[tuple[str, Yaml]]:
    return [(key, value) for word in words for key, equals, value in (word.partition("="),) if equals]


def _node(name: str, provider: str, labels: dict[str, Yaml], info: dict[str, Yaml], conditions: list[Yaml]) -> Yaml:
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": provider},
        "status": {"nodeInfo": info, "conditions": conditions},
    }
