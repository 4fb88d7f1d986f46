"""Children of a process that stays: each does one piece of work, and tells of it in lines by a pipe.

Nobody waits for one. A child shares no stream with us, and dies with us (prctl(2), PR_SET_PDEATHSIG). Ours must not
be missing, see own.hold_streams().
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NoReturn

from nodediag.host import own

_PR_SET_PDEATHSIG: Final = 1
_OUTSIDE: Final = 0  # the parent of one whose parent is in another pid namespace, as after unshare(2)
_MOST_DESCRIPTORS: Final = 1 << 16  # without close_range(2) each costs a call
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)
_READ_BYTES: Final = 1 << 16
_MOST_LINE_BYTES: Final = 1 << 21

Tell = Callable[[bytes], None]


class Child:
    """One child; `fd` can be read when it has told something or has closed its end."""

    def __init__(self, work: Callable[[Tell], None]) -> None:
        self.fd, theirs = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        try:
            self.pid = os.fork()
        except OSError:
            os.close(self.fd)
            os.close(theirs)
            raise
        if self.pid == 0:
            _work(work, theirs, parent)
        os.close(theirs)
        os.set_blocking(self.fd, False)
        self._rest = b""

    def told(self) -> tuple[list[bytes], bool]:
        """Give the whole lines that have come, and whether more may; none after one that is endless."""
        lines: list[bytes] = []
        while True:
            try:
                data = os.read(self.fd, _READ_BYTES)
            except BlockingIOError:
                return lines, True
            *whole, self._rest = (self._rest + data).split(b"\n")
            lines += whole
            if not data or len(self._rest) > _MOST_LINE_BYTES:
                return lines, False

    def kill(self) -> None:
        """End it, unless it sleeps where no signal reaches; it must not have been reaped."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Listen to it no longer."""
        os.close(self.fd)


def reaped() -> Iterator[tuple[int, int]]:
    """Give pid and status of every child that has ended; as PID 1 of a container we have others' too."""
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            yield found[0], os.waitstatus_to_exitcode(found[1])


def detach(parent: int, keep: int) -> None:
    """Share nothing with the parent that somebody waits on: no streams, no session, no descriptor but one."""
    import ctypes  # noqa: PLC0415 - in the child, beside its parent

    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() not in {parent, _OUTSIDE}:  # it died before the kernel knew that we wish to follow
        os._exit(1)
    own.be_gentle_to_disks(parent)
    nothing = own.nothing()
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.closerange(3, keep)
    os.closerange(keep + 1, min(_MOST_DESCRIPTORS, os.sysconf("SC_OPEN_MAX")))


def _work(work: Callable[[Tell], None], fd: int, parent: int) -> NoReturn:
    """Be the child; never return into the parent's code."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        detach(parent, fd)
        work(lambda line: _write(fd, line + b"\n"))
        status = 0
    finally:
        os._exit(status)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
