"""A sosreport: the folder that `sos report` made on a node, see sos/report/plugins of the sos project.

Files lie at their paths, what commands printed in `sos_commands/PLUGIN/`; of what was too long the end is in
`sos_strings/PLUGIN/`, as `.tailed`.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from nodediag.host.answer import Content, PathStat, PathType
from nodediag.host.ask import Read, Stat
from nodediag.host.host import Source, Taken
from nodediag.host.node_root import open_root

COMMANDS: Final = "/sos_commands"
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_OF_SOS: Final = ("/sos_reports", "/sos_logs", "/version.txt")  # beside the commands; since sos 4.0, and before
_UTC: Final = f"{COMMANDS}/date/date_--utc"
_LOCAL: Final = (f"{COMMANDS}/date/date", "/date")
_DATE: Final = re.compile(  # as date(1) prints it in the C locale, in which sos runs commands
    rf"[A-Z][a-z]{{2}} ({'|'.join(MONTHS)}) +(\d{{1,2}}) (\d\d):(\d\d):(\d\d) (\S+) (\d{{4}})\s*"
)
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)?")
_GREENWICH: Final = frozenset({"UTC", "GMT", "Z"})
_QUARTER_S: Final = 900  # every time zone is a multiple of it
_CAP_BYTES: Final = 4096
_LOGS: Final = (f"{COMMANDS}/logs", "/sos_strings/logs")
_PART: Final = re.compile(r"disk-usage|list-boots|--unit|_-u_|--boot_-\d")
_PIECE_BYTES: Final = 1 << 20


class Journal(msgspec.Struct, frozen=True):
    """What `journalctl` printed into a sosreport: its path there, a descriptor of it, and whether it is in JSON."""

    path: str
    fd: int
    is_json: bool

    def chunks(self) -> Iterator[bytes]:
        """Give the text, piece by piece."""
        while piece := os.read(self.fd, _PIECE_BYTES):
            yield piece


def is_sosreport(files: Source) -> bool:
    """Tell whether a folder is one that sos made as a whole, rather than some files of one."""
    commands = files.answer(Stat(COMMANDS))
    made = isinstance(commands, PathStat) and commands.kind is PathType.DIRECTORY
    return made and any(isinstance(files.answer(Stat(path)), PathStat) for path in _OF_SOS)


def taken(files: Source) -> Taken:
    """Tell when it was made: by `date --utc`, else by a `date` in a time zone that is one everywhere."""
    universal = _printed(files, _UTC)
    local = next((found for path in _LOCAL if (found := _printed(files, path)) is not None), None)
    if universal is not None:
        at, _ = universal
        away = None if local is None else round((local[0] - at).total_seconds() / _QUARTER_S) * _QUARTER_S
        return Taken(at, away)
    if local is None or local[1] is None:
        return Taken()
    return Taken(local[0] - timedelta(seconds=local[1]), local[1])


def _printed(files: Source, path: str) -> tuple[datetime, int | None] | None:
    """Give what date(1) printed: the clock's time as if in UTC, and how far it is from there where it says so."""
    reply = files.answer(Read(path, _CAP_BYTES))
    text = reply.data.decode("utf-8", "backslashreplace") if isinstance(reply, Content) else ""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    month, day, hour, minute, second, zone, year = match.groups()
    try:
        at = datetime(int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return at, _away_s(zone)


def _away_s(zone: str) -> int | None:
    if zone in _GREENWICH:
        return 0
    match = _OFFSET.fullmatch(zone)
    if match is None:
        return None
    seconds = int(match[2]) * 3600 + int(match[3] or 0) * 60
    return -seconds if match[1] == "-" else seconds


@contextmanager
def journal(folder: str) -> Iterator[Journal | None]:
    """Open the most that was printed of the journal below a folder: all in JSON, all as text, or of the last boot."""
    root = open_root(folder)
    fds: list[int] = []
    try:
        found: list[tuple[bool, bool, str, int]] = []
        for place in _LOGS:
            try:
                listed = root.open(place, os.O_RDONLY | os.O_DIRECTORY)
            except OSError:
                continue
            fds.append(listed)
            for name in sorted(os.listdir(listed)):
                if name.startswith("journalctl_") and _PART.search(name) is None:
                    fd = _opened(listed, name)
                    if fd is not None:
                        fds.append(fd)
                        is_json = os.pread(fd, 1, 0) == b"{"
                        found.append((not is_json, "--boot" in name, f"{place}/{name}", fd))
        is_text, _, path, fd = min(found, default=(False, False, "", -1))
        yield Journal(path, fd, not is_text) if found else None
    finally:
        for fd in fds:
            os.close(fd)
        root.close()


def _opened(folder: int, name: str) -> int | None:
    """Open a regular file that says something; what a link leads to stands in the other folder."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode) and found.st_size:
        return fd
    os.close(fd)
    return None
