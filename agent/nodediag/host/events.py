"""Waits for descriptors, signals and the end of a time in one place, so that a process that stays needs no thread."""

import os
import select
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_READ_BYTES: Final = 512
_GONE: Final = select.POLLERR | select.POLLHUP | select.POLLNVAL

Ready = Callable[[], None]


class Events:
    """What is waited for. The signals given are taken from now on, and told by `wait`."""

    def __init__(self, signals: tuple[int, ...]) -> None:
        self._poll = select.poll()
        self._read: dict[int, Ready] = {}
        self._write: dict[int, Ready] = {}
        self._signals, self._wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda _number, _frame: None)
        self._poll.register(self._signals, select.POLLIN)

    def close(self) -> None:
        """Be told of no signal any more."""
        signal.set_wakeup_fd(-1)
        os.close(self._signals)
        os.close(self._wakeup)

    def when_read(self, fd: int, ready: Ready | None) -> None:
        """Call something whenever a descriptor can be read; None for no longer."""
        self._set(self._read, fd, ready)

    def when_written(self, fd: int, ready: Ready | None) -> None:
        """Call something whenever a descriptor can be written; None for no longer."""
        self._set(self._write, fd, ready)

    def _set(self, table: dict[int, Ready], fd: int, ready: Ready | None) -> None:
        if ready is None:
            table.pop(fd, None)
        else:
            table[fd] = ready
        mask = (select.POLLIN if fd in self._read else 0) | (select.POLLOUT if fd in self._write else 0)
        if mask:
            self._poll.register(fd, mask)
        else:
            with suppress(KeyError):
                self._poll.unregister(fd)

    def wait(self, timeout_s: float) -> tuple[int, ...]:
        """Wait once, call what is ready, and give the signals that came."""
        signals: tuple[int, ...] = ()
        for fd, found in self._poll.poll(max(0.0, timeout_s) * 1000):
            if fd == self._signals:
                with suppress(BlockingIOError):
                    signals = tuple(os.read(fd, _READ_BYTES))
                continue
            for table, mask in ((self._read, select.POLLIN), (self._write, select.POLLOUT)):
                ready = table.get(fd)
                if ready is not None and found & (mask | _GONE):
                    ready()
        return signals
