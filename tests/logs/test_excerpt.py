"""What of a journal a bundle takes along: the most telling first, and never more than so much."""

import msgspec
import pytest

from nodediag.journal.journal import Query
from nodediag.logs.excerpt import AROUND, MOST_BYTES, MOST_ERRORS, MOST_MATCHED, TAIL, Excerpt, unpacked
from nodediag.logs.matcher import Matcher
from nodediag.logs.scan import Scan
from nodediag.model.image import OsFamily
from nodediag.model.logs import LogResult
from nodediag.redact import MARK
from tests.logs.conftest import START, Journal, Line

KUBELET = "kubelet.service"
SICK = (
    'E1121 10:00:00.000000 1 kubelet.go:2040] "Skipping" err="PLEG is not healthy: pleg was last seen active {}s ago"'
)
BATCHES = (1, 7, 128)


class Kept(msgspec.Struct):
    """A line that was taken along."""

    message: str = msgspec.field(name="MESSAGE")
    unit: str = msgspec.field(name="_SYSTEMD_UNIT", default="")
    transport: str = msgspec.field(name="_TRANSPORT", default="")
    cursor: str = msgspec.field(name="__CURSOR", default="")


def quiet(number: int) -> str:
    return f"I1121 09:00:00.000000 1 sync.go:1] quiet {number}"


def wrong(number: int) -> str:
    return f"E1121 09:00:00.000000 1 sync.go:1] wrong {number}"


def read(
    matcher: Matcher, lines: list[Line], batch: int, excerpt: Excerpt | None = None
) -> tuple[LogResult, list[Kept]]:
    journal, excerpt = Journal(lines, batch), excerpt or Excerpt()
    query = Query(units=journal.units(), since=START, until=START)
    result = Scan(matcher, excerpt).run(journal, query).judged(OsFamily.OTHER)
    kept = unpacked(excerpt.packed(journal)).splitlines()
    return result, [msgspec.json.decode(line, type=Kept) for line in kept]


def of(texts: list[str], unit: str = KUBELET) -> list[Line]:
    return [(unit, float(number), text) for number, text in enumerate(texts)]


@pytest.mark.parametrize("batch", BATCHES)
def test_what_matches_comes_first_then_errors_with_what_is_near_them_then_the_end(matcher: Matcher, batch: int) -> None:
    texts = [quiet(number) for number in range(2000)]
    texts[50], texts[900], texts[902] = SICK.format(9), wrong(900), wrong(902)
    said = [kept.message for kept in read(matcher, of(texts), batch)[1]]
    near = [*range(47, 50), *range(51, 54), *range(897, 906)]
    assert said[: 1 + len(near)] == [texts[50], *(texts[number] for number in near)]
    assert said[1 + len(near) :][-TAIL:] == texts[-TAIL:]
    assert len(said) < 1 + len(near) + TAIL + batch


@pytest.mark.parametrize("batch", BATCHES)
def test_an_error_at_the_edge_is_kept_with_what_is_there(matcher: Matcher, batch: int) -> None:
    texts = [wrong(0), *(quiet(number) for number in range(1, 1500)), wrong(1500)]
    said = [kept.message for kept in read(matcher, of(texts), batch)[1]]
    assert said[: 2 * (AROUND + 1)] == [*texts[: AROUND + 1], *texts[-AROUND - 1 :]]


@pytest.mark.parametrize("batch", BATCHES)
def test_of_many_the_last_are_kept_and_of_each_unit(matcher: Matcher, batch: int) -> None:
    texts = [SICK.format(number) for number in range(5000)]
    lines = [*of(texts), *of([wrong(number) for number in range(5000)], "containerd.service")]
    kept = read(matcher, lines, batch)[1]
    assert [one.message for one in kept[:MOST_MATCHED]] == texts[-MOST_MATCHED:]
    assert len([one for one in kept if one.unit == KUBELET]) == MOST_ERRORS * (2 * AROUND + 1)
    assert len([one for one in kept if one.unit == "containerd.service"]) == MOST_ERRORS * (2 * AROUND + 1)


@pytest.mark.parametrize("batch", BATCHES)
def test_showing_it_to_an_excerpt_changes_no_judgement(matcher: Matcher, batch: int) -> None:
    texts = [(SICK if number % 3 else "E1121 09:00:00.000000 1 a.go:1] odd {}").format(number) for number in range(900)]
    lines = of([*map(quiet, range(300)), *texts])
    journal = Journal(lines, batch)
    alone = Scan(matcher).run(journal, Query(units=journal.units(), since=START, until=START)).judged(OsFamily.OTHER)
    assert read(matcher, lines, batch)[0] == alone
    assert [one.count for one in alone.signatures] == [600]


@pytest.mark.parametrize("batch", BATCHES)
def test_a_storm_of_long_messages_takes_no_more_than_there_is_room_for(matcher: Matcher, batch: int) -> None:
    long = "x" * 60_000
    lines = [*of([wrong(number) + long for number in range(300)], "containerd.service"), *of([SICK.format(1)])]
    lines += of([quiet(number) + long for number in range(300)], "docker.service")
    room = 2_000_000
    kept = read(matcher, lines, batch, Excerpt(room))[1]
    assert kept[0].message == SICK.format(1)
    assert {one.unit for one in kept} >= {KUBELET, "containerd.service"}
    assert room // 20 < sum(len(one.message) for one in kept) < room <= MOST_BYTES


def test_secrets_are_masked_also_over_many_entries(matcher: Matcher) -> None:
    key = ["-----BEGIN RSA PRIVATE KEY-----", *("c2VjcmV0IHNlY3JldA" + "x" * 46 for _ in range(3)), "-----END"]
    kept = read(matcher, of([quiet(0), *key, "password=hunter22 x"]), 2)[1]
    text = "\n".join(one.message for one in kept)
    assert "c2Vjcm" not in text
    assert "hunter22" not in text
    assert text.count(MARK.decode()) == 4


def test_an_entry_of_two_units_is_taken_once_and_has_its_cursor(matcher: Matcher) -> None:
    text = SICK.format(3)
    kept = read(matcher, [(KUBELET, 1.0, text), ("init.scope", 1.0, text), ("kernel", 2.0, "x: I/O error")], 128)[1]
    assert [one.message for one in kept] == [text, "x: I/O error"]
    assert kept[0].cursor.startswith("s=1")
    assert (kept[1].unit, kept[1].transport) == ("", "kernel")


def test_of_nothing_nothing_is_taken(matcher: Matcher) -> None:
    assert read(matcher, [], 128)[1] == []
    assert unpacked(b"") == b""
