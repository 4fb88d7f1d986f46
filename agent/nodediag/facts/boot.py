"""Which boot this is: the kernel's boot id (random(4)) and the time of boot (`btime` in proc_stat(5))."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host

NAMESPACE: Final[Namespace | None] = None  # one boot for all
ID_PATH: Final = "/proc/sys/kernel/random/boot_id"
STAT_PATH: Final = "/proc/stat"
STAT_CAP_BYTES: Final = 4 * 1024 * 1024


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """The boot's id, a UUID that changes with every boot, and when it was."""

    id: str
    at: datetime


def collect(host: Host) -> Boot:
    """Read both; raises ParseError where the kernel's words are not as documented."""
    identity = host.first_line(ID_PATH).text
    for line in host.lines(STAT_PATH, cap_bytes=STAT_CAP_BYTES):
        name, _, value = line.text.partition(" ")
        if name == "btime" and value.isascii() and value.isdecimal():
            try:
                return Boot(id=identity, at=datetime.fromtimestamp(int(value), UTC))
            except (ValueError, OverflowError, OSError) as error:
                raise ParseError(f"{STAT_PATH}:{line.number}", line.text, "a time after 1970") from error
    raise ParseError(STAT_PATH, "", "a line `btime`, the seconds since 1970")
