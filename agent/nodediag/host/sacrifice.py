"""Asks in a child process that nobody waits for past a deadline.

A call on a hung file system puts its caller to sleep where no signal reaches (D state). A thread in that state would
keep us from exiting, and a process that shares our standard streams would keep SSH from closing. So the child has
streams of its own, is killed and left behind when it does not answer in time, and another takes its place. The parent's
death kills it (prctl(2), PR_SET_PDEATHSIG), as far as the kernel can. A lock is handed over to the parent: in a child
left behind in D state it would outlive us, and keep the next run from telling what hangs.
"""

import os
import select
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, NoReturn, TypeAlias

import msgspec

from nodediag.errors import crash
from nodediag.host import own
from nodediag.host.answer import Failure, Reply
from nodediag.host.answer_parts import Timing
from nodediag.host.ask import (
    Ask,
    Below,
    Cri,
    Digest,
    Healthz,
    List,
    Lock,
    Processes,
    Read,
    Sizes,
    Statvfs,
    Units,
    place,
)
from nodediag.host.child import detach
from nodediag.host.host import Source
from nodediag.model.reason import Code, Reason

PATIENCE_S: Final = 2.0
_LONG: Final = 3  # as much again and again for what is long work on a busy node
_LONG_READ_BYTES: Final = 16 * 1024 * 1024
_HEADER_BYTES: Final = 8
_MOST_AHEAD_BYTES: Final = 64 * 1024  # less than a third of what a socket takes by default
_MOST_REPLY_BYTES: Final = 256 * 1024 * 1024
_REAPING: Final = (100, 0.001)  # how often, with which pause, a killed child is asked for its end
_MOMENT_MS: Final = 1
_NEEDS: Final = "a file system or kernel that answers"

Make: TypeAlias = Callable[[Callable[[int], None]], Source]


class Sacrifice:
    """A source whose every answer is made by a child, within `patience_s` a question and `budget_s` in all.

    `make` makes, in the child, the source that answers there; it is given what hands descriptors over to the parent.
    `idle` is done once, when the child has answered and is asked nothing more for a moment: it must not block.
    """

    def __init__(
        self, make: Make, *, budget_s: float, patience_s: float = PATIENCE_S, idle: Callable[[], None] | None = None
    ) -> None:
        self._make = make
        self._idle = idle
        self._until = time.monotonic() + budget_s
        self._patience_s = patience_s
        self._hung: set[str] = set()
        self._under_way: deque[Ask] = deque()
        self._early: dict[Ask, Reply] = {}
        self._timings: dict[Ask, Timing] = {}
        self._child: _Child | None = None
        self._left_behind: list[int] = []
        self._locks: list[int] = []
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[bytearray], tuple[Timing, Reply]] = msgspec.msgpack.Decoder(tuple[Timing, Reply]).decode
        with suppress(OSError):  # an answer will say why there is none
            self._started()

    def rest(self) -> None:
        """Let the child go, and with it its memory, but not the locks; another is made when something is asked."""
        self._drop()
        self._bury()

    def close(self) -> None:
        """Let the child go, and the locks."""
        self._drop()
        while self._locks:
            os.close(self._locks.pop())
        self._bury()

    def _bury(self) -> None:
        """Wait for a moment until those that were killed have ended."""
        times, pause_s = _REAPING
        for _ in range(times):
            self._reap()
            if not self._left_behind:
                return
            time.sleep(pause_s)

    def timing(self, ask: Ask) -> Timing | None:
        """Tell when the child was at a question, and for how long, None for what it has not answered."""
        return self._timings.get(ask)

    def ahead(self, *asks: Ask) -> None:
        """Send questions whose answers will be wanted, so that the child works on them beside its parent.

        They go in one message, and not without end: nobody reads the child's answers meanwhile, and when these fill the
        socket it takes no question off it either.
        """
        messages: list[bytes] = []
        size = 0
        for ask in asks:
            message = self._encode(ask)
            size += _HEADER_BYTES + len(message)
            if size > _MOST_AHEAD_BYTES:
                break
            messages.append(message)
        try:
            self._started().send(messages, time.monotonic() + self._patience_s)
        except OSError:  # they are asked again when their answers are wanted, and then the failure is told
            self._drop()
            return
        self._under_way.extend(asks[: len(messages)])

    def answer(self, ask: Ask) -> Reply:
        """Ask the child; a question below a folder that has hung once is not asked again."""
        while self._under_way and ask not in self._early:
            first = self._under_way.popleft()
            self._early[first] = self._waited_for(first)
        early = self._early.pop(ask, None)
        return self._waited_for(ask, sent=False) if early is None else early

    def _waited_for(self, ask: Ask, *, sent: bool = True) -> Reply:
        where = place(ask)
        for folder in self._hung:
            if where == folder or where.startswith(folder + "/"):
                return _timed_out(where, f"not asked, since {folder} has not answered before")
        # How long to wait for a lock is the caller's to say.
        patience_s = self._patience_s * (_LONG if _is_long(ask) else 1)
        left = patience_s if isinstance(ask, Lock) else min(patience_s, self._until - time.monotonic())
        if left <= 0:
            self._drop()  # of what was sent ahead no answer is read any more
            return _timed_out(where, "the time for the whole run was over")
        try:
            child = self._started()
        except OSError as error:
            detail = f"{where}: no process could be started to ask: {error.strerror}"
            return Failure(Reason(code=Code.CRASHED, detail=detail, needs="room for one more process"))
        return self._asked(child, ask, where, left, sent=sent)

    def _asked(self, child: "_Child", ask: Ask, where: str, left: float, *, sent: bool) -> Reply:
        until = time.monotonic() + left
        try:
            if not sent:
                child.send([self._encode(ask)], until)
            self._timings[ask], reply = self._decode(child.receive(until, self._locks))
        except TimeoutError:
            self._drop()
            if "/" in where:
                whole = isinstance(ask, Statvfs | List)  # it may be a mount of its own; what is beside it may answer
                self._hung.add(where if whole else where.rpartition("/")[0] or where)
            return _timed_out(where, f"no answer within {left:.1f} s")
        except (OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
            self._drop()
            detail = f"{where}: the child that asked died ({type(error).__name__})"
            return Failure(Reason(code=Code.CRASHED, detail=detail))
        return reply

    def _started(self) -> "_Child":
        """Give the child, started if there is none; early, before the parent has grown, it stays small."""
        if self._child is None:
            self._reap()
            self._child = _Child(self._make, self._idle)
        return self._child

    def _drop(self) -> None:
        self._under_way.clear()  # of a child that is let go no answer comes
        if self._child is not None:
            self._left_behind.append(self._child.abandon())
            self._child = None

    def _reap(self) -> None:
        self._left_behind = [pid for pid in self._left_behind if _lives(pid)]


class _Child:
    """One child process and the socket to it."""

    def __init__(self, make: Make, idle: Callable[[], None] | None) -> None:
        own.hold_streams()
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        try:
            self._pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if self._pid == 0:
            _serve(theirs, make, idle, parent)
        theirs.close()
        self._socket = ours

    def send(self, messages: list[bytes], until: float) -> None:
        """Send questions; raises TimeoutError, OSError."""
        self._wait_until(until)
        self._socket.sendall(b"".join(len(one).to_bytes(_HEADER_BYTES, "big") + one for one in messages))

    def receive(self, until: float, locks: list[int]) -> bytearray:
        """Wait for the next answer; raises TimeoutError, EOFError, ValueError."""
        self._wait_until(until)
        start, descriptors, _, _ = socket.recv_fds(self._socket, _HEADER_BYTES, 1)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - a positional one
        locks += descriptors
        if not start:
            raise EOFError
        size = int.from_bytes(start + self._receive(_HEADER_BYTES - len(start), until), "big")
        if size > _MOST_REPLY_BYTES:
            raise ValueError("no child of ours answers at such length")
        return self._receive(size, until)

    def _receive(self, size: int, until: float) -> bytearray:
        received = bytearray(size)
        view = memoryview(received)
        while view:
            self._wait_until(until)
            count = self._socket.recv_into(view)
            if count == 0:
                raise EOFError
            view = view[count:]
        return received

    def _wait_until(self, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)

    def abandon(self) -> int:
        """Kill the child without waiting for it, and give its pid; one that has ended is not shot at, see pid reuse."""
        self._socket.close()
        if _lives(self._pid):
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        return self._pid


def _lives(pid: int) -> bool:
    """Tell whether a child of ours has not ended; one that has is a zombie no longer."""
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False


def _serve(channel: socket.socket, make: Make, idle: Callable[[], None] | None, parent: int) -> NoReturn:
    """Be the child: answer until the parent is gone; never return into the parent's code."""
    status = 1
    try:
        detach(parent, channel.fileno())
        handed: list[int] = []
        source = make(handed.append)
        encode = msgspec.msgpack.Encoder().encode
        decode = msgspec.msgpack.Decoder(Ask).decode
        stream = channel.makefile("rb")
        waiting = select.poll()
        waiting.register(channel, select.POLLIN)
        while header := stream.read(_HEADER_BYTES):
            ask = decode(stream.read(int.from_bytes(header, "big")))
            at, start = datetime.now(UTC), time.monotonic_ns()
            reply = _answer(source, ask)
            _send(channel, encode((Timing(at, (time.monotonic_ns() - start) // 1000), reply)), handed)
            if idle is not None and not waiting.poll(_MOMENT_MS):
                idle()
                idle = None
        status = 0
    finally:
        os._exit(status)


def _answer(source: Source, ask: Ask) -> Reply:
    try:
        return source.answer(ask)
    except Exception as error:  # noqa: BLE001 - whatever a node does to one question, the next is answered
        return Failure(Reason(code=Code.CRASHED, detail=f"{place(ask)}: {crash(error)}"))


def _send(channel: socket.socket, message: bytes, handed: list[int]) -> None:
    header = len(message).to_bytes(_HEADER_BYTES, "big")
    if handed:
        socket.send_fds(channel, [header], handed)
        while handed:
            os.close(handed.pop())
        header = b""
    sent = channel.sendmsg([header, message])
    if sent < len(header) + len(message):
        channel.sendall(memoryview(message)[sent - len(header) :])


def _is_long(ask: Ask) -> bool:
    """Tell a question that takes long without anything being wrong: all processes or units, a runtime, a huge file."""
    return isinstance(ask, Processes | Units | Digest | Healthz | Cri | Below | Sizes) or (
        isinstance(ask, Read) and ask.cap_bytes >= _LONG_READ_BYTES
    )


def _timed_out(where: str, detail: str) -> Failure:
    return Failure(Reason(code=Code.TIMED_OUT, detail=f"{where}: {detail}", needs=_NEEDS))
