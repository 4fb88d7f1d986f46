"""Numbers that only grow from boot on, as one look found them: a rate is what lies between two looks.

Each table has its source's own names: /proc/diskstats (iostats in the kernel's admin guide), /proc/vmstat, /proc/stat,
/proc/pressure, and of PID 1's network namespace /proc/1/net. Those of cgroups stand in cgroup_counters.py, those of
systemd's units in restarts.py.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts import boot, cgroup_counters, pressure
from nodediag.facts.cgroup_counters import MOST, Row, is_number
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT  # a container may have its own numbers mounted over these files
UPTIME_PATH: Final = "/proc/uptime"
DISKS_PATH: Final = "/proc/diskstats"
VMSTAT_PATH: Final = "/proc/vmstat"
STAT_PATH: Final = "/proc/stat"
INTERFACES_PATH: Final = "/proc/1/net/dev"
TCP_PATH: Final = "/proc/1/net/netstat"
BACKLOG_PATH: Final = "/proc/1/net/softnet_stat"
CONNTRACK_PATH: Final = "/proc/1/net/stat/nf_conntrack"
NODE: Final = "node"  # the one row of a table that is about the node as a whole
MOST_ROWS: Final = 512
_HEX: Final = "0123456789abcdef"
_DISK: Final = (
    "", "", "", "reads", "", "", "read_ms", "writes", "", "", "write_ms", "in_flight", "busy_ms", "queue_ms",
)  # fmt: skip
_INTERFACE: Final = (
    "", "rx_packets", "rx_errors", "rx_drops", "", "", "", "", "", "tx_packets", "tx_errors", "tx_drops",
)  # fmt: skip
_VMSTAT: Final = (
    "oom_kill", "pgmajfault", "pswpin", "pswpout", "workingset_refault_anon", "workingset_refault_file",
    "workingset_refault",
)  # fmt: skip
_FORKS: Final = ("processes",)
_TCP: Final = ("ListenOverflows", "ListenDrops")
_CONNTRACK: Final[tuple[str, ...]] = ("insert_failed", "drop", "early_drop")


class Table(StrEnum):
    """What the counters are of."""

    DISKS = "disks"
    INTERFACES = "interfaces"
    TCP = "tcp"
    BACKLOG = "backlog"
    CONNTRACK = "conntrack"
    MEMORY = "memory"
    FORKS = "forks"
    PRESSURE = "pressure"
    THROTTLING = "throttling"
    OOM_KILLS = "oom_kills"
    RESTARTS = "restarts"


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """One look: which boot, how long after it, and the rows of each table; `unread` says why a table is not there.

    A row that is not there stands for zero: disks and interfaces come and go, and of disks and cgroups some are kept.
    """

    boot_id: str
    uptime_s: float
    tables: dict[Table, dict[str, Row]] = {}
    unread: dict[Table, Reason] = {}
    pods: dict[str, str] = {}  # namespace and name by uid


Source = Callable[[Host], dict[str, Row]]


def collect(host: Host) -> Counters:
    """Look once; raises ReadError or ParseError where it could not be told of which boot, or when."""
    identity = host.first_line(boot.ID_PATH).text
    line = host.first_line(UPTIME_PATH)
    whole, _, hundredths = line.text.partition(" ")[0].partition(".")
    if not (is_number(whole) and is_number(hundredths)):
        raise ParseError(UPTIME_PATH, line.text, "seconds since boot, as in proc_uptime(5)")
    uptime_s = float(f"{whole}.{hundredths}")
    tables: dict[Table, dict[str, Row]] = {}
    unread: dict[Table, Reason] = {}
    for table, source in _SOURCES.items():
        try:
            tables[table] = _bounded(table, source(host))
        except (ReadError, ParseError) as error:
            unread[table] = error.reason
    try:
        cgroups = cgroup_counters.collect(host)
        tables[Table.THROTTLING] = _bounded(Table.THROTTLING, cgroups.throttling)
        tables[Table.OOM_KILLS] = _bounded(Table.OOM_KILLS, cgroups.oom_kills)
    except ReadError as error:
        unread |= {table: error.reason for table in (Table.THROTTLING, Table.OOM_KILLS) if table not in tables}
    pods = cgroup_counters.pod_names(host) if tables.get(Table.OOM_KILLS) or tables.get(Table.THROTTLING) else {}
    return Counters(boot_id=identity, uptime_s=uptime_s, tables=tables, unread=unread, pods=pods)


def _bounded(table: Table, rows: dict[str, Row]) -> dict[str, Row]:
    if len(rows) > MOST_ROWS:
        detail = f"there are {len(rows)} rows of {table}, more than {MOST_ROWS}"
        raise ReadError(table, Reason(code=Code.TOO_LARGE, detail=detail))
    return rows


def parse_disks(lines: tuple[Line, ...]) -> dict[str, Row]:
    """Parse /proc/diskstats: every block device by name, but for those of which nothing was ever asked."""
    found = {}
    for line in lines:
        words = line.text.split()
        if len(words) < len(_DISK):
            raise ParseError(f"{line.path}:{line.number}", line.text, "a line as in the kernel's iostats")
        row = _row(line, _DISK, words)
        if any(row.values.values()):
            found[words[2]] = row
    return found


def parse_interfaces(lines: tuple[Line, ...]) -> dict[str, Row]:
    """Parse /proc/net/dev: two lines of heads, then `NAME: NUMBER ...`."""
    found = {}
    for line in lines[2:]:
        name, colon, numbers = line.text.strip().rpartition(":")
        words = numbers.split()
        if not colon or len(words) < len(_INTERFACE):
            raise ParseError(f"{line.path}:{line.number}", line.text, "a line as in proc_net(5), dev")
        found[name] = _row(line, _INTERFACE, words)
    return found


def parse_named(lines: tuple[Line, ...], wanted: tuple[str, ...], path: str) -> dict[str, Row]:
    """Parse lines `NAME NUMBER`, some of them wanted; a kernel need not have each."""
    values: dict[str, int] = {}
    kept = []
    for line in lines:
        name, _, number = line.text.partition(" ")
        if name in wanted:
            values[name] = _number(line, number.strip())
            kept.append(line.evidence)
    if not values:
        raise ParseError(path, lines[0].text if lines else "", f"a line `{wanted[0]}` with a number")
    return {NODE: Row(values=values, lines=tuple(kept))}


def parse_tcp(lines: tuple[Line, ...]) -> dict[str, Row]:
    """Parse /proc/net/netstat: of each protocol a line of names, and one of numbers below it."""
    for head, line in zip(lines[::2], lines[1::2], strict=False):
        names, words = head.text.split(), line.text.split()
        if names[:1] == words[:1] == ["TcpExt:"] and len(names) == len(words):
            values = {name: _number(line, word) for name, word in zip(names, words, strict=True) if name in _TCP}
            return {NODE: Row(values=values, lines=(line.evidence,))}
    raise ParseError(TCP_PATH, lines[0].text if lines else "", "two lines `TcpExt:`, names and numbers")


def parse_backlog(lines: tuple[Line, ...]) -> dict[str, Row]:
    """Parse /proc/net/softnet_stat: a row a CPU, in hexadecimal; processed, dropped, time_squeeze come first."""
    return {NODE: _summed(lines, {"processed": 0, "dropped": 1, "time_squeeze": 2}, BACKLOG_PATH)}


def parse_conntrack(lines: tuple[Line, ...]) -> dict[str, Row]:
    """Parse /proc/net/stat/nf_conntrack: a line of names, then a row a CPU, in hexadecimal."""
    names = lines[0].text.split() if lines else []
    places: dict[str, int] = {name: names.index(name) for name in _CONNTRACK if name in names}
    if not places:
        raise ParseError(CONNTRACK_PATH, lines[0].text if lines else "", "a head with `drop` and `insert_failed`")
    return {NODE: _summed(lines[1:], places, CONNTRACK_PATH)}


def _summed(lines: tuple[Line, ...], places: Mapping[str, int], path: str) -> Row:
    values: dict[str, int] = dict.fromkeys(places, 0)
    for line in lines:
        words = line.text.split()
        for name, place in places.items():
            if place >= len(words) or words[place].strip(_HEX):
                raise ParseError(f"{path}:{line.number}", line.text, "hexadecimal numbers")
            values[name] = min(values[name] + int(words[place], 16), MOST)
    return Row(values=values, lines=tuple(line.evidence for line in lines[:1]))


def _pressure(host: Host) -> dict[str, Row]:
    return {
        f"{stall.resource}.{stall.kind}": Row(values={"total_us": min(stall.total_us, MOST)}, lines=(stall.evidence,))
        for stall in pressure.collect(host).stalls
    }


def _row(line: Line, names: Iterable[str], words: list[str]) -> Row:
    pairs = zip(names, words, strict=False)
    return Row(values={name: _number(line, word) for name, word in pairs if name}, lines=(line.evidence,))


def _number(line: Line, word: str) -> int:
    if not is_number(word):
        raise ParseError(f"{line.path}:{line.number}", line.text, "numbers")
    return min(int(word), MOST)


_SOURCES: Final[dict[Table, Source]] = {
    Table.DISKS: lambda host: parse_disks(host.lines(DISKS_PATH)),
    Table.INTERFACES: lambda host: parse_interfaces(host.lines(INTERFACES_PATH)),
    Table.TCP: lambda host: parse_tcp(host.lines(TCP_PATH)),
    Table.BACKLOG: lambda host: parse_backlog(host.lines(BACKLOG_PATH)),
    Table.CONNTRACK: lambda host: parse_conntrack(host.lines(CONNTRACK_PATH)),
    Table.MEMORY: lambda host: parse_named(host.lines(VMSTAT_PATH), _VMSTAT, VMSTAT_PATH),
    Table.FORKS: lambda host: parse_named(host.lines(STAT_PATH, cap_bytes=boot.STAT_CAP_BYTES), _FORKS, STAT_PATH),
    Table.PRESSURE: _pressure,
}
