"""An OOM kill, from the lines of its report: whose limit, which process, in which cgroup, pod and container.

See linux mm/oom_kill.c: dump_header(), dump_oom_victim(), oom_kill_process(), and mm/memcontrol.c before 5.0.
"""

import re
from typing import Final

_LIMIT: Final = re.compile(rb"oom-kill:constraint=(?P<constraint>\w+)")
_MEMCG: Final = re.compile(rb"oom_memcg=(?P<cgroup>[^,\s]+)")
_TASK_MEMCG: Final = re.compile(rb"task_memcg=(?P<cgroup>[^,\s]+)")
_TASK: Final = re.compile(rb"[, ]task=(?P<process>[^,]+),pid=(?P<pid>\d+)")
_OLD: Final = re.compile(rb"Task in (?P<task>\S+) killed as a result of limit of (?P<cgroup>\S+)")
_KILL: Final = re.compile(rb"Kill process (?P<pid>\d+) \((?P<process>[^\n]*?)\) score")
_KILLED: Final = re.compile(rb"Killed process (?P<pid>\d+)(?:, UID \d+,)? \((?P<process>[^\n]*?)\),? (?:UID|total-vm)")
_GROUP: Final = re.compile(rb"Tasks in (?P<cgroup>\S+) are going to be killed due to memory\.oom\.group")
_POD: Final = re.compile(r"[/-]pod([0-9a-f]{8}[0-9a-f_-]{4,28})")
_CONTAINER: Final = re.compile(
    r"(?:cri-containerd[-:]|docker-|crio-|libpod-|/docker/|/pod[0-9a-f-]+/|\.slice[:/])(?:crio-)?([0-9a-f]{12,64})"
)
_NEW_REPORT: Final = (b"invoked oom-killer", b"oom-kill:constraint=", b"killed as a result of limit", b"Kill process ")


class Kill:
    """What the lines so far say; a second kill is another report, unless the whole cgroup is killed."""

    def __init__(self) -> None:
        self._said: set[bytes] = set()
        self._killed: set[bytes] = set()
        self._group = False
        self._facts: dict[str, str] = {}
        self._task_cgroup = ""

    def read(self, message: bytes) -> None:
        """Take a line in."""
        self._said.update(mark for mark in _NEW_REPORT if mark in message)
        for pattern in (_LIMIT, _MEMCG, _TASK, _KILL, _KILLED, _GROUP):
            found = pattern.search(message)
            if found is not None:
                self._take(found.groupdict())
                self._group = self._group or pattern is _GROUP
                if pattern is _KILLED:
                    self._killed.add(found["pid"])
        task = _TASK_MEMCG.search(message)
        if task is not None:
            self._task_cgroup = _text(task["cgroup"])
        old = _OLD.search(message)
        if old is not None:
            self._task_cgroup = _text(old["task"])
            self._take({"constraint": b"CONSTRAINT_MEMCG", "cgroup": old["cgroup"]})

    def _take(self, found: dict[str, bytes]) -> None:
        for kind, name in found.items():
            self._facts.setdefault(kind, _text(name))

    def goes_on(self, message: bytes) -> bool:
        """Tell whether a line goes on with this report, or begins the next."""
        killed = _KILLED.search(message)
        if killed is not None:
            return self._group or not self._killed or killed["pid"] in self._killed
        mark = next((mark for mark in _NEW_REPORT if mark in message), None)
        return mark is None or (not self._killed and mark not in self._said and mark is not _NEW_REPORT[0])

    @property
    def facts(self) -> dict[str, str]:
        """Constraint, process, pid, cgroup (the one at its limit, else the victim's), pod UID, container id."""
        facts = dict(self._facts)
        if self._task_cgroup:
            facts.setdefault("cgroup", self._task_cgroup)
        place = f"{self._task_cgroup} {facts.get('cgroup', '')}"
        pod, container = _POD.search(place), _CONTAINER.search(place)
        if pod is not None:
            facts["pod_uid"] = pod[1].replace("_", "-")
        if container is not None:
            facts["container"] = container[1]
        return facts


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")[:256]
