"""The parent's side of the follower, with children that die at once."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from nodediag.host.child import Tell
from nodediag.host.events import Events
from nodediag.watch.following import Following
from nodediag.watch.jobs import Jobs
from nodediag.watch.status import Status
from nodediag.watch.telling import Telling
from nodediag.watch.told import Beat, Place

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
def events() -> Iterator[Events]:
    before = signal.getsignal(signal.SIGCHLD)
    one = Events((signal.SIGCHLD,))
    yield one
    one.close()
    signal.signal(signal.SIGCHLD, before)


def find(tell: Tell) -> None:
    tell(msgspec.json.encode(Place(folder="/", family="cos")))


def follow(tell: Tell, _place: Place, cursor: str, since_us: int) -> None:
    """Tell from where it begins, the first time a place that is damaged, and die."""
    begins = cursor or ("damaged" if since_us == 5 else f"at {since_us}")
    tell(msgspec.json.encode(Beat(cursor=begins, entries=0, files=1)))
    os._exit(7)


def test_a_follower_that_dies_at_one_place_again_and_again_goes_on_at_the_end(events: Events) -> None:
    jobs, status = Jobs(events), Status(allowed_s=1)
    telling = Telling(None, events, jobs, status, lambda: NOW)
    following = Following(find, follow, 5, jobs, pause_s=0.001)
    begun: list[str] = []
    until = time.monotonic() + 30
    while telling.cursor in {"", "damaged"} and time.monotonic() < until:
        following.act(time.monotonic(), status, telling)
        events.wait(0.01)
        jobs.reap()
        begun.append(telling.cursor)
    assert "damaged" in begun
    assert telling.cursor == f"at {telling.now_us()}"
    assert status.followers == 5
