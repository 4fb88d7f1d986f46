"""Pressure stall information, and kernels that keep none."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import pressure
from nodediag.host.answer import Failure
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost, MakeLines

SOME = "some avg10=12.50 avg60=3.00 avg300=7.25 total=1261646390"
FULL = "full avg10=0.00 avg60=0.00 avg300=0.00 total=0"


def test_all_windows_are_read_and_the_least_is_what_lasts(lines: "MakeLines") -> None:
    some, full = pressure.parse(lines(f"{SOME}\n{FULL}"), "memory")
    assert (some.kind, some.avg10, some.avg60, some.avg300, some.total_us) == ("some", 12.5, 3.0, 7.25, 1261646390)
    assert some.lasting == 3.0
    assert (full.resource, full.kind, full.lasting) == ("memory", "full", 0.0)


def test_an_old_kernel_has_no_full_for_the_cpu(host: "MakeHost") -> None:
    found = pressure.collect(host({"/proc/pressure/cpu": SOME, "/proc/pressure/io": f"{SOME}\n{FULL}"}))
    assert [(stall.resource, stall.kind) for stall in found.stalls] == [("cpu", "some"), ("io", "some"), ("io", "full")]
    assert found.kept


@pytest.mark.parametrize("code", [Code.ABSENT, Code.UNSUPPORTED])
def test_a_kernel_that_keeps_none_is_a_fact(host: "MakeHost", code: Code) -> None:
    refused = Failure(Reason(code=code, detail="no"))
    found = pressure.collect(host({f"/proc/pressure/{name}": refused for name in pressure.RESOURCES}))
    assert (found.kept, found.stalls) == (False, ())


@pytest.mark.parametrize("code", [Code.NOT_CAPTURED, Code.NOT_PERMITTED, Code.TIMED_OUT])
def test_what_could_not_be_read_is_not_known(host: "MakeHost", code: Code) -> None:
    with pytest.raises(ReadError):
        pressure.collect(host({"/proc/pressure/memory": Failure(Reason(code=code, detail="no"))}))


@pytest.mark.parametrize("text", ["", "some avg10=1", f"{SOME}\nmuch avg10=0.00 avg60=0.00 avg300=0.00 total=0"])
def test_other_words_are_refused(lines: "MakeLines", text: str) -> None:
    with pytest.raises(ParseError):
        pressure.parse(lines(text), "cpu")
