"""What the Host's door lets through, and what a host keeps of it."""

import pytest

from nodediag.host.answer import Content, Reply, UnameAnswer
from nodediag.host.ask import Ask, Read, Uname
from nodediag.host.host import Host, Seen
from nodediag.host.redacting import RedactingSource
from nodediag.model.report import Origin

STATUS = b"""Package: kubelet
Status: install ok installed
Maintainer: nobody <nobody@example.com>
Description: password=hunter2hunter2
 token: abcdef.0123456789abcdef

Package: odd
Status: hold ok installed
Version: 1 password=hunter2hunter2
"""


class Counting:
    """Answers each question with how many were asked before."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._asked = 0

    def answer(self, ask: Ask) -> Reply:
        self._asked += 1
        name = str(self._asked)
        return UnameAnswer(name, "", "", "", "") if isinstance(ask, Uname) else Content(name.encode().ljust(self._size))


class Saved:
    def answer(self, ask: Ask) -> Reply:
        del ask
        return Content(STATUS)


def test_of_a_file_of_fields_only_those_are_let_through_that_are_wanted_and_hold_identifiers() -> None:
    reply = RedactingSource(Saved()).answer(Read("/status", 9999, ("Package: ", "Version: ")))
    assert reply == Content(b"Package: kubelet\n \n \n \n \n\nPackage: odd\n \n \n")
    whole = RedactingSource(Saved()).answer(Read("/status", 9999))
    assert isinstance(whole, Content)
    assert whole.data.count(b"\n") == STATUS.count(b"\n")
    assert whole.data.startswith(STATUS[:40])
    assert b"hunter2" not in whole.data


@pytest.mark.parametrize(("size", "second"), [(10, "1"), (64 * 1024, "1"), (64 * 1024 + 1, "2")])
def test_a_small_file_has_one_answer_until_a_host_is_to_look_anew(size: int, second: str) -> None:
    host = Host(Counting(size), Seen(origin=Origin.LIVE, root="/", uid=0))
    assert [host.text("/proc/stat").strip() for _ in range(2)] == ["1", second]
    host.anew()
    assert host.text("/proc/stat").strip() == str(int(second) + 1)
    assert host.uname().sysname == host.uname().sysname
