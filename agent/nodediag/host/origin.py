"""Which node is meant, and through what it is seen: this machine, a pod, a toolbox, a folder, a recording.

A folder named as a toolbox or pod would name it is believed only when it holds a mounted procfs whose PID 1 has other
mounts than we have: an empty folder, a copy, or a bind mount of our own root never wins.
"""

import os
from functools import partial
from typing import Final

from nodediag.errors import UsageError
from nodediag.host import own
from nodediag.host.ask import Content, PathStat, Read, Stat
from nodediag.host.host import Host, Seen, Source
from nodediag.host.live import LiveSource
from nodediag.host.recording import Recorder
from nodediag.host.redacting import RedactingSource
from nodediag.host.replay import ReplaySource, is_recording
from nodediag.host.sacrifice import Sacrifice
from nodediag.host.tree import TreeSource
from nodediag.model.report import Origin

TOOLBOX_ROOT: Final = "/media/root"
POD_ROOT: Final = "/host"
_MOUNTINFO_CAP_BYTES: Final = 64 * 1024 * 1024


class Opened:
    """A host ready to be asked, with what stands behind it."""

    def __init__(self, source: Source, seen: Seen, children: Sacrifice) -> None:
        self.recorder = Recorder(source)
        self.host = Host(self.recorder, seen)
        self._children = children

    def close(self) -> None:
        """Let go of the child processes, and with them of the node's lock."""
        self._children.close()


def open_host(root: str | None, *, budget_s: float) -> Opened:
    """Open the node at a root, or find it; raises UsageError where there is none to look at."""
    if root is None:
        for candidate, origin in ((TOOLBOX_ROOT, Origin.TOOLBOX), (POD_ROOT, Origin.POD)):
            if os.path.isdir(candidate):
                children = _children(candidate, budget_s)
                if _shows_a_node(children):
                    return _redacted(children, origin, candidate, children)
                children.close()
        return _opened_live(budget_s)
    if not os.path.isdir(root):
        raise UsageError(f"--root {root}: there is no such folder")
    if os.path.realpath(root) == "/":
        return _opened_live(budget_s)
    return _opened_folder(root, budget_s)


def _opened_live(budget_s: float) -> Opened:
    children = _children("/", budget_s)
    return _redacted(children, Origin.LIVE, "/", children)


def _opened_folder(root: str, budget_s: float) -> Opened:
    children = _children(root, budget_s)
    if is_recording(children):
        replay = ReplaySource(children, root)
        seen = Seen(origin=Origin.RECORDING, root=root, uid=own.uid(), observed_at=replay.observed_at)
        return Opened(replay, seen, children)
    if _shows_a_node(children):
        origin = Origin.TOOLBOX if os.path.realpath(root) == TOOLBOX_ROOT else Origin.POD
        return _redacted(children, origin, root, children)
    return _redacted(TreeSource(children), Origin.TREE, root, children)


def _redacted(source: Source, origin: Origin, root: str, children: Sacrifice) -> Opened:
    return Opened(RedactingSource(source), Seen(origin=origin, root=root, uid=own.uid()), children)


def _children(root: str, budget_s: float) -> Sacrifice:
    return Sacrifice(partial(LiveSource, root), budget_s=budget_s)


def _shows_a_node(candidate: Source) -> bool:
    """Tell whether a folder is a node's root: its procfs is mounted, and its PID 1 has other mounts than we."""
    procfs = candidate.answer(Stat("/proc"))
    theirs = candidate.answer(Read("/proc/1/mountinfo", _MOUNTINFO_CAP_BYTES))
    if not isinstance(procfs, PathStat) or not isinstance(theirs, Content):
        return False
    with open("/proc/self/mountinfo", "rb") as file:
        ours = file.read()
    mounted = any(line.split(b" ")[2] == procfs.device.encode() and b" - proc " in line for line in ours.splitlines())
    return mounted and theirs.data != ours
