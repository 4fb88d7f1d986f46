"""Zombies by their parents, and what hangs in the kernel."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ReadError
from nodediag.facts import processes
from nodediag.host.answer import Process

if TYPE_CHECKING:
    from tests.conftest import MakeHost

INIT = Process(1, 0, "systemd", ("/sbin/init",), "S")


def test_zombies_are_counted_by_the_parent_that_does_not_wait_for_them(host: "MakeHost") -> None:
    parent = Process(80, 1, "app", ("/app", "--x"), "S")
    dead = tuple(Process(pid, 80 if pid < 93 else 7, "sh", (), "Z") for pid in range(90, 95))
    found = processes.collect(host({}, processes=(INIT, parent, *dead)))
    assert found.zombies == 5
    assert [(one.pid, one.name, one.zombies) for one in found.parents] == [(80, "app", 3), (7, "", 2)]
    assert found.parents[0].evidence.text == "S /app --x"
    assert found.parents[1].evidence.text == "Z [sh]"


def test_what_hangs_in_the_kernel_is_named(host: "MakeHost") -> None:
    hung = (Process(70, 1, "df", ("df", "-h"), "D"), Process(71, 2, "jbd2/sda1-8", (), "D"))
    found = processes.collect(host({}, processes=(INIT, *hung)))
    assert found.blocked == 2
    assert [one.text for one in found.blocked_processes] == ["D df -h", "D [jbd2/sda1-8]"]


def test_a_list_without_states_tells_nothing(host: "MakeHost") -> None:
    with pytest.raises(ReadError):
        processes.collect(host({}, processes=(Process(9, 1, "kubelet", ("kubelet",)),)))


def test_thousands_are_counted_and_some_named(host: "MakeHost") -> None:
    hung = tuple(Process(pid, 1, "x", (), "D") for pid in range(2, 2002))
    found = processes.collect(host({}, processes=(INIT, *hung)))
    assert (found.blocked, len(found.blocked_processes)) == (2000, processes.MOST)
