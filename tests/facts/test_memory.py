"""Memory, swap and the OOM killer's count, as kernels of different ages tell of them."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from nodediag.errors import ParseError
from nodediag.facts import memory

if TYPE_CHECKING:
    from tests.conftest import MakeHost, MakeLines

MEMINFO = """\
MemTotal:        8000 kB
MemFree:         1000 kB
MemAvailable:    3000 kB
Buffers:          200 kB
Cached:          3000 kB
SwapCached:         0 kB
Active(file):    1200 kB
Inactive(file):  1500 kB
AnonPages:       2500 kB
SwapTotal:       4000 kB
SwapFree:        3900 kB
HugePages_Total:    2
"""
SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/swapfile file 4000 100 -2\n"


def test_what_the_kubelet_counts_as_available_leaves_out_files_nobody_used_of_late(lines: "MakeLines") -> None:
    found = memory.parse(lines(MEMINFO))
    assert found.available_bytes == 3000 * 1024
    assert found.beyond_working_set_bytes == (8000 - (2500 + 3000 + 200 - 1500)) * 1024
    assert found.evidence["MemAvailable"].line == 3


def test_a_kernel_without_an_estimate_is_taken_by_its_free_memory_and_file_pages(lines: "MakeLines") -> None:
    old = MEMINFO.replace("MemAvailable:    3000 kB\n", "")
    assert memory.parse(lines(old)).available_bytes == (1000 + 3000 + 200) * 1024


def test_swaps_are_named_and_kills_counted(host: "MakeHost") -> None:
    found = memory.collect(
        host({"/proc/meminfo": MEMINFO, "/proc/swaps": SWAPS, "/proc/vmstat": "nr_free_pages 9\noom_kill 17\n"})
    )
    assert (found.swap_total_bytes, found.swap_free_bytes) == (4000 * 1024, 3900 * 1024)
    assert found.swaps == ("/swapfile",)
    assert found.oom_kills == 17


@pytest.mark.parametrize("vmstat", [None, "nr_free_pages 9\n", "oom_kill many\n"])
def test_kills_that_nobody_counted_are_not_none(host: "MakeHost", vmstat: str | None) -> None:
    files: dict[str, str] = {"/proc/meminfo": MEMINFO} | ({} if vmstat is None else {"/proc/vmstat": vmstat})
    assert memory.collect(host({**files})).oom_kills is msgspec.UNSET


@pytest.mark.parametrize("text", ["", "MemTotal: 9 kB", "MemFree: 9 kB", "MemTotal: many kB\nMemFree: 1 kB"])
def test_without_the_whole_or_the_free_it_is_no_meminfo(lines: "MakeLines", text: str) -> None:
    with pytest.raises(ParseError):
        memory.parse(lines(text))
