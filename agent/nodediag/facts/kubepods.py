"""The cgroup that holds all pods, `kubepods`, and how many cgroups there are; see cgroups(7) and cgroup-v2.

Its name ends in `.slice` with the systemd driver. A removed cgroup lives on, dying, while pages are charged to it.
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts.cgroups import PATH, Cgroups
from nodediag.host.host import Host
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

_NAMES: Final = ("kubepods.slice", "kubepods")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_UNLIMITED: Final = "max"
_V2: Final = 2
_V1_FIELDS: Final = 4  # subsys_name, hierarchy, num_cgroups, enabled
_MOST: Final = (1 << 63) - 1


class Kubepods(msgspec.Struct, frozen=True, kw_only=True):
    """What all pods use together; `pids_max` is unset where it is `max`, `dying` where version 1 does not tell."""

    path: str = ""  # empty where there is none: no pod has run here
    pids: int = 0
    pids_max: int | msgspec.UnsetType = msgspec.UNSET
    working_set_bytes: int = 0
    cgroups: int | msgspec.UnsetType = msgspec.UNSET
    dying: int | msgspec.UnsetType = msgspec.UNSET
    evidence: dict[str, FileEvidence] = {}


def derive(host: Host, cgroups: Cgroups) -> Kubepods:
    """Read what the version of the hierarchy has; raises ReadError for what is there and cannot be read."""
    reading = _Reading(host)
    count, dying = reading.numbers(cgroups.version)
    for name in _NAMES:
        pids, memory = (PATH, PATH) if cgroups.version == _V2 else (f"{PATH}/pids", f"{PATH}/memory")
        used = host.absent(lambda path: reading.number(path, "pids.current"), f"{pids}/{name}/pids.current")
        if used is None:
            continue
        return Kubepods(
            path=f"{pids}/{name}",
            pids=used,
            pids_max=reading.number_or_max(f"{pids}/{name}/pids.max", "pids.max"),
            working_set_bytes=reading.working_set(f"{memory}/{name}", cgroups.version),
            cgroups=count,
            dying=dying,
            evidence=reading.evidence,
        )
    return Kubepods(cgroups=count, dying=dying, evidence=reading.evidence)


class _Reading:
    """Reads numbers and keeps the lines they stood on."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.evidence: dict[str, FileEvidence] = {}

    def number(self, path: str, name: str) -> int:
        line = self._host.first_line(path)
        if not _NUMBER.fullmatch(line.text):
            raise ParseError(path, line.text, "a number")
        self.evidence[name] = line.evidence
        return min(int(line.text), _MOST)

    def number_or_max(self, path: str, name: str) -> int | msgspec.UnsetType:
        line = self._host.first_line(path)
        return msgspec.UNSET if line.text == _UNLIMITED else self.number(path, name)

    def working_set(self, folder: str, version: int) -> int:
        """Give memory in use but for files that nobody used of late, as the kubelet counts it."""
        usage, inactive = ("memory.current", "inactive_file") if version == _V2 else _V1_NAMES
        used = self.number(f"{folder}/{usage}", "memory")
        for line in self._host.lines(f"{folder}/memory.stat"):
            name, _, number = line.text.partition(" ")
            if name == inactive and _NUMBER.fullmatch(number):
                return max(0, used - int(number))
        raise ParseError(f"{folder}/memory.stat", "", f"a line `{inactive}`")

    def numbers(self, version: int) -> tuple[int | msgspec.UnsetType, int | msgspec.UnsetType]:
        """Give how many cgroups there are below the root, and how many more are dying."""
        try:
            return self._v2_numbers() if version == _V2 else (self._v1_number(), msgspec.UNSET)
        except ReadError as error:
            if error.reason.code in {Code.ABSENT, Code.NOT_CAPTURED}:
                return msgspec.UNSET, msgspec.UNSET
            raise

    def _v2_numbers(self) -> tuple[int, int]:
        lines = {line.text.partition(" ")[0]: line for line in self._host.lines(f"{PATH}/cgroup.stat")}
        found = []
        for name in ("nr_descendants", "nr_dying_descendants"):
            number = lines[name].text.partition(" ")[2] if name in lines else ""
            if not _NUMBER.fullmatch(number):
                raise ParseError(f"{PATH}/cgroup.stat", number, f"a line `{name}` with a number")
            self.evidence[name] = lines[name].evidence
            found.append(min(int(number), _MOST))
        return found[0], found[1]

    def _v1_number(self) -> int | msgspec.UnsetType:
        """Give the memory controller's number, in which dying ones are counted too."""
        for line in self._host.lines("/proc/cgroups"):
            words = line.text.split()
            if len(words) == _V1_FIELDS and words[0] == "memory" and _NUMBER.fullmatch(words[2]):
                self.evidence["nr_descendants"] = line.evidence
                return min(int(words[2]), _MOST)
        return msgspec.UNSET


_V1_NAMES: Final = ("memory.usage_in_bytes", "total_inactive_file")
