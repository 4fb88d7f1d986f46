# Descriptors, procfs and odd names are looked at as the room under test looks at them.
# ruff: noqa: PTH115, PTH123, PTH208
import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pytest

from nodediag.host.answer import Content, Failure, Locked, Reply, Target
from nodediag.host.ask import Ask, Lock, Read, Stat, Statvfs, Uname, place
from nodediag.host.host import Source
from nodediag.host.sacrifice import Sacrifice
from nodediag.model.reason import Code

if TYPE_CHECKING:
    from tests.host.conftest import InChild

CAP: Final = 1 << 20
HandOver = Callable[[int], None]


class Scripted:
    """Does what the asked path says, as a node might make it do."""

    def __init__(self, hand_over: HandOver) -> None:
        self._hand_over = hand_over

    def answer(self, ask: Ask) -> Reply:
        path = place(ask)
        if isinstance(ask, Lock):
            self._hand_over(os.open("/etc/hostname", os.O_RDONLY))
            return Locked(held=True)
        if "raise" in path:
            raise ValueError("no such thing")
        self._misbehave(path)
        return Content(bytes(64 * 1024 * 1024)) if "large" in path else Target(self._about(path))

    @staticmethod
    def _misbehave(path: str) -> None:
        if "sleep" in path:
            time.sleep(60)
        if "die" in path:
            os._exit(3)
        if "kill" in path:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "stop" in path:
            os.kill(os.getpid(), signal.SIGSTOP)
        if "garbage" in path:
            for fd in os.listdir("/proc/self/fd"):
                if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                    os.write(int(fd), b"\xff" * 8 if "long" in path else b"\0\0\0\0\0\0\0\1\xc1")
                    time.sleep(60)

    @staticmethod
    def _about(path: str) -> str:
        match path:
            case "/pid":
                return str(os.getpid())
            case "/streams":
                return " ".join(os.readlink(f"/proc/self/fd/{stream}") for stream in (0, 1, 2))
            case "/descriptors":
                return " ".join(sorted(os.listdir("/proc/self/fd"), key=int))
            case "/session":
                return str(os.getsid(0))
            case _:
                return path


@pytest.fixture
def scripted() -> Iterator[Sacrifice]:
    source = Sacrifice(Scripted, budget_s=30, patience_s=0.3)
    yield source
    source.close()


def code(reply: Reply) -> Code:
    assert isinstance(reply, Failure), reply
    return reply.reason.code


def about(source: Source, what: str) -> str:
    reply = source.answer(Stat(what))
    assert isinstance(reply, Target), reply
    return reply.target


def children() -> set[int]:
    """Give the children of this process, the dead ones nobody has asked for included."""
    found = set()
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                if name.isdigit() and int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                    found.add(int(name))
        except OSError:
            continue
    return found


def test_a_child_answers(scripted: Sacrifice) -> None:
    assert about(scripted, "/hello") == "/hello"
    assert int(about(scripted, "/pid")) != os.getpid()


def test_one_that_never_answers_is_given_up_and_the_next_question_is_answered(scripted: Sacrifice) -> None:
    start = time.monotonic()
    assert code(scripted.answer(Stat("/a/sleep"))) is Code.TIMED_OUT
    assert time.monotonic() - start < 10
    assert about(scripted, "/hello") == "/hello"


def test_one_that_is_stopped_is_given_up_too(scripted: Sacrifice) -> None:
    assert code(scripted.answer(Stat("/a/stop"))) is Code.TIMED_OUT


@pytest.mark.parametrize("path", ["/a/die", "/a/kill", "/a/garbage", "/a/garbage-long"])
def test_one_that_dies_or_talks_nonsense_costs_one_answer(scripted: Sacrifice, path: str) -> None:
    assert code(scripted.answer(Stat(path))) is Code.CRASHED
    assert about(scripted, "/hello") == "/hello"


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next() -> None:
    class Slow:
        def __init__(self, hand_over: HandOver) -> None:
            del hand_over

        def answer(self, ask: Ask) -> Reply:
            time.sleep(0.4 if place(ask) == "/a/slow" else 0)
            return Target(place(ask))

    source = Sacrifice(Slow, budget_s=30, patience_s=0.3)
    assert code(source.answer(Stat("/a/slow"))) is Code.TIMED_OUT
    time.sleep(0.2)
    assert about(source, "/b/quick") == "/b/quick"
    source.close()


def test_one_that_raises_lives_on(scripted: Sacrifice) -> None:
    pid = about(scripted, "/pid")
    reply = scripted.answer(Stat("/a/raise"))
    assert isinstance(reply, Failure)
    assert reply.reason.code is Code.CRASHED
    assert re.fullmatch(r"/a/raise: ValueError: no such thing \(host/sacrifice\.py:\d+\)", reply.reason.detail)
    assert about(scripted, "/pid") == pid


def test_a_source_that_cannot_be_made_fails_each_answer_and_nothing_else() -> None:
    def make(hand_over: HandOver) -> Source:
        del hand_over
        raise OSError("nothing there")

    source = Sacrifice(make, budget_s=30)
    assert [code(source.answer(Stat("/x"))) for _ in range(3)] == [Code.CRASHED] * 3
    source.close()


def test_what_is_long_work_is_given_more_time() -> None:
    class Slow:
        def __init__(self, hand_over: HandOver) -> None:
            del hand_over

        def answer(self, ask: Ask) -> Reply:
            time.sleep(1.5)
            return Target(place(ask))

    source = Sacrifice(Slow, budget_s=60, patience_s=1)
    assert code(source.answer(Stat("/a/slow"))) is Code.TIMED_OUT
    assert isinstance(source.answer(Read("/b/slow", 1 << 26)), Target)
    source.close()


def test_a_file_system_that_hung_takes_none_beside_it_along(scripted: Sacrifice) -> None:
    assert code(scripted.answer(Statvfs("/mnt/sleep"))) is Code.TIMED_OUT
    assert code(scripted.answer(Stat("/mnt/sleep/below"))) is Code.TIMED_OUT
    assert about(scripted, "/mnt/other") == "/mnt/other"


def test_below_a_folder_that_hung_nothing_is_asked_again(scripted: Sacrifice) -> None:
    scripted.answer(Stat("/hung/sleep"))
    for path in ("/hung/other", "/hung/below/other", "/hung"):
        reply = scripted.answer(Read(path, CAP))
        assert isinstance(reply, Failure)
        assert reply.reason.code is Code.TIMED_OUT
        assert "not asked" in reply.reason.detail
    assert about(scripted, "/hung-not/other") == "/hung-not/other"


def test_the_budget_holds_for_all_questions_together() -> None:
    source = Sacrifice(Scripted, budget_s=0.5, patience_s=0.3)
    start = time.monotonic()
    for number in range(20):
        assert code(source.answer(Stat(f"/{number}/sleep"))) is Code.TIMED_OUT
    assert time.monotonic() - start < 10
    reply = source.answer(Stat("/hello"))
    assert isinstance(reply, Failure)
    assert "the whole run" in reply.reason.detail
    source.close()


def test_how_long_a_lock_is_waited_for_is_its_caller_s_to_say() -> None:
    source = Sacrifice(Scripted, budget_s=0.0)
    assert source.answer(Lock("/etc/os-release")) == Locked(held=True)
    assert code(source.answer(Uname())) is Code.TIMED_OUT
    source.close()


def locks() -> list[int]:
    """Give the descriptors of this process to the file that stands for the lock."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{name}") == "/etc/hostname":
                found.append(int(name))
    return found


def test_a_lock_handed_over_outlives_the_child_and_is_let_go_in_the_end(scripted: Sacrifice) -> None:
    assert scripted.answer(Lock("/x")) == Locked(held=True)
    (held,) = locks()
    assert not os.get_inheritable(held)
    scripted.answer(Stat("/a/die"))
    assert locks() == [held]
    assert len(about(scripted, "/descriptors").split()) == 5  # not in the child that follows
    scripted.close()
    assert locks() == []


def test_while_nothing_is_asked_there_is_no_child_and_the_lock_is_held(scripted: Sacrifice) -> None:
    assert scripted.answer(Lock("/a")) == Locked(held=True)
    (held,) = locks()
    before = children()
    scripted.rest()
    scripted.rest()
    assert len(children()) == len(before) - 1
    assert locks() == [held]
    assert isinstance(scripted.answer(Stat("/b")), Target)
    assert len(children()) == len(before)


def test_the_child_holds_none_of_our_streams_nor_descriptors(scripted: Sacrifice) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003 - a positional one
    high = os.dup2(writing, 900)
    source = Sacrifice(Scripted, budget_s=30)
    assert about(source, "/streams") == "/ / /"
    assert len(about(source, "/descriptors").split()) == 5  # the streams, the socket, and the listing's own
    assert about(source, "/session") == about(source, "/pid")
    for fd in (writing, high):
        os.close(fd)
    assert os.read(reading, 1) == b""
    os.close(reading)
    source.close()
    assert about(scripted, "/session") != str(os.getsid(0))


def test_a_large_answer_comes_through(scripted: Sacrifice) -> None:
    source = Sacrifice(Scripted, budget_s=30)
    reply = source.answer(Read("/large", CAP))
    assert isinstance(reply, Content)
    assert len(reply.data) == 64 * 1024 * 1024
    source.close()
    assert about(scripted, "/hello") == "/hello"


def test_no_child_is_left_behind_not_even_a_dead_one() -> None:
    before = children()
    source = Sacrifice(Scripted, budget_s=30, patience_s=0.1)
    for path in ("/a/sleep", "/b/die", "/c/stop", "/d/hello"):
        source.answer(Stat(path))
    source.close()
    source.close()
    assert children() == before


def test_no_descriptor_is_left_behind() -> None:
    before = os.listdir("/proc/self/fd")
    source = Sacrifice(Scripted, budget_s=30, patience_s=0.1)
    for path in ("/a/sleep", "/b/die", "/d/hello"):
        source.answer(Stat(path))
    source.answer(Lock("/x"))
    source.close()
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def lonely_child() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a parent whose child is in the middle of a question; nohup and `&` let theirs ignore signals."""
    script = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from nodediag.host.answer import Target
from nodediag.host.ask import Stat
from nodediag.host.sacrifice import Sacrifice
class Asleep:
    def __init__(self, hand_over): pass
    def answer(self, ask):
        if ask.path == "/sleep": time.sleep(60)
        return Target(str(os.getpid()))
source = Sacrifice(Asleep, budget_s=60, patience_s=60)
print(source.answer(Stat("/pid")).target, flush=True)
source.answer(Stat("/sleep"))
"""
    with subprocess.Popen([sys.executable, "-I", "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            yield parent, int(parent.stdout.readline())
        finally:
            parent.kill()


def lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGHUP])
def test_the_child_dies_with_its_parent_even_in_the_middle_of_a_question(
    lonely_child: tuple[subprocess.Popen[str], int], number: signal.Signals
) -> None:
    parent, child = lonely_child
    assert lives(child)
    time.sleep(0.1)
    parent.send_signal(number)
    parent.communicate(timeout=20)
    until = time.monotonic() + 10
    while lives(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not lives(child)


def ask_without_room() -> str:
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    source = Sacrifice(Scripted, budget_s=30)
    before = os.listdir("/proc/self/fd")
    said = {str(source.answer(Stat("/hello"))) for _ in range(3)}
    assert os.listdir("/proc/self/fd") == before
    source.close()
    return str(said)


@pytest.mark.root
def test_where_no_process_can_be_started_each_answer_says_so(in_child: "InChild") -> None:
    said = in_child(ask_without_room, uid=65533)
    assert "no process could be started to ask: Resource temporarily unavailable" in said
    assert "Traceback" not in said


def ask_without_streams() -> str:
    os.closerange(0, 3)
    source = Sacrifice(Scripted, budget_s=30)
    said = about(source, "/streams")
    try:
        os.write(1, b"the report")
    except OSError as error:
        said += f" {error.strerror}"
    source.close()
    return said


def test_started_without_streams_no_socket_is_taken_for_one(in_child: "InChild") -> None:
    assert in_child(ask_without_streams) == "/ / / Bad file descriptor"


def ask_with_dead_children_ignored() -> str:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    source = Sacrifice(Scripted, budget_s=30, patience_s=0.2)
    source.answer(Stat("/a/die"))
    source.answer(Stat("/b/sleep"))
    said = about(source, "/hello")
    source.close()
    return said


def test_it_works_where_the_dead_are_not_waited_for(in_child: "InChild") -> None:
    assert in_child(ask_with_dead_children_ignored) == "/hello"


def ask_with_many_descriptors() -> str:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    for _ in range(1500):
        os.dup(0)
    source = Sacrifice(Scripted, budget_s=30)
    said = about(source, "/hello")
    source.close()
    return said


def test_it_works_above_the_descriptors_that_select_knows(in_child: "InChild") -> None:
    assert in_child(ask_with_many_descriptors) == "/hello"


def test_questions_sent_ahead_are_answered_in_any_order() -> None:
    source = Sacrifice(Scripted, budget_s=30, patience_s=20)
    source.ahead(Stat("/one"), Stat("/large"), Stat("/two"))
    assert [about(source, "/two"), about(source, "/other"), about(source, "/one")] == ["/two", "/other", "/one"]
    reply = source.answer(Stat("/large"))
    assert isinstance(reply, Content)
    assert len(reply.data) == 64 * 1024 * 1024
    assert about(source, "/one") == "/one"
    source.close()


def test_more_may_be_sent_ahead_than_the_sockets_take() -> None:
    source = Sacrifice(Scripted, budget_s=60, patience_s=20)
    names = [f"/{number:050}" for number in range(3000)]
    source.ahead(Stat("/large"), *(Stat(name) for name in names))
    source.ahead(*(Stat(name) for name in names))
    assert [about(source, name) for name in names[::-1]] == names[::-1]
    source.close()


def test_one_sent_ahead_that_never_answers_costs_no_other_its_answer(scripted: Sacrifice) -> None:
    scripted.ahead(Stat("/before"), Stat("/folder/sleep"), Stat("/after"))
    assert about(scripted, "/after") == "/after"
    assert about(scripted, "/before") == "/before"
    assert code(scripted.answer(Stat("/folder/sleep"))) is Code.TIMED_OUT
    assert about(scripted, "/hello") == "/hello"


def test_one_sent_ahead_to_a_child_that_dies_is_told(scripted: Sacrifice) -> None:
    scripted.ahead(Stat("/die"), Stat("/after"))
    assert code(scripted.answer(Stat("/die"))) is Code.CRASHED
    assert about(scripted, "/after") == "/after"
    scripted.ahead(*(Stat("/die") for _ in range(3)))
    time.sleep(0.1)
    scripted.ahead(Stat("/late"))
    assert about(scripted, "/late") == "/late"


def test_what_was_sent_ahead_is_not_waited_for_once_the_time_is_over() -> None:
    source = Sacrifice(Scripted, budget_s=0.2, patience_s=0.2)
    source.ahead(Stat("/sleep"), Stat("/one"))
    time.sleep(0.25)
    assert code(source.answer(Stat("/one"))) is Code.TIMED_OUT
    source.close()
