"""Two reports of one node, held against each other key by key: only what one could not see may differ."""

import json
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from nodediag.model.outcome import Outcome
from nodediag.model.reason import Code
from tests.lab.seen import Seen

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

_OF_THE_RUN: Final = ("observed_at", "generated_at", "view", "duration_ms")
# what is another number a moment later; that both know it, or both not, is all that can be compared
_MEASURED: Final = (
    "conntrack", "counters", "disks", "file_handles", "inotify", "journal_use", "kubepods", "load", "memory", "pids",
    "pressure", "processes", "stray_processes", "units",
)  # fmt: skip
MEASURED_CHECKS: Final = (
    "pressure.",
    "memory.",
    "limits.",
    "processes.",
    "rates.",
)  # of this machine, not of the node alone
# what else stays open where a fact was not seen
_OF_FACTS: Final = {
    "hostname": ("node.hostname", "node.name", "node.evidence.name"),
    "stray_processes": ("facts.runtime_programs",),  # unknown for the same reason, which is told once
    "packages": ("facts.apt",),
    "runtime_sockets": ("facts.cri",),  # asked nowhere for another reason, which is told once
}
_EXPECTED: Final = (
    # each of its answers says for itself that it could not be seen
    re.compile(r"^facts\.(storage\.value|kubelet_files\.value|apt\.value\.unseen)\."),
    re.compile(r"online, \d+ entries|^logs\.files\."),  # the header of the journal file that is written to
    re.compile(r"^(facts\.node_name|node\.evidence\.name)\."),  # Kubernetes tells a pod what the node knows by itself
    re.compile(r": /etc/os-release is not /usr/lib/os-release$"),  # a link, which a pod is given as what it leads to
)


def unexplained(here: Seen, there: Seen) -> list[str]:
    """Name what differs in two reports, but for what the second says it could not see."""
    more = blind(there) - blind(here)
    allowed = {f"facts.{what}" for what in more} | {path for what in more for path in _OF_FACTS.get(what, ())}
    unseen = _open_for_want_of_sight(there)
    allowed |= {f"checks.{number}" for number in unseen}
    return [
        difference
        for difference in _differences(_plain(here), _plain(there), "")
        if not any(difference.startswith((f"{path}.", f"{path}:")) for path in allowed)
        and not any(pattern.search(difference) for pattern in _EXPECTED)
    ]


def blind(one: Seen) -> set[str]:
    """Name what could not be seen."""
    return {spot.what for spot in one.report.view.blind_spots}


def _open_for_want_of_sight(one: Seen) -> set[int]:
    """Give the places of the checks that are open because of where the reader is, which their reasons must say."""
    reasons = {spot.reason for spot in one.report.view.blind_spots}
    return {
        number
        for number, check in enumerate(check for check in one.report.checks if not check.id.startswith(MEASURED_CHECKS))
        if check.outcome is Outcome.UNKNOWN and check.reason
        if check.reason in reasons or check.reason.code in {Code.OTHER_NAMESPACE, Code.NOT_CAPTURED}
    }


def _plain(one: Seen) -> dict[str, Json]:
    """Give what a report says of the node, but for the run, and for what the reader's own container mounts in it."""
    told: dict[str, Json] = json.loads(one.text)
    for key in _OF_THE_RUN:
        del told[key]
    checks = told["checks"]
    assert isinstance(checks, list)
    told["checks"] = [check for check in checks if not str(_table(check)["id"]).startswith(MEASURED_CHECKS)]
    del told["counts"]
    facts = _table(told["facts"])
    for name in facts.keys() & set(_MEASURED):
        facts[name] = _table(facts[name])["state"]
    mounts = _table(_table(facts["mounts"])["value"])
    listed = mounts["mounts"]
    assert isinstance(listed, list)
    rows = [row for row in map(_table, listed) if not str(row["target"]).startswith("/run/")]
    for row in rows:
        if str(row["fstype"]).startswith("cgroup"):  # their root is told as the reader's cgroup namespace has it
            del row["root"], row["evidence"]
    mounts["mounts"] = [*rows]
    return told


def _table(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


def _differences(one: Json, other: Json, path: str) -> Iterator[str]:
    """Name every key whose values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            inner = f"{path}.{key}" if path else key
            if (key in one) != (key in other):
                yield f"{inner}: {'here' if key in one else 'there'} only"
            else:
                yield from _differences(one[key], other[key], inner)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{path}.{index}")
    elif one != other:
        yield f"{path}: {str(one)[:200]} is not {str(other)[:200]}"
