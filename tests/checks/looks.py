"""Two looks at the counters of a healthy node, five minutes apart."""

from typing import Final

from nodediag.facts.cgroup_counters import Row
from nodediag.facts.counters import NODE, Counters, Table
from nodediag.model.evidence import FileEvidence

BOOT_ID: Final = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
POD: Final = "11111111-2222-3333-4444-555555555555"
CONTAINER: Final = f"/sys/fs/cgroup/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/cri-containerd-a.scope"
SERVICE: Final = "/sys/fs/cgroup/system.slice/containerd.service"
AT_REST: Final[dict[Table, dict[str, dict[str, int]]]] = {
    Table.DISKS: {
        "sda": {
            "reads": 300, "read_ms": 300, "writes": 600, "write_ms": 1200, "in_flight": 1, "busy_ms": 3000,
            "queue_ms": 1500,
        },
        "sda3": {"reads": 300, "read_ms": 300, "writes": 600, "write_ms": 1200, "in_flight": 0, "queue_ms": 1500},
    },
    Table.INTERFACES: {
        "eth0": dict.fromkeys(("rx_packets", "tx_packets"), 90_000)
        | dict.fromkeys(("rx_errors", "rx_drops", "tx_errors", "tx_drops"), 0)
    },
    Table.TCP: {NODE: {"ListenOverflows": 0, "ListenDrops": 0}},
    Table.BACKLOG: {NODE: {"processed": 90_000, "dropped": 0, "time_squeeze": 3}},
    Table.CONNTRACK: {NODE: {"insert_failed": 2, "drop": 0, "early_drop": 0}},
    Table.MEMORY: {NODE: {"oom_kill": 0, "pgmajfault": 600, "pswpin": 0, "pswpout": 0, "workingset_refault_file": 90}},
    Table.FORKS: {NODE: {"processes": 6000}},
    Table.PRESSURE: {name: {"total_us": 3_000_000} for name in ("cpu.some", "memory.some", "memory.full", "io.full")},
    Table.THROTTLING: {
        CONTAINER: {"nr_periods": 3000, "nr_throttled": 30},
        SERVICE: {"nr_periods": 3000, "nr_throttled": 0},
    },
    Table.OOM_KILLS: {POD: {"oom_kill": 0}},
    Table.RESTARTS: {"kubelet.service": {"restarts": 0}},
}  # fmt: skip
BETWEEN_S: Final = 300.0
EACH_A_LINE: Final = {Table.MEMORY, Table.OOM_KILLS}  # of vmstat, and of what tells a cgroup's kills


def look(times: int, grew: dict[Table, dict[str, dict[str, int]]], seconds: float = BETWEEN_S) -> Counters:
    """Give the first look, or the second: by then counters, but for what is under way, have grown as the table says."""
    first = AT_REST if times > 1 else {}

    def number(table: Table, name: str, key: str, grown: int) -> int:
        return grown + (0 if key == "in_flight" else first.get(table, {}).get(name, {}).get(key, 0))

    def lines(table: Table, name: str, values: dict[str, int]) -> tuple[FileEvidence, ...]:
        """Give a line for each counter where the kernel does."""
        texts = [f"{key} {value}" for key, value in values.items()] if table in EACH_A_LINE else [name]
        return tuple(FileEvidence(path=f"/proc/{table}", line=line, text=text) for line, text in enumerate(texts, 1))

    return Counters(
        boot_id=BOOT_ID,
        uptime_s=1000.0 if times == 1 else 1000.0 + seconds,
        tables={
            table: {
                name: Row(
                    values={key: number(table, name, key, grown) for key, grown in values.items()},
                    lines=lines(table, name, values),
                )
                for name, values in rows.items()
            }
            for table, rows in grew.items()
        },
        pods={POD: "default/web"},
    )
