from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from nodediag.journal.journal import Batch, Entry, Query, Source
from nodediag.logs.matcher import Matcher
from nodediag.logs.scan import Scan
from nodediag.model.image import OsFamily
from nodediag.model.logs import LogResult
from nodediag.model.outcome import Severity
from nodediag.model.reason import BlindSpot
from nodediag.signatures.load import parse

SIGNATURES = parse(
    "test.toml",
    r"""
[[signature]]
id = "kernel.read-only-write"
condition = "read-only-write"
title = "A write was refused by a read-only file system"
severity = "critical"
on_cos = "info"
patterns = ['read-only file system']
extract = ['mkdir (?P<path>[^:]+):']
cause = "c"
remedy = "r"
source = "s"
samples = ["mkdir /opt/x: read-only file system", "open /x: read-only file system"]
near_misses = ["read-only"]

[[signature]]
id = "kernel.nfs-silent"
condition = "nfs-server-not-responding"
title = "An NFS server does not answer"
severity = "warning"
patterns = ['nfs: server [^ ]+ not responding']
cleared_by = ['nfs: server [^ ]+ OK']
cause = "c"
remedy = "r"
source = "s"
samples = ["nfs: server a not responding, still trying", "nfs: server b not responding, timed out"]
near_misses = ["nfs: server a OK"]

[[signature]]
id = "kubelet.lease"
condition = "node-lease-failed"
title = "The lease cannot be renewed"
severity = "critical"
over_after = "10m"
patterns = ['Failed to update lease']
cause = "c"
remedy = "r"
source = "s"
samples = ["Failed to update lease, a", "Failed to update lease, b"]
near_misses = ["Failed to update"]

[[signature]]
id = "systemd.restarts"
condition = "restarts"
title = "A unit restarts again and again"
severity = "warning"
minimum = 3
window = "10m"
patterns = ['Scheduled restart job']
cause = "c"
remedy = "r"
source = "s"
samples = ["Scheduled restart job, a", "Scheduled restart job, b"]
near_misses = ["Scheduled"]
""",
)
START = datetime(2026, 11, 21, tzinfo=UTC)


class Told:
    """A journal of entries that a test tells, a second apart."""

    name = "told"

    def __init__(self, messages: list[bytes], priority: int | None = 6, step_s: int = 1) -> None:
        first = int(START.timestamp() * 1e6)
        self._entries = [Entry(first + i * step_s * 1_000_000, text, priority) for i, text in enumerate(messages)]

    def batches(self, unit: str, query: Query) -> Iterator[Batch]:
        del unit, query
        for start in range(0, len(self._entries), 4):
            yield Batch(self._entries[start : start + 4])

    def units(self) -> tuple[str, ...]:
        return ("a.service",)

    def cut(self, unit: str) -> int:
        del unit
        return 0

    def boots(self) -> tuple[str, ...]:
        return ()

    def sources(self) -> tuple[Source, ...]:
        return ()

    def ending(self, boot: str, most: int) -> list[tuple[str, Entry]]:
        del boot, most
        return []

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        return ()

    def cursor(self, unit: str, entry: Entry) -> str:
        return f"{unit}@{entry.time_us}"


def scan(journal: Told, family: OsFamily = OsFamily.UBUNTU) -> LogResult:
    query = Query(units=("a.service",), since=START, until=START)
    return Scan(Matcher(SIGNATURES)).run(journal, query).judged(family)


@pytest.mark.parametrize(("family", "severity"), [(OsFamily.COS, Severity.INFO), (OsFamily.UBUNTU, Severity.CRITICAL)])
def test_the_same_words_mean_what_the_image_makes_of_them(family: OsFamily, severity: Severity) -> None:
    (finding,) = scan(Told([b"mkdir /opt/microsoft: read-only file system"]), family).signatures
    assert finding.severity is severity
    assert finding.subjects == ("path=/opt/microsoft",)


def test_a_fault_that_has_cleared_is_no_longer_active() -> None:
    silent, answers = b"nfs: server 10.0.0.2 not responding, still trying", b"nfs: server 10.0.0.2 OK"
    assert scan(Told([silent])).signatures[0].active
    assert not scan(Told([silent, answers])).signatures[0].active
    assert scan(Told([silent, answers, silent])).signatures[0].active


@pytest.mark.parametrize(("later", "active"), [([], True), ([b"a"], True), ([b"a"] * 2, False), ([b"a"] * 9, False)])
def test_what_repeats_while_it_lasts_is_over_once_its_unit_has_gone_on_without_it(
    later: list[bytes],
    active: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    (finding,) = scan(Told([b"Failed to update lease", *later], step_s=300)).signatures
    assert finding.active is active
    (again,) = scan(Told([b"Failed to update lease", *later, b"Failed to update lease"], step_s=300)).signatures
    assert again.active


@pytest.mark.parametrize(("times", "step_s", "severity"), [(2, 1, "info"), (3, 1, "warning"), (3, 600, "info")])
def test_a_count_needs_its_minimum_within_its_window(times: int, step_s: int, severity: str) -> None:
    (finding,) = scan(Told([b"a.service: Scheduled restart job"] * times, step_s=step_s)).signatures
    assert (finding.severity.value, finding.count) == (severity, times)


def test_a_storm_is_counted_whole_and_sampled_little() -> None:
    result = scan(Told([b"x: read-only file system %d" % number for number in range(5000)]))
    (finding,) = result.signatures
    assert (finding.count, len(finding.samples), result.entries) == (5000, 3, 5000)


def test_a_message_of_several_lines_is_read_whole_and_two_messages_are_not_read_as_one() -> None:
    wrapped, apart = [b"fine", b"nfs: server nas\n1 not responding"], [b"nfs: server nas", b"1 not responding"]
    assert [finding.id for finding in scan(Told(wrapped)).signatures] == ["kernel.nfs-silent"]
    assert not scan(Told(apart)).signatures
    assert not Matcher(SIGNATURES).suspicious(b"\n".join(apart))


def test_levels_are_counted_by_what_messages_say() -> None:
    result = scan(Told([b"I0101 00:00:00.000000 1 a.go:1] fine", b"E0101 00:00:00.000000 1 a.go:1] broken", b"plain"]))
    assert result.units["a.service"].levels == {"error": 1, "info": 2}


def test_errors_without_a_name_are_grouped_by_shape() -> None:
    told = [b"E0101 00:00:00.000000 1 a.go:1] cannot frobnicate widget %d" % number for number in range(9)]
    (shape,) = scan(Told(told)).shapes
    assert (shape.count, shape.shape) == (9, "cannot frobnicate widget 0")


def test_secrets_in_samples_are_masked() -> None:
    (finding,) = scan(Told([b"Bearer abcdefgh12345678: read-only file system"])).signatures
    assert "abcdefgh" not in finding.samples[0].text


@pytest.mark.parametrize("message", [b"", b"\xff\xfe", b"\x1b[31m" * 1000, b"x" * 10_000_000, b"a\nb\nc"])
def test_no_message_is_too_strange(message: bytes) -> None:
    assert scan(Told([message, b"nfs: server a not responding"])).signatures[0].id == "kernel.nfs-silent"
