import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import UsageError
from nodediag.logs.window import Window, moment

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("24h", NOW - timedelta(hours=24)),
        ("15m", NOW - timedelta(minutes=15)),
        ("-2h", NOW - timedelta(hours=2)),
        ("3 days ago", NOW - timedelta(days=3)),
        ("now", NOW),
        ("today", datetime(2026, 11, 21, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20 08:15:00", datetime(2026, 11, 20, 8, 15, tzinfo=UTC)),
        ("2026-11-20T08:15:00+02:00", datetime(2026, 11, 20, 6, 15, tzinfo=UTC)),
        ("@1763700000", datetime.fromtimestamp(1763700000, UTC)),
    ],
)
def test_times_are_those_of_journalctl(text: str, meant: datetime) -> None:
    assert moment("--since", text, NOW) == meant


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "@", "@1e400", "24 parsecs"])
def test_what_is_no_time_is_refused_with_what_was_wanted(text: str) -> None:
    with pytest.raises(UsageError, match=r"--since .*wanted"):
        moment("--since", text, NOW)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert moment("--since", text, NOW).tzinfo is not None


@pytest.mark.parametrize(
    ("window", "since", "until"),
    [
        (Window(now=NOW, since="3h", until="1h"), 3, 1),
        (Window(now=NOW, since="3h", until="2026-11-21T11:30:00Z"), 4, 1),
        (Window(now=NOW, span="24h", until="48h"), 72, 48),
        (Window(now=NOW, since="3h"), 3, 0),
    ],
)
def test_spans_count_back_from_now_and_from_a_date_till_which_they_last(window: Window, since: int, until: int) -> None:
    query = window.query(())
    assert (NOW - query.since, NOW - query.until) == (timedelta(hours=since), timedelta(hours=until))
