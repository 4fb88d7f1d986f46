"""Asks in a child process that nobody waits for past a deadline.

A call on a hung file system puts its caller to sleep where no signal reaches (D state). A thread in that state would
keep us from exiting, and a process that shares our standard streams would keep SSH from closing. So the child has
streams of its own, is killed and left behind when it does not answer in time, and another takes its place. The parent's
death kills it (prctl(2), PR_SET_PDEATHSIG), as far as the kernel can.
"""

import ctypes
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from nodediag.host.ask import Ask, Failure, Reply, place
from nodediag.host.host import Source
from nodediag.model.reason import Code, Reason

PATIENCE_S: Final = 2.0
_HEADER_BYTES: Final = 8
_PR_SET_PDEATHSIG: Final = 1
_NEEDS: Final = "a file system or kernel that answers"


class Sacrifice:
    """A source whose every answer is made by a child, within `patience_s` a question and `budget_s` in all."""

    def __init__(self, make: Callable[[], Source], *, budget_s: float, patience_s: float = PATIENCE_S) -> None:
        self._make = make
        self._until = time.monotonic() + budget_s
        self._patience_s = patience_s
        self._hung: set[str] = set()
        self._child: _Child | None = None
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode: Callable[[bytes], Reply] = msgspec.msgpack.Decoder(Reply).decode
        self.start()

    def start(self) -> None:
        """Start the child if there is none; early, before the parent has grown, it stays small."""
        if self._child is None:
            self._child = _Child(self._make)

    def close(self) -> None:
        """Let the child go."""
        if self._child is not None:
            self._child.abandon()
            self._child = None

    def answer(self, ask: Ask) -> Reply:
        """Ask the child; a question below a folder that has hung once is not asked again."""
        where = place(ask)
        folder = where.rpartition("/")[0]
        if folder and folder in self._hung:
            return _timed_out(where, f"not asked, since {folder} has not answered before")
        left = min(self._patience_s, self._until - time.monotonic())
        if left <= 0:
            return _timed_out(where, "the time for the whole run was over")
        self.start()
        child = self._child
        if child is None:  # pragma: no cover - start() has just made one
            return _timed_out(where, "no child to ask")
        try:
            return self._decode(child.exchange(self._encode(ask), time.monotonic() + left))
        except TimeoutError:
            self.close()
            if folder:
                self._hung.add(folder)
            return _timed_out(where, f"no answer within {left:.1f} s")
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            self.close()
            detail = f"{where}: the child that asked died ({type(error).__name__})"
            return Failure(Reason(code=Code.CRASHED, detail=detail))


class _Child:
    """One child process and the socket to it."""

    def __init__(self, make: Callable[[], Source]) -> None:
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            _serve(theirs, make, parent)
        theirs.close()
        self._socket = ours

    def exchange(self, message: bytes, until: float) -> bytes:
        """Send one question and wait for its answer; raises TimeoutError, EOFError."""
        self._socket.settimeout(max(0.001, until - time.monotonic()))
        self._socket.sendall(len(message).to_bytes(_HEADER_BYTES, "big") + message)
        size = int.from_bytes(self._receive(_HEADER_BYTES, until), "big")
        return self._receive(size, until)

    def _receive(self, size: int, until: float) -> bytes:
        received = bytearray(size)
        view = memoryview(received)
        while view:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                raise TimeoutError
            count = self._socket.recv_into(view)
            if count == 0:
                raise EOFError
            view = view[count:]
        return bytes(received)

    def abandon(self) -> None:
        """Kill the child without waiting for it."""
        self._socket.close()
        try:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, os.WNOHANG)
        except (ProcessLookupError, ChildProcessError):
            pass


def _serve(channel: socket.socket, make: Callable[[], Source], parent: int) -> NoReturn:
    """Be the child: answer until the parent is gone; never return into the parent's code."""
    status = 1
    try:
        _detach(channel, parent)
        source = make()
        encode = msgspec.msgpack.Encoder().encode
        decode = msgspec.msgpack.Decoder(Ask).decode
        stream = channel.makefile("rwb", buffering=1 << 16)
        while header := stream.read(_HEADER_BYTES):
            ask = decode(stream.read(int.from_bytes(header, "big")))
            try:
                reply = source.answer(ask)
            except Exception as error:  # noqa: BLE001 - whatever a node does to one question, the next is answered
                reply = Failure(Reason(code=Code.CRASHED, detail=f"{place(ask)}: {type(error).__name__}: {error}"))
            message = encode(reply)
            stream.write(len(message).to_bytes(_HEADER_BYTES, "big") + message)
            stream.flush()
        status = 0
    finally:
        os._exit(status)


def _detach(channel: socket.socket, parent: int) -> None:
    """Share nothing with the parent that somebody waits on: no streams, no session, no other descriptors."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel knew that we wish to follow
        os._exit(1)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    keep = channel.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, min(1 << 16, os.sysconf("SC_OPEN_MAX")))


def _timed_out(where: str, detail: str) -> Failure:
    return Failure(Reason(code=Code.TIMED_OUT, detail=f"{where}: {detail}", needs=_NEEDS))
