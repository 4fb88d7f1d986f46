"""The process list, read by psutil below any procfs, or from the /proc/PID files that a folder holds."""

from collections.abc import Callable
from typing import Final

from nodediag.host.ask import Process

_ARGUMENTS_CAP: Final = 64 * 1024  # a process may carry megabytes; a GKE kubelet's line has some 3 KiB


def living(procfs: str) -> tuple[Process, ...]:
    """List the processes of a mounted procfs; one that ends meanwhile is left out."""
    import psutil  # noqa: PLC0415 - only the child that lists processes pays for it

    psutil.PROCFS_PATH = procfs
    found = []
    for process in psutil.process_iter(["pid", "ppid", "name", "cmdline"], ad_value=None):
        info = process.info
        argv = _capped(info["cmdline"] or [])
        found.append(Process(info["pid"], info["ppid"] or 0, _text(info["name"] or ""), argv))
    return tuple(sorted(found, key=lambda process: process.pid))


def from_files(names: tuple[str, ...], read: Callable[[str], bytes | None]) -> tuple[Process, ...]:
    """Make the list from saved `/proc/PID/cmdline` files; `read` gives None for a file that is not there."""
    found = []
    for name in names:
        if not (name.isascii() and name.isdigit()):
            continue
        saved = read(f"/proc/{name}/cmdline")
        if saved is None:
            continue
        argv = split_cmdline(saved.decode("utf-8", "backslashreplace"))
        comm = (read(f"/proc/{name}/comm") or b"").decode("utf-8", "backslashreplace").strip()
        found.append(Process(int(name), 0, comm or (argv[0].rsplit("/", 1)[-1] if argv else ""), argv))
    return tuple(sorted(found, key=lambda process: process.pid))


def split_cmdline(text: str) -> tuple[str, ...]:
    """Split a saved command line: at NULs as the kernel writes it, else before each ` -` as a person copied it.

    In a copy the NULs have become spaces, and spaces inside an argument cannot be told from them; an argument of a
    daemon starts with a dash, so what follows up to the next dash belongs to it. `--flag value` stays two arguments.
    """
    if "\0" in text:
        return tuple(text.rstrip("\0\n").split("\0"))
    first, *rest = text.strip().replace(" -", "\0-").split("\0")
    argv = first.split()
    for piece in rest:
        head, space, value = piece.strip().partition(" ")
        argv += [head, value] if space and "=" not in head else [piece.strip()]
    return tuple(argv)


def _capped(argv: list[str]) -> tuple[str, ...]:
    left = _ARGUMENTS_CAP
    kept = []
    for argument in argv:
        if left <= 0:
            break
        kept.append(_text(argument[:left]))
        left -= len(argument)
    return tuple(kept)


def _text(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
