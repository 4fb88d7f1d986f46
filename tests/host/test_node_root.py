"""Where a path lies by a mount table, as the kernel looks it up; the tables of real nodes, and odd ones."""

from pathlib import Path

import pytest

from nodediag.facts.mounts import parse
from nodediag.host.host import Line
from nodediag.host.node_root import MountTable

TABLES = sorted(Path(__file__).parents[1].glob("nodes/*/root/proc/1/mountinfo"))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.parts[-5])
def test_a_path_lies_where_the_facts_of_mounts_say(table: Path) -> None:
    data = table.read_bytes()
    lines = [Line("/proc/1/mountinfo", number, text) for number, text in enumerate(data.decode().splitlines(), 1)]
    facts = parse(lines, "/proc/1/mountinfo")
    for path in {f"{mount.target.rstrip('/')}/some/file" for mount in facts.mounts} | {"/", "/etc/os-release"}:
        held = facts.holding(path)
        assert held is not None
        below = path[len(held.target.rstrip("/")) :]
        place = (held.device.encode(), (held.root.rstrip("/") + below).encode() or b"/")
        assert place in MountTable(data).places(path.encode()), path


ROW = "{id} {parent} 8:{id} {root} {target} rw - ext4 /dev/x rw\n"


def table(*rows: tuple[int, int, str]) -> MountTable:
    text = "".join(ROW.format(id=one, parent=parent, root="/", target=target) for one, parent, target in rows)
    return MountTable(text.encode())


def devices(mounts: MountTable, path: str) -> set[str]:
    return {device.decode() for device, _ in mounts.places(path.encode())}


def test_of_stacked_mounts_the_upper_one_counts_in_whatever_order_they_are_listed() -> None:
    rows = ((1, 0, "/"), (2, 1, "/var"), (3, 2, "/var"), (4, 3, "/var/log"))
    for listed in (rows, rows[::-1]):
        assert devices(table(*listed), "/var/log/x") == {"8:4"}
        assert devices(table(*listed), "/var/lib") == {"8:3"}


def test_what_a_later_mount_covers_is_not_reached() -> None:
    assert devices(table((1, 0, "/"), (2, 1, "/var/log"), (3, 1, "/var")), "/var/log/x") == {"8:3"}


def test_a_name_that_only_begins_alike_is_another() -> None:
    assert devices(table((1, 0, "/"), (2, 1, "/var/log")), "/var/logs") == {"8:1"}


def test_where_two_roots_are_listed_either_may_be_meant() -> None:
    assert devices(table((1, 1, "/"), (2, 1, "/"), (3, 2, "/etc")), "/etc/x") == {"8:1", "8:3"}


def test_a_table_that_is_none_holds_nothing() -> None:
    for text in (b"", b"\n\n", b"1 2 3\n", b"\xff" * 100):
        assert MountTable(text).places(b"/etc") == set()


def test_escapes_are_undone() -> None:
    mounts = MountTable(b"1 0 8:1 / / rw - ext4 /dev/x rw\n2 1 8:2 /a\\134b /mnt/a\\040b rw - ext4 /dev/y rw\n")
    assert mounts.places(b"/mnt/a b/c") == {(b"8:2", b"/a\\b/c")}
