"""Load averages, threads and CPUs."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from nodediag.errors import ParseError
from nodediag.facts import load

if TYPE_CHECKING:
    from tests.conftest import MakeHost, MakeLines

LOADAVG = "0.52 1.48 12.40 2/1612 104127\n"


def test_averages_threads_and_cpus_are_read(host: "MakeHost") -> None:
    found = load.collect(host({load.PATH: LOADAVG, load.CPUS_PATH: "0-3,8\n"}))
    assert (found.avg1, found.avg5, found.avg15) == (0.52, 1.48, 12.4)
    assert (found.running, found.threads, found.cpus) == (2, 1612, 5)


@pytest.mark.parametrize("cpus", [None, "", "a-b", "3-1", "0,,1"])
def test_cpus_that_were_not_seen_are_left_out(host: "MakeHost", cpus: str | None) -> None:
    files: dict[str, str] = {load.PATH: LOADAVG} | ({} if cpus is None else {load.CPUS_PATH: cpus})
    assert load.collect(host({**files})).cpus is msgspec.UNSET


@pytest.mark.parametrize("text", ["x", "1 2 3 4/5 6", "0.52 0.48 0.40 2 104127"])
def test_other_words_are_refused(lines: "MakeLines", text: str) -> None:
    with pytest.raises(ParseError):
        load.parse(lines(text)[0])
