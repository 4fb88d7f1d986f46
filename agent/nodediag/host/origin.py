"""Which node is meant, and through what it is seen: this machine, a pod, a toolbox, a folder, a recording.

A folder named as a toolbox or pod would name it is believed only when it shows another PID 1, see node_root.py.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Final

from nodediag.errors import UsageError
from nodediag.host import own, processes
from nodediag.host.answer import Content, Failure, NamespaceAnswer, PathStat, Reply, Sharing
from nodediag.host.ask import Ask, Namespace, Namespaces, Read, Readlink, Stat
from nodediag.host.host import Host, Seen, Source
from nodediag.host.nowhere import NOWHERE, NoSource
from nodediag.host.recording import FILES, Recorder
from nodediag.host.sacrifice import Sacrifice
from nodediag.model.reason import Code
from nodediag.model.report import Origin

RUNNING: Final = frozenset({Origin.LIVE, Origin.POD, Origin.TOOLBOX})
TOOLBOX_ROOT: Final = "/media/root"
POD_ROOT: Final = "/host"
_CANDIDATES: Final = {TOOLBOX_ROOT: Origin.TOOLBOX, POD_ROOT: Origin.POD}
_KEPT_BYTES: Final = 64 * 1024 * 1024


class Opened:
    """A host ready to be asked, with what stands behind it."""

    def __init__(self, source: Source, seen: Seen, children: Sacrifice | NoSource, folder: str) -> None:
        self._source = source
        self._children = children
        self._ahead = children.ahead if seen.origin in RUNNING else None
        self._rest = children.rest if isinstance(children, Sacrifice) else None
        self.host = Host(source, seen, self._ahead, self._rest)
        self.folder = folder  # of ours, which the node has as its root
        self.unpacked = ""  # a folder that is removed in the end
        self.timing = children.timing

    def record(self) -> Recorder:
        """Keep all that the host is told from now on."""
        recorder = Recorder(self._source, self.timing)
        self.host = Host(recorder, self.host.seen, self._ahead, self._rest)
        return recorder

    def kept(self, name: str) -> bytes | None:
        """Give a file that a recording holds beside its answers, or None where it has none; raises UsageError."""
        reply = self._children.answer(Read(f"/{name}", _KEPT_BYTES))
        if isinstance(reply, Content):
            return reply.data
        if isinstance(reply, Failure) and reply.reason.code is Code.ABSENT:
            return None
        raise UsageError(f"{name} of the recording: {reply.reason.detail if isinstance(reply, Failure) else reply}")

    def close(self) -> None:
        """Let go of the child processes, and with them of the node's lock."""
        self._children.close()
        if self.unpacked:
            from nodediag.host import archive  # noqa: PLC0415 - as below

            archive.remove(self.unpacked)


def open_host(root: str | None, *, budget_s: float, meanwhile: Callable[[], object] | None = None) -> Opened:
    """Open the node at a root, or find it; raises UsageError where there is none to look at.

    What is to be done `meanwhile` is done while a child begins, if one is waited for at all.
    """
    if root is None:
        return _found(budget_s, meanwhile)
    if root == NOWHERE:
        nowhere = NoSource()
        return Opened(nowhere, Seen(origin=Origin.NONE, root=NOWHERE, uid=own.uid()), nowhere, "")
    real = _real_path(root, budget_s)
    if not real:
        return _opened_archive(root, budget_s)
    if real == "/":
        return _opened(_children("/", budget_s), Origin.LIVE, "/", "/")
    return _opened_folder(root, real, budget_s)


def _found(budget_s: float, meanwhile: Callable[[], object] | None) -> Opened:
    """Find the node; our own root is asked whether there are such folders, since even that may hang."""
    ours = _children("/", budget_s)
    ours.ahead(*map(Stat, _CANDIDATES))
    if meanwhile is not None:
        meanwhile()
    for candidate, origin in _CANDIDATES.items():
        if isinstance(ours.answer(Stat(candidate)), PathStat):
            children = _children(candidate, budget_s)
            if _shows_a_node(children):
                ours.close()
                return _opened(children, origin, candidate, candidate)
            children.close()
    return _opened(ours, Origin.LIVE, "/", "/")


def _shows_a_node(folder: Source) -> bool:
    """Tell whether what lies below a folder that is not our root is as some PID 1 has it."""
    told = folder.answer(Namespaces())
    return isinstance(told, NamespaceAnswer) and told.sharing[Namespace.MOUNT] is Sharing.SAME


def _opened_archive(path: str, budget_s: float) -> Opened:
    """Open a bundle or sosreport as one file: what it holds is unpacked until it is closed."""
    from nodediag.host import archive  # noqa: PLC0415 - tarfile and its kin, which only who has one needs

    folder = archive.unpacked(path)
    try:
        opened = _opened_folder(path, archive.top(folder), budget_s)
    except BaseException:
        archive.remove(folder)
        raise
    opened.unpacked = folder
    return opened


def _opened_folder(root: str, real: str, budget_s: float) -> Opened:
    from nodediag.host.redacting import RedactingSource  # noqa: PLC0415 - a running node's child has it to itself
    from nodediag.host.replay import ReplaySource, is_recording  # noqa: PLC0415 - of no use to a running node
    from nodediag.host.tree import TreeSource  # noqa: PLC0415 - as above

    children = Sacrifice(partial(_living, real), budget_s=budget_s, idle=processes.preload)
    try:
        if _shows_a_node(children):
            origin = Origin.TOOLBOX if real == TOOLBOX_ROOT else Origin.POD
            return _opened(children, origin, root, real, RedactingSource(children))
        if not is_recording(children):
            return _opened_files(children, root, real, RedactingSource(TreeSource(children)))
        replay = ReplaySource(children, root)
    except BaseException:
        children.close()
        raise
    seen = Seen(origin=Origin.RECORDING, root=_visible(root), uid=own.uid(), observed_at=replay.observed_at)
    opened = Opened(replay, seen, children, f"{real}/{FILES}")
    opened.timing = replay.timing
    return opened


def _opened_files(children: Sacrifice, root: str, real: str, source: Source) -> Opened:
    from nodediag.host import sosreport  # noqa: PLC0415 - only who has a folder needs it

    if not sosreport.is_sosreport(children):
        return _opened(children, Origin.TREE, root, real, source)
    taken = sosreport.taken(children)
    seen = Seen(origin=Origin.SOSREPORT, root=_visible(root), uid=own.uid(), observed_at=taken.at, zone_s=taken.zone_s)
    return Opened(source, seen, children, real)


def _opened(children: Sacrifice, origin: Origin, root: str, folder: str, source: Source | None = None) -> Opened:
    seen = Seen(origin=origin, root=_visible(root), uid=own.uid())
    return Opened(source or children, seen, children, folder)


def _children(root: str, budget_s: float) -> Sacrifice:
    """Give what answers for a running node; its child masks the secrets too, while its parent is busy elsewhere."""
    return Sacrifice(partial(_freed_of_secrets, root), budget_s=budget_s, idle=processes.preload)


def _living(root: str, hand_over: Callable[[int], None]) -> Source:
    from nodediag.host.live import LiveSource  # noqa: PLC0415 - in the child

    return LiveSource(root, hand_over)


def _freed_of_secrets(root: str, hand_over: Callable[[int], None]) -> Source:
    from nodediag.host.redacting import RedactingSource  # noqa: PLC0415 - in the child

    return RedactingSource(_living(root, hand_over))


class _Folder:
    """Tells where a folder of our own system really is, nothing for a file; asked in a child, since it may hang."""

    def __init__(self, path: str, _hand_over: Callable[[int], None]) -> None:
        self._path = path

    def answer(self, ask: Ask) -> Reply:
        """Give its path without links, whatever is asked."""
        from nodediag.host.live import failure  # noqa: PLC0415 - in the child

        del ask
        try:
            real = os.path.realpath(self._path, strict=True) if self._path else ""  # "" would be where we are
            os.close(os.open(real, os.O_PATH | os.O_DIRECTORY))
        except NotADirectoryError as error:
            if os.path.isdir(os.path.dirname(self._path) or "."):  # what stands there is no folder, else the way to it
                return Content(b"")
            return failure(error, _visible(self._path))
        except OSError as error:
            return failure(error, _visible(self._path))
        return Content(os.fsencode(real))


def _real_path(root: str, budget_s: float) -> str:
    children = Sacrifice(partial(_Folder, root), budget_s=budget_s)
    try:
        reply = children.answer(Readlink("the folder"))
    finally:
        children.close()
    if isinstance(reply, Content):
        return os.fsdecode(reply.data)
    reason = reply.reason if isinstance(reply, Failure) else None
    if reason is None or reason.code is Code.ABSENT:
        raise UsageError(f"--root {_visible(root)}: there is no such folder")
    raise UsageError(f"--root {_visible(root)}: {reason.detail}")


def _visible(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
