"""Commands of our own system: those of one table, by absolute path, with nothing of our environment.

What one prints comes in pieces as it is printed, so its length is no matter. It is killed at a deadline, when nobody
reads on, and with its parent.
"""

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Final

from nodediag.errors import ReadError
from nodediag.host import own
from nodediag.model.reason import Code, Reason

_CHUNK_BYTES: Final = 64 * 1024
_COMPLAINT_BYTES: Final = 2048
_REAPING: Final = (100, 0.001)  # how often, with which pause, a killed command is asked for its end
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


class Command(StrEnum):
    """Every command that is ever run."""

    JOURNALCTL = "journalctl"


_PLACES: Final = {
    Command.JOURNALCTL: ("/usr/bin/journalctl", "/bin/journalctl", "/run/current-system/sw/bin/journalctl")
}


class Run:
    """One run of a command; `files` are descriptors it inherits under their numbers, `until` is on the monotonic clock.

    `complaint` is how its standard error begins.
    """

    def __init__(
        self, command: Command, arguments: tuple[str, ...], *, until: float, files: tuple[int, ...] = ()
    ) -> None:
        self._command = command
        self._arguments = arguments
        self._until = until
        self._files = files
        self._said = b""

    @property
    def complaint(self) -> str:
        """Give what it wrote to standard error so far, at most 2 KiB."""
        return self._said.decode("utf-8", "backslashreplace").strip()

    def chunks(self) -> Iterator[bytes]:
        """Run it and give what it prints; raises ReadError, after all that it printed, when it fails or is late."""
        process = self._started()
        try:
            yield from self._read(process)
            status = self._ended(process)
        finally:
            _abandon(process)
        if status:
            detail = f"{self._command} ended with {status}: {self.complaint or 'it did not say why'}"
            raise ReadError(self._command, Reason(code=Code.CRASHED, detail=detail))

    def _started(self) -> "subprocess.Popen[bytes]":
        place = next((place for place in _PLACES[self._command] if os.access(place, os.X_OK)), None)
        if place is None:
            raise ReadError(self._command, _reason(Code.ABSENT, f"{self._command} is not installed"))
        stdin = own.nothing()
        try:
            return subprocess.Popen(  # noqa: S603 - an absolute path of the table, no shell
                (place, *self._arguments),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={"LC_ALL": "C"},
                pass_fds=self._files,
                preexec_fn=_follow_parent,  # noqa: PLW1509 - we have one thread
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ReadError(self._command, _reason(Code.CRASHED, f"{place} cannot be started: {error}")) from error
        finally:
            os.close(stdin)

    def _read(self, process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
        if process.stdout is None or process.stderr is None:
            return
        out, complaints = process.stdout.fileno(), process.stderr.fileno()
        open_ends = {out, complaints}
        waiting = select.poll()
        for end in open_ends:
            waiting.register(end, select.POLLIN)
        while open_ends:
            for end, _ in waiting.poll(self._left_ms()):
                data = os.read(end, _CHUNK_BYTES)
                if not data:
                    waiting.unregister(end)
                    open_ends.discard(end)
                elif end == out:
                    yield data
                else:
                    self._said += data[: _COMPLAINT_BYTES - len(self._said)]

    def _ended(self, process: "subprocess.Popen[bytes]") -> int:
        try:
            return process.wait(self._left_ms() / 1000)
        except subprocess.TimeoutExpired:
            raise ReadError(self._command, self._late()) from None

    def _left_ms(self) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise ReadError(self._command, self._late())
        return int(left * 1000) + 1

    def _late(self) -> Reason:
        return _reason(Code.TIMED_OUT, f"{self._command} was not done when the time was over")


def _reason(code: Code, detail: str) -> Reason:
    return Reason(code=code, detail=detail)


def _follow_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _abandon(process: "subprocess.Popen[bytes]") -> None:
    """Kill what still runs, and wait but a moment for its end: in D state it does not come."""
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    if process.poll() is not None:
        return
    with suppress(OSError):
        process.kill()
    times, pause_s = _REAPING
    for _ in range(times):
        if process.poll() is not None:
            return
        time.sleep(pause_s)
    process.returncode = -int(signal.SIGKILL)  # nobody asks it again, and no warning tells of it
