"""Our own files, not the node's: option files in, output whole or not at all, and our manners towards the machine."""

import os
import select
import signal
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, BinaryIO, Final, NoReturn

from nodediag.errors import OutputError, UsageError

_PRIVATE: Final = 0o600
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_LAST_STREAM: Final = 2
_NICENESS: Final = 10
_IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30}  # ioprio_set(2) by machine
_IOPRIO_WHO_PROCESS: Final = 1
_IOPRIO_BEST_EFFORT_7: Final = (2 << 13) | 7
_SCRATCH_BYTES: Final = 4 * 1024 * 1024
_OPTION_CAP_BYTES: Final = 16 * 1024 * 1024


def read_text(option: str, path: str) -> str:
    """Read a file that an option names; raises UsageError naming both."""
    try:
        with open(path, "rb", opener=_unblocked) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{option} {path}: not a regular file")
            data = file.read(_OPTION_CAP_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from error
    if data is None:  # what read(2) says it would have to wait for
        raise UsageError(f"{option} {path}: it gives nothing without waiting; wanted a file")
    if len(data) > _OPTION_CAP_BYTES:
        raise UsageError(f"{option} {path}: larger than {_OPTION_CAP_BYTES} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{option} {path}: not UTF-8 text: {error.reason} at byte {error.start}") from error


def secret(option: str, path: str, size: int) -> bytes:
    """Read a key that an option names, or make it where there is none: so many bytes in hex, for its owner alone.

    Raises UsageError for one that others can read, or that is none.
    """
    with suppress(FileExistsError):
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE)
        except FileExistsError:
            raise
        except OSError as error:
            raise UsageError(f"{option} {path}: {error.strerror}") from error
        made = os.urandom(size)
        with open(fd, "wb") as file:
            os.fchmod(fd, _PRIVATE)  # whatever the umask
            file.write(made.hex().encode() + b"\n")
            file.flush()
            os.fsync(fd)
        return made
    text = read_text(option, path)
    if os.stat(path).st_mode & _OTHERS:
        raise UsageError(
            f"{option} {path}: others than its owner can read or write it; `chmod 600` it, or name a new file"
        )
    try:
        kept = bytes.fromhex(text)
    except ValueError:
        kept = b""
    if len(kept) != size:
        raise UsageError(f"{option} {path}: not a key that nodediag made: wanted {size} bytes in hex; name a new file")
    return kept


def _unblocked(path: str, flags: int) -> int:
    """Open without waiting for somebody to write into a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def texts_in(option: str, folder: str, ending: str) -> dict[str, str]:
    """Read all files of a folder with an ending, by path; a folder that is not there holds none."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(ending))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{option} {folder}: {error.strerror}") from error
    return {f"{folder}/{name}": read_text(option, f"{folder}/{name}") for name in names}


def is_folder(path: str) -> bool:
    """Tell whether a path is a folder of ours."""
    return os.path.isdir(path)


def is_file(path: str) -> bool:
    """Tell whether something stands at a path of ours that is no folder; whether it can be read is another question."""
    return os.path.lexists(path) and not os.path.isdir(path)


@contextmanager
def draft(path: str) -> Iterator[BinaryIO]:
    """Give a file to write and read again, which stands at a path once all went well, or leaves nothing behind.

    It is readable to its owner only. Raises OutputError, and UsageError for no path.
    """
    if not path:
        raise UsageError("-o is empty; wanted a file, or `-` for standard output")
    try:
        target = os.path.realpath(path)
        if os.path.lexists(target) and not stat.S_ISREG(os.lstat(target).st_mode):
            raise OutputError(f"-o {path}: it is there and is not a regular file; use `-` for standard output")
        import tempfile  # noqa: PLC0415 - most runs write no file

        fd, name = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".nodediag-")
        try:
            with open(fd, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise OutputError(f"-o {path}: {error.strerror}") from error


@contextmanager
def scratch() -> Iterator[IO[bytes]]:
    """Give a file without a name to write and read again, in memory as long as it is small; raises OutputError."""
    import tempfile  # noqa: PLC0415 - as above

    try:
        with tempfile.SpooledTemporaryFile(_SCRATCH_BYTES) as file:
            yield file
    except OSError as error:
        raise OutputError(f"a temporary file: {error.strerror}") from error


def write_output(path: str, data: bytes) -> None:
    """Write a report where `-o` says; raises OutputError."""
    if path == "-":
        write_stdout(data)
    else:
        with draft(path) as file:
            file.write(data)


def prepare_folder(option: str, folder: str) -> None:
    """Make a folder that an option names, private to its owner; raises UsageError for one that is not ours alone."""
    try:
        _make_folders(folder)
        if os.listdir(folder):
            raise UsageError(f"{option} {folder}: the folder is not empty; a recording goes into a new one")
        found = os.stat(folder)
    except OSError as error:
        raise UsageError(f"{option} {folder}: {error.strerror}") from error
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        raise UsageError(f"{option} {folder}: others may write into this folder; a recording goes into a new one")


def write_below(folder: str, path: str, *pieces: bytes) -> None:
    """Write a new file below a folder of ours; raises OSError."""
    write_pieces(folder, path, pieces)


def write_pieces(folder: str, path: str, pieces: Iterable[bytes]) -> None:
    """Write a new file below a folder of ours, piece by piece; raises OSError."""
    target = f"{folder}/{path}"
    _make_folders(os.path.dirname(target))
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
    with open(fd, "wb") as file:
        file.writelines(pieces)


def _make_folders(path: str) -> None:
    """Make a folder and those on the way to it, for their owner only; os.makedirs knows neither depth nor mode."""
    names = path.split("/")
    for end in range(1, len(names) + 1):
        with suppress(FileExistsError):
            if names[end - 1]:
                os.mkdir("/".join(names[:end]), 0o700)


def write_stdout(data: bytes) -> None:
    """Write to standard output all of it, now, also where it does not wait for us; raises OutputError."""
    try:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(1, view) :]
            except BlockingIOError:
                select.select([], [1], [])
    except OSError as error:
        raise OutputError(f"standard output: {error.strerror}") from error


def nothing() -> int:
    """Give a descriptor that can neither be read nor written, which needs no /dev/null."""
    return os.open("/", os.O_PATH | os.O_CLOEXEC)


def hold_streams() -> None:
    """Put something at 0, 1 and 2 where we were started without it, lest a file of ours be taken for that stream."""
    while (fd := nothing()) <= _LAST_STREAM:
        pass
    os.close(fd)


def be_gentle() -> None:
    """Give way to the node's own work: nice 10."""
    with suppress(OSError):  # a filter may refuse it
        os.nice(max(0, _NICENESS - os.nice(0)))


def be_gentle_to_disks(parent: int) -> None:
    """Do I/O best-effort at its lowest level, our parent's too: it need not load for this what we have loaded."""
    import ctypes  # noqa: PLC0415 - as said

    number = _IOPRIO_SET.get(os.uname().machine)
    if number is not None:
        for pid in (0, parent):
            ctypes.CDLL(None).syscall(number, _IOPRIO_WHO_PROCESS, pid, _IOPRIO_BEST_EFFORT_7)


def memory_kib() -> int:
    """Give the anonymous memory of this process, see proc_pid_statm(5)."""
    with open("/proc/self/statm", "rb") as file:
        _, resident, shared, *_ = file.read().split()
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE") // 1024


def give_back() -> None:
    """Give memory that is no longer used back to the kernel; not every C library can."""
    import ctypes  # noqa: PLC0415 - most runs are short

    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def fraction() -> float:
    """Give a random number from 0 to 1."""
    return int.from_bytes(os.urandom(4)) / 0xFFFFFFFF


def again(module: str, arguments: tuple[str, ...]) -> None:
    """Become a new Python that runs a module, without what this one has imported; returns where that cannot be.

    The one place that knows how our Python is started.
    """
    with suppress(OSError):
        if os.path.samefile(sys.executable, "/proc/self/exe"):
            os.execv(sys.executable, (sys.executable, "-I", "-m", module, *arguments))  # noqa: S606 - no shell is wanted


def die_of(number: int) -> NoReturn:
    """End as a signal ends who does not mind it; PID 1 of a container is not ended by one, and gives its status."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    leave(128 + number)


def environment(name: str) -> str:
    """Give a variable of our own environment, empty if it is not set."""
    return os.environ.get(name, "")


def uid() -> int:
    """Give the user we run as."""
    return os.geteuid()


def leave(status: int) -> NoReturn:
    """End the process at once; taking the interpreter apart would cost a tenth of a run and bring nothing."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, full, or never there
            stream.flush()
    os._exit(status)
