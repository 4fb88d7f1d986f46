"""The pods' cgroup under both versions and drivers, and how many cgroups there are."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import kubepods
from nodediag.facts.cgroups import CgroupMode, Cgroups
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

if TYPE_CHECKING:
    from tests.conftest import MakeHost

TOP = "/sys/fs/cgroup"
LINE = FileEvidence(path="/proc/1/mountinfo", line=1, text="cgroup2")
V1 = Cgroups(mode=CgroupMode.LEGACY, version=1, controllers=(), evidence=LINE)
V2 = Cgroups(mode=CgroupMode.UNIFIED, version=2, controllers=(), evidence=LINE)


def unified(name: str, most: str = "max") -> dict[str, str]:
    return {
        f"{TOP}/cgroup.stat": "nr_descendants 212\nnr_dying_descendants 14\n",
        f"{TOP}/{name}/pids.current": "612\n",
        f"{TOP}/{name}/pids.max": f"{most}\n",
        f"{TOP}/{name}/memory.current": "5000\n",
        f"{TOP}/{name}/memory.stat": "anon 3000\nfile 2000\ninactive_file 1500\n",
    }


LEGACY = {
    "/proc/cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t2\t90\t1\nmemory\t4\t180\t1\n",
    f"{TOP}/pids/kubepods/pids.current": "612\n",
    f"{TOP}/pids/kubepods/pids.max": "9000\n",
    f"{TOP}/memory/kubepods/memory.usage_in_bytes": "5000\n",
    f"{TOP}/memory/kubepods/memory.stat": "inactive_file 1\ntotal_inactive_file 1500\n",
}


@pytest.mark.parametrize("name", ["kubepods.slice", "kubepods"])
def test_version_2_tells_of_pods_and_of_the_dying(host: "MakeHost", name: str) -> None:
    found = kubepods.derive(host({**unified(name)}), V2)
    assert (found.path, found.pids, found.pids_max) == (f"{TOP}/{name}", 612, msgspec.UNSET)
    assert (found.working_set_bytes, found.cgroups, found.dying) == (3500, 212, 14)


def test_version_1_keeps_each_controller_apart(host: "MakeHost") -> None:
    found = kubepods.derive(host({**LEGACY}), V1)
    assert (found.path, found.pids, found.pids_max) == (f"{TOP}/pids/kubepods", 612, 9000)
    assert (found.working_set_bytes, found.cgroups, found.dying) == (3500, 180, msgspec.UNSET)


def test_a_node_without_pods_has_none_and_counts_its_cgroups(host: "MakeHost") -> None:
    found = kubepods.derive(host({f"{TOP}/cgroup.stat": "nr_descendants 9\nnr_dying_descendants 0\n"}), V2)
    assert (found.path, found.cgroups, found.dying) == ("", 9, 0)


def test_what_was_not_captured_is_not_none(host: "MakeHost") -> None:
    with pytest.raises(ReadError) as caught:
        kubepods.derive(host({}, missing=Code.NOT_CAPTURED), V2)
    assert caught.value.reason.code is Code.NOT_CAPTURED


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{TOP}/cgroup.stat", "nr_descendants many\n"),
        (f"{TOP}/kubepods/pids.current", "many\n"),
        (f"{TOP}/kubepods/pids.max", "many\n"),
        (f"{TOP}/kubepods/memory.stat", "anon 3\n"),
    ],
)
def test_other_words_are_refused(host: "MakeHost", path: str, text: str) -> None:
    with pytest.raises(ParseError):
        kubepods.derive(host({**unified("kubepods"), path: text}), V2)
