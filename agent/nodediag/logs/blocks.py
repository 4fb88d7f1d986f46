"""Reports of the kernel that take many lines: an OOM kill, an oops, a hung task, each becomes one event.

The kernel prints them a line an entry, and other lines of the kernel may stand in between. A signature says with
`block` which report its lines are part of; what one report comes to is the signature that stands first in its file.
The lines of a report that no signature knows (registers, stacks, tables) are told by their look. See linux
mm/oom_kill.c, dump_header(); kernel/panic.c, kernel/hung_task.c, kernel/watchdog.c, kernel/rcu/tree_stall.h.
"""

import re
from collections.abc import Callable
from typing import Final

from nodediag.journal.journal import Entry
from nodediag.logs import oom
from nodediag.signatures.signature import Signature

MOST_LINES: Final = 6000  # a task table has a line a process
_GAP_US: Final = 10_000_000
_LONGEST_US: Final = 120_000_000
_HEAD: Final = 5
_TELLING: Final = 8
_LINE: Final = 300
_TRACE: Final = "trace"  # lines that are part of any report
_DUMP: Final = re.compile(
    rb"""
    \s | \[\ *\d+\] | \[<[0-9a-f]+>\] | \[[0-9a-f]{16}\] | \?\  | </?[A-Z]+> | \S+\+0x[0-9a-f]+/0x | ={10,}
    | (?:Call\ [Tt]race|Backtrace|Stack|Code|Hardware\ name|Workqueue|Modules\ linked\ in|Unloaded\ tainted\ modules)
      (?: : | \ \( )
    | (?:CPU|PID|RIP|EIP|RSP|ESP|EFLAGS|R[A-D0-9][X0-9]|RSI|RDI|RBP|CS|FS|DR\d|CR\d|PKRU|PGD|IP|Oops|\#PF|note|pc|lr|sp
      |x\d\d?|pstate|ESR|SP|LR|Comm|Kernel\ Offset|ORIG_RAX)\b\ ?[:+\ ]
    | (?:Mem|Data)\ abort\ info | (?:user|swapper)\ pgtable | Dumping\ ftrace | Fixing\ recursive | dump_stack
    | rcu:\  | NMI\ backtrace | Sending\ NMI | task: | Showing\  | (?:No|\d+)\ locks?\ held | Tasks\ blocked\ on
    | "echo\ 0\ > | Not\ tainted | Tainted: | Allocated\ by | Freed\ by | Memory\ state | The\ buggy\ address
    | This\ frame | (?:Read|Write)\ of\ size | (?:page|flags|raw|cache): | >?f{4}[0-9a-f]{12}:
    | (?:memory(?:\+[a-z]+)?|swap|kmem):\ usage | Memory\ cgroup\ stats | Mem-Info | [Nn]ode\ \d | Tasks\ state
    | active_anon | lowmem_reserve | DMA | Normal | HighMem | Free\ swap | Total\ swap | Swap\ cache | \d+\ \S*pages
    """,
    re.VERBOSE,
)
_OPENERS: Final = {
    "hung": re.compile(rb"blocked (?:in [^\n]+ )?for more than"),
    "lockup": re.compile(rb"(?i)soft lockup|\block-?up on cpu|hard lockup|workqueue lockup"),
    "allocation": re.compile(rb""),
}
_AFTER_TRACE: Final = {
    "stall": re.compile(rb"detected"),
    "crash": re.compile(rb"BUG|Unable to handle|general protection|WARNING:|cut here"),
}
_BEGINS: Final = b"cut here"
_CALL_TRACE: Final = re.compile(rb"Call [Tt]race:")
_END: Final = {"crash": b"---[ end trace", "panic": b"---[ end Kernel panic"}
_WHO: Final = re.compile(
    rb"CPU: \d+ (?:UID: \d+ )?PID: (?P<pid>\d+) Comm: (?P<process>.+?) (?:Not tainted|Tainted|Kdump|xid:)"
)
_WHERE: Final = re.compile(
    rb"(?:RIP: ?(?:[0-9a-f]{4}:)?(?:\[<[0-9a-f]+>\] *)?(?:\[<[0-9a-f]+>\] *)?|pc : )(?P<function>[A-Za-z_][\w.]*)\+0x"
)


class Event:
    """One report: its first entry, what it is, the lines worth showing, what it is about."""

    def __init__(self, kind: str, entry: Entry) -> None:
        self.kind = kind
        self.entry = entry
        self.signatures: dict[str, Signature] = {}
        self.facts: dict[str, str] = {}
        self.ended = self.traced = False
        self.lines = 0
        self.kill = oom.Kill()
        self._head: list[bytes] = []
        self._telling: list[bytes] = []
        self._last_us = entry.time_us

    def keep(self, entry: Entry, parts: list[Signature]) -> None:
        """Take a line in; of those that are not known only the first ones, so that a report's size is bounded."""
        self.lines += 1
        self._last_us = entry.time_us
        message = entry.message
        known = any(part.block != _TRACE for part in parts)
        self.signatures.update((part.id, part) for part in parts if part.block == self.kind or not self.signatures)
        if known:  # a stack alone is the least that a report can be
            self.signatures = {key: part for key, part in self.signatures.items() if part.block != _TRACE}
        if len(self._head) < _HEAD:
            self._head.append(message[:_LINE])
        elif known and len(self._telling) < _TELLING:
            self._telling.append(message[: 2 * _LINE])
        self.traced = self.traced or _CALL_TRACE.search(message) is not None
        self.ended = self.ended or _END.get(self.kind, b"\n\n") in message
        if self.kind == "oom":
            self.kill.read(message)
        else:
            self._look(message)

    def _look(self, message: bytes) -> None:
        for pattern in (_WHO, _WHERE):
            found = pattern.search(message)
            for kind, name in found.groupdict().items() if found is not None else ():
                self.facts.setdefault(kind, name.decode("utf-8", "backslashreplace"))

    def past(self, time_us: int) -> bool:
        """Tell whether an entry of this time comes too late to be part of it, or it has too many lines."""
        late = abs(time_us - self._last_us) > _GAP_US or abs(time_us - self.entry.time_us) > _LONGEST_US
        return self.lines >= MOST_LINES or (late and time_us > 0)

    def goes_on(self, message: bytes) -> bool:
        """Tell whether a line that a signature knows goes on with this report, or begins the next."""
        if self.kind == "oom":
            return self.kill.goes_on(message)
        if self.ended:
            return _END[self.kind] in message
        opener = _OPENERS.get(self.kind)
        if opener is None and self.traced:
            opener = _AFTER_TRACE.get(self.kind)
        return opener is None or opener.search(message) is None

    @property
    def text(self) -> bytes:
        """Its first lines, and those further on that tell what it is."""
        return b"\n".join([*self._head, *([b"..."] if self._telling else []), *self._telling])

    @property
    def subjects(self) -> dict[str, str]:
        """What it is about, as far as its own lines say."""
        return self.kill.facts if self.kind == "oom" else self.facts


class Blocks:
    """The reports that are being printed right now: at most one of each kind, for they may be interleaved."""

    def __init__(self, done: Callable[[Event], None]) -> None:
        self._done = done
        self._open: dict[str, Event] = {}
        self._latest: Event | None = None

    @property
    def is_open(self) -> bool:
        """Whether a report has begun and has not ended."""
        return bool(self._open)

    def waits(self, time_us: int) -> bool:
        """Tell whether a report is open that an entry of this time may be part of."""
        for kind, event in list(self._open.items()):
            if event.past(time_us):
                self._close(kind)
        return bool(self._open)

    def takes(self, entry: Entry, parts: list[Signature], *, known: bool) -> bool:
        """Take an entry that is part of a report; `known` is one that a signature outside all reports names."""
        if not parts and not self._open:
            return False
        self.waits(entry.time_us)
        if not parts:
            if known or self._latest is None or _DUMP.match(entry.message) is None:
                return False
            self._latest.keep(entry, parts)
            return True
        kind = next((part.block for part in parts if part.block != _TRACE), _TRACE)
        if kind == _TRACE:
            kind = self._kind_of_trace(entry.message)
        event = self._open.get(kind)
        known_part = any(part.block == kind for part in parts) or _BEGINS in entry.message
        if event is not None and known_part and not event.goes_on(entry.message):
            self._close(kind)
            event = None
        if event is None:
            event = self._open[kind] = Event(kind, entry)
        self._latest = event
        event.keep(entry, parts)
        return True

    def _kind_of_trace(self, message: bytes) -> str:
        """A line of any report belongs to the one that is being printed, but `cut here` begins one."""
        if self._latest is None or (_BEGINS in message and self._latest.kind != "crash"):
            return "crash"
        return "crash" if self._latest.ended and _BEGINS in message else self._latest.kind

    def _close(self, kind: str) -> None:
        event = self._open.pop(kind)
        if self._latest is event:
            self._latest = next(reversed(self._open.values()), None)
        self._done(event)

    def close(self) -> None:
        """End all reports: there are no more entries."""
        for kind in list(self._open):
            self._close(kind)
