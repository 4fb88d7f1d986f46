"""Messages that differ in numbers and ids alone: counted together, and never taken for what they are not."""

import re
from collections.abc import Callable
from random import Random

import pytest

from nodediag.host.package import texts
from nodediag.logs.levels import level
from nodediag.logs.matcher import Matcher
from nodediag.logs.numbers import MASK, widened
from nodediag.model.logs import LogResult
from nodediag.signatures.load import merge
from nodediag.signatures.signature import Signature

Line = tuple[str, float, str]
SIGNATURES = merge(texts("signatures/data"))
ID = re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}\b")


@pytest.mark.parametrize(
    ("pattern", "wide"),
    [
        ("plain words", "plain words"),
        (r"status: 404", r"status: \d\d\d"),
        (r"5\d\d", r"\d\d\d"),
        (r"\d+ errors{1,3}", r"\d+ errors{1,3}"),
        (r"Xid (?:[45]8|79)", r"Xid (?:[450-9a-f]\d|\d\d)"),
        ("[0-9a-f]+", "[0-9a-f]+"),
        ("[a-z0-9.]+", "[a-z0-9.]+"),
        (r"[^0]x", r"[\s\S]x"),
        (r"(?P<v1>a)\x1b[[:alpha:]1]", r"(?P<v1>a)\x1b[[:alpha:]10-9a-f]"),
    ],
)
def test_a_pattern_that_asks_for_a_number_is_widened_to_any(pattern: str, wide: str) -> None:
    assert widened(pattern) == wide


def with_other_numbers(message: str, random: Random) -> str:
    """Change every digit, and every digit or letter of an id."""
    with_ids = ID.sub(lambda found: "".join(random.choice("0123456789abcdef") for _ in found[0]), message)
    return re.sub(r"\d", lambda _: random.choice("0123456789"), with_ids)


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda one: one.id)
def test_with_other_numbers_a_message_means_the_same_unless_it_asks_for_them(
    signature: Signature, matcher: Matcher
) -> None:
    random = Random(7)
    for message in (*signature.samples, *signature.near_misses):
        said = message.encode()
        if matcher.asks_for_numbers(said):
            continue
        for _ in range(3):
            other = with_other_numbers(message, random).encode()
            assert other.translate(MASK) == said.translate(MASK)
            assert matcher.hits(other) == matcher.hits(said), other
            assert level(other, 6) == level(said, 6), other


def test_a_storm_is_counted_as_its_lines_are_one_by_one(told: Callable[[list[Line]], LogResult]) -> None:
    """The fixture reads in batches of 1, 7 and 128; in each every line counts once, with its own level."""
    lines: list[Line] = []
    for number in range(3000):
        code = ("404 Not Found", "500 Internal Server Error", "429 Too Many Requests")[number % 3]
        pull = f'E1121 12:00:00.0 1 x.go:1] "Failed to pull image" err="unexpected status from GET {number}: {code}"'
        sync = (
            f'E1121 12:00:00.{number} 1 x.go:1] "err" err="with CrashLoopBackOff: back-off 5m0s" pod="a-{number:08x}"'
        )
        lines += [("kubelet.service", number, pull), ("kubelet.service", number, sync)]
    result = told(lines)
    counts = {one.condition: one.count for one in result.signatures}
    assert counts["image-pull-not-found"] == 1000
    assert counts["image-pull-rate-limit"] == 1000
    assert counts["container-crashloop"] == 3000
    assert result.units["kubelet.service"].levels == {"error": 6000}
