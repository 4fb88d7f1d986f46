"""What a message is named where several signatures fit it, of which some say less than others."""

from collections.abc import Callable

import pytest

from nodediag.logs.matcher import Matcher
from nodediag.model.logs import LogResult
from nodediag.signatures.load import merge

Told = Callable[[list[tuple[str, float, str]]], LogResult]


def record(identity: str, pattern: str, rest: str = "") -> str:
    return f"""
[[signature]]
id = "{identity}"
condition = "{identity}"
title = "t"
severity = "{"info" if "info" in identity else "critical"}"
patterns = ['{pattern}']
cause = "c"
remedy = "r"
source = "s"
samples = ["s", "t"]
near_misses = ["n"]
{rest}
"""


WHAT = record("a.what-failed", "failed to create a sandbox, whatever it may be for", "vague = 1")
CAUSE = record("a.cause", "disk full")
INFO_CAUSE = record("a.info-cause", "retried")
ERRNO = record("a.info-errno", "input/output error", "vague = 2")
WHOSE = record("a.info-whose", "error", 'vague = 3\nunits = ["kubelet"]')
OTHERS = record("a.info-others", "other", 'vague = 3\nunits = ["kubelet"]')
FAILED = "failed to create a sandbox, whatever it may be for: "
MATCHER = Matcher(merge({"x.toml": f"{WHAT}{CAUSE}{INFO_CAUSE}{ERRNO}{WHOSE}{OTHERS}"}))


@pytest.mark.parametrize(
    ("message", "unit", "ids"),
    [
        (FAILED + "disk full", "", ["a.cause"]),
        (FAILED + "who knows", "", ["a.what-failed"]),
        (FAILED + "retried", "", ["a.what-failed", "a.info-cause"]),
        (FAILED + "input/output error", "kubelet.service", ["a.what-failed"]),
        ("read: input/output error", "kubelet.service", ["a.info-errno"]),
        ("read: input/output error", "", ["a.info-errno"]),
        ("some other error", "kubelet.service", ["a.info-whose"]),
        ("some other error", "containerd.service", []),
        ("some other error", "", []),
    ],
)
def test_the_vaguer_gives_way_to_what_says_more(message: str, unit: str, ids: list[str]) -> None:
    assert [signature.id for signature in MATCHER.match(message.encode(), unit)] == ids


def test_what_only_says_whose_error_it_is_leaves_a_message_among_those_without_a_name(told: Told) -> None:
    words = "E0101 00:00:00.000000 1 reconciler.go:1] frobnication broke"
    result = told([("kubelet.service", 0.0, words)])
    assert [finding.id for finding in result.signatures] == ["broad.kubelet-volumes"]
    assert [shape.shape for shape in result.shapes] == ["frobnication broke"]
