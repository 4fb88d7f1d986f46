"""Other lists of mounts, for a folder without PID 1's mountinfo: see proc_pid_mounts(5), mount(8), findmnt(8), df(1).

They tell one list of options for a mount, in which `ro` stands when the mount or its superblock is read-only. Paths
may hold spaces that only the kernel escapes: where a line can be cut in two ways, the rule is written at the cut.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts import mount_tree, mount_usage
from nodediag.facts.mounts import CAP_BYTES, Mount, Mounts, is_complete, unescape
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.reason import Code

NAMESPACE: Final[Namespace | None] = Namespace.MOUNT
Parser: TypeAlias = Callable[[tuple[Line, ...], str], Mounts]
_MISSING: Final = frozenset({Code.NOT_CAPTURED, Code.ABSENT})
_KERNEL_FIELDS: Final = 6
_TYPE: Final = re.compile(r" type ([\w.+-]+) \((?=r[wo][,)])")
_KERNEL_WANTED: Final = "a line as in proc_pid_mounts(5)"
_MOUNT_WANTED: Final = "a line of mount(8), `SOURCE on TARGET type FSTYPE (OPTIONS)`"
_EITHER_WANTED: Final = f"{_KERNEL_WANTED} or {_MOUNT_WANTED}"


def collect(host: Host) -> Mounts:
    """Read the first of the lists that is there; without any, the first one's error stands for all."""
    missing: list[ReadError] = []
    for path, parser in _LISTS:
        try:
            return parser(host.lines(path, cap_bytes=CAP_BYTES), path)
        except ReadError as error:
            if error.reason.code not in _MISSING:
                raise
            missing.append(error)
    raise missing[0]


def parse_kernel(lines: tuple[Line, ...], path: str) -> Mounts:
    """Parse /proc/PID/mounts, which is written as fstab(5) is."""
    return _listed(_read(lines, _of_kernel), lines, path, _KERNEL_WANTED)


def parse_mount(lines: tuple[Line, ...], path: str) -> Mounts:
    """Parse what `mount` or `mount -l` prints."""
    return _listed(_read(lines, _of_mount), lines, path, _MOUNT_WANTED)


def parse_either(lines: tuple[Line, ...], path: str) -> Mounts:
    """Parse a file named as the kernel's list, into which somebody may have written what `mount` prints."""
    for line in lines:
        if _of_mount(line) is not None:
            return parse_mount(lines, path)
        if _of_kernel(line) is not None:
            return parse_kernel(lines, path)
    return _listed((), lines, path, _EITHER_WANTED)


def parse_findmnt(lines: tuple[Line, ...], path: str) -> Mounts:
    """Parse what `findmnt` prints, as a tree or as a list."""
    return _listed(mount_tree.read(lines), lines, path, mount_tree.WANTED)


def parse_df(lines: tuple[Line, ...], path: str) -> Mounts:
    """Parse what `df` prints. It leaves out binds and tells no options: nothing follows from what it lacks."""
    return msgspec.structs.replace(_listed(mount_usage.read(lines), lines, path, mount_usage.WANTED), complete=False)


def _listed(mounts: tuple[Mount, ...], lines: tuple[Line, ...], path: str, wanted: str) -> Mounts:
    """Make the table; it is not complete where a line could not be read, for that may have been any mount."""
    telling = [line.text for line in lines if _tells(line.text)]
    if not mounts:
        raise ParseError(path, telling[0] if telling else "", wanted)
    return Mounts(mounts=mounts, complete=is_complete(mounts) and len(mounts) == len(telling), path=path)


def _tells(text: str) -> bool:
    return bool(text.strip()) and not text.startswith("#") and not mount_tree.is_header(text)


def _read(lines: tuple[Line, ...], of_line: Callable[[Line], Mount | None]) -> tuple[Mount, ...]:
    return tuple(mount for mount in map(of_line, lines) if mount is not None)


def _of_kernel(line: Line) -> Mount | None:
    """Read `SOURCE TARGET FSTYPE OPTIONS 0 0`. The source may be empty; old kernels left spaces in options."""
    fields = line.text.rstrip().split(" ")
    if len(fields) < _KERNEL_FIELDS or not fields[1].startswith("/"):
        fields = line.text.split()  # set in columns, by tabs or several spaces
    if len(fields) < _KERNEL_FIELDS or line.text.startswith("#"):
        return None
    source, target, fstype, *options, dump, order = fields
    if not (target.startswith("/") and fstype and dump.isdecimal() and order.isdecimal()):
        return None
    return Mount(
        target=unescape(target),
        options=tuple(unescape(" ".join(options)).split(",")),
        fstype=fstype,
        source=unescape(source),
        evidence=line.evidence,
    )


def _of_mount(line: Line) -> Mount | None:
    """Read `SOURCE on TARGET type FSTYPE (OPTIONS) [LABEL]`: cut at the first ` on /` and the last ` type X (r`."""
    kinds = list(_TYPE.finditer(line.text))
    if not kinds:
        return None
    source, on, target = line.text[: kinds[-1].start()].partition(" on /")
    options, closing, label = line.text[kinds[-1].end() :].rstrip().partition(") [")
    if not on or not (label.endswith("]") if closing else options.endswith(")")):
        return None
    return Mount(
        target="/" + target,
        options=tuple((options if closing else options[:-1]).split(",")),
        fstype=kinds[-1][1],
        source=source,
        evidence=line.evidence,
    )


_LISTS: Final[tuple[tuple[str, Parser], ...]] = (
    ("/proc/1/mounts", parse_either),
    ("/proc/mounts", parse_either),
    ("/sos_commands/filesys/mount_-l", parse_mount),
    ("/sos_commands/filesys/mount", parse_mount),
    ("/sos_commands/filesys/findmnt", parse_findmnt),
    ("/sos_commands/filesys/df_-al_-x_autofs", parse_df),
    ("/sos_commands/filesys/df_-al", parse_df),
    ("/sos_commands/filesys/df", parse_df),
)
