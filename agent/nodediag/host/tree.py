"""A plain folder that holds some of a node's files at their paths: what is not there was not captured, never absent."""

from typing import Final

import msgspec

from nodediag.host import processes
from nodediag.host.answer import (
    Content,
    Failure,
    Names,
    NamespaceAnswer,
    PathStat,
    Process,
    ProcessList,
    Reply,
    Sharing,
    UnameAnswer,
)
from nodediag.host.ask import (
    Ask,
    Connect,
    Cri,
    Healthz,
    List,
    Lock,
    Metadata,
    Namespace,
    Namespaces,
    PacketFilter,
    Processes,
    Read,
    Sizes,
    Stat,
    Statvfs,
    Uname,
    Units,
    place,
)
from nodediag.host.host import Source
from nodediag.model.reason import Code, Reason

UNAME_PATH: Final = "/sos_commands/kernel/uname_-a"
_PS_PATHS: Final = ("/sos_commands/process/ps_auxwwwm", "/sos_commands/process/ps_auxwww", "/ps")
_CAP_BYTES: Final = 4 * 1024 * 1024
_PS_STATE: Final = 7
_PS_FIELDS: Final = 11  # USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND, see ps(1)


class TreeSource:
    """A folder asked through another source, which keeps to the folder as its root."""

    def __init__(self, files: Source) -> None:
        self._files = files

    def answer(self, ask: Ask) -> Reply:  # noqa: PLR0911 - one for each question
        """Answer from the files; what only a running system knows is made from what was saved of it."""
        match ask:
            case Processes(names):
                return self._processes(names)
            case Uname():
                return self._uname()
            case Namespaces():
                return self._namespaces(ask)
            case Lock() | Metadata() | Units() | Healthz() | PacketFilter():
                return _not_captured(ask)
            case Connect() | Cri():  # its sockets are nobody's, or ours
                return _not_captured(ask)
            case Statvfs(path):
                return _not_captured(ask, f"statvfs(3) of {path}", "a recording of the node (`report --record`)")
            case Sizes(path):
                return _not_captured(ask, f"the size of {path}", "a recording of the node (`report --deep --record`)")
            case _:
                return self._file(ask)

    def _namespaces(self, ask: Namespaces) -> Reply:
        """Saved files were saved on the node; below a folder with a living procfs they answer for our namespaces."""
        saved = isinstance(self._files.answer(Stat("/proc/self/ns")), Failure)
        return NamespaceAnswer(dict.fromkeys(Namespace, Sharing.SAME)) if saved else self._files.answer(ask)

    def _file(self, ask: Ask) -> Reply:
        reply = self._files.answer(ask)
        if isinstance(reply, PathStat):  # those of a copy
            return msgspec.structs.replace(reply, uid=msgspec.UNSET, gid=msgspec.UNSET)
        if isinstance(reply, Failure) and reply.reason.code is Code.ABSENT:
            return _not_captured(ask)
        return reply

    def _read(self, path: str) -> bytes | None:
        reply = self._files.answer(Read(path, _CAP_BYTES))
        return reply.data if isinstance(reply, Content) else None

    def _processes(self, names: tuple[str, ...]) -> Reply:
        listed = self._files.answer(List("/proc"))
        found = processes.from_files(listed.names, self._read) if isinstance(listed, Names) else ()
        for path in _PS_PATHS:
            if saved := self._read(path):
                listed_by_ps = tuple(_from_ps(saved.decode("utf-8", "backslashreplace")))
                # a command line of its own is exact, but a few of them do not make the others go away
                states = {process.pid: process.state for process in listed_by_ps}
                exact = (msgspec.structs.replace(one, state=states.get(one.pid, "")) for one in found)
                both = {process.pid: process for process in (*listed_by_ps, *exact)}
                merged = tuple(both[pid] for pid in sorted(both))
                return ProcessList(_named(merged, names), complete=bool(listed_by_ps))
        return ProcessList(_named(found, names), complete=False) if found else _not_captured(Processes())

    def _uname(self) -> Reply:
        saved = self._read(UNAME_PATH)
        if saved is None:
            return _not_captured(Uname())
        return parse_uname(saved.decode("utf-8", "backslashreplace"))


def parse_uname(text: str) -> Reply:
    """Take `uname -a` apart: kernel, host name, release, then a version that holds spaces, then the machine."""
    words = text.split()
    if len(words) < 4:  # noqa: PLR2004 - see the docstring
        return Failure(Reason(code=Code.UNPARSABLE, detail=f"{UNAME_PATH}: wanted what `uname -a` prints"))
    machine = next((word for word in words[3:] if word in {"x86_64", "aarch64", "i686", "armv7l"}), "unknown")
    version = " ".join(words[3:]).partition(f" {machine}")[0]
    return UnameAnswer(words[0], words[1], words[2], version, machine)


def _named(found: tuple[Process, ...], names: tuple[str, ...]) -> tuple[Process, ...]:
    return tuple(process for process in found if not names or process.name in names or process.state in processes.STUCK)


def _from_ps(text: str) -> list[Process]:
    """Read the lines of processes; with `m` a process has its threads below it, and its state is the first one's."""
    found: list[Process] = []
    for line in text.split("\n")[1:]:
        fields = line.split(None, _PS_FIELDS - 1)
        if len(fields) != _PS_FIELDS:
            continue
        pid = processes.pid_of(fields[1])
        state = fields[_PS_STATE][:1].strip("-")
        if pid is not None:
            argv = processes.split_cmdline(fields[-1])
            name = argv[0].rsplit("/", 1)[-1] if argv else ""
            found.append(Process(pid, 0, name, argv, state))
        elif fields[1] == "-" and found and not found[-1].state:
            found[-1] = msgspec.structs.replace(found[-1], state=state)
    return found


def _not_captured(ask: Ask, what: str = "", needs: str = "") -> Failure:
    what = what or place(ask)
    return Failure(
        Reason(code=Code.NOT_CAPTURED, detail=f"{what} is not in this folder", needs=needs or what),
    )
