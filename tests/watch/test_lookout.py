"""What is found at once is what a diagnosis would find."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from nodediag.host import own, package
from nodediag.journal.journal import KERNEL, Entry, Query
from nodediag.journal.saved import SavedJournal
from nodediag.logs.collect import scan
from nodediag.logs.matcher import Matcher
from nodediag.model.image import OsFamily
from nodediag.model.outcome import Severity
from nodediag.signatures.load import merge
from nodediag.signatures.signature import Signature
from nodediag.watch.lookout import Lookout, severity, wanted

START_US = 1_763_700_000_000_000
SIGNATURES = merge(package.texts("signatures/data"))
MATCHER = Matcher(SIGNATURES)
PLEG = 'E1121 10:00:00.000000 1 kubelet.go:1] "Skipping pod synchronization" err="PLEG is not healthy: '
PLEG += 'pleg was last seen active 5m10.1s ago; threshold is 3m0s"'
OOM = (
    "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "CPU: 1 PID: 4242 Comm: java Not tainted 6.1.0 #1",
    "Call Trace:",
    " dump_stack_lvl+0x44/0x5c",
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task=java,pid=4242,uid=0",
    "Out of memory: Killed process 4242 (java) total-vm:1000kB, anon-rss:900kB, file-rss:0kB, shmem-rss:0kB, UID:0",
)


def unit_of(signature: Signature) -> str:
    """Give a unit in whose log a signature is looked for."""
    if signature.block or "kernel" in signature.units:
        return KERNEL
    return (
        {"systemd": "init.scope"}.get(signature.units[0], f"{signature.units[0]}.service") if signature.units else "x"
    )


def looked(unit: str, messages: tuple[str, ...], family: OsFamily = OsFamily.COS) -> set[str]:
    lookout = Lookout(SIGNATURES, family)
    for number, message in enumerate(messages):
        lookout.add(unit, Entry(START_US + number, message.encode(), None))
    lookout.settle()
    return {sighting.signature.id for sighting in lookout.sightings()}


def scanned(unit: str, messages: tuple[str, ...], family: OsFamily = OsFamily.COS) -> set[str]:
    def chunks() -> Iterator[bytes]:
        for number, message in enumerate(messages):
            whose = {"_TRANSPORT": "kernel"} if unit == KERNEL else {"_SYSTEMD_UNIT": unit}
            fields = {"__REALTIME_TIMESTAMP": str(START_US + number), "MESSAGE": message, **whose}
            yield json.dumps(fields).encode() + b"\n"

    window = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
    query = Query(units=(unit,), since=window[0], until=window[1])
    found = scan(SavedJournal(chunks(), "saved"), MATCHER, query).judged(family).signatures
    return {finding.id for finding in found if finding.severity is Severity.CRITICAL}


@pytest.mark.parametrize("family", list(OsFamily)[:3])
def test_every_sample_of_every_signature_means_at_once_what_it_means_to_a_diagnosis(family: OsFamily) -> None:
    lookout = Lookout(SIGNATURES, family)
    differing = []
    found = 0
    for signature in SIGNATURES:
        for message in signature.samples:
            unit = unit_of(signature)
            lookout.add(unit, Entry(START_US, message.encode(), None))
            lookout.settle()
            ours = {sighting.signature.id for sighting in lookout.sightings()}
            if signature.minimum == 1 and ours != (theirs := scanned(unit, (message,), family)):
                differing.append((message, ours, theirs))
            found += bool(ours)
    assert differing == []
    assert found > 200


def test_a_kernel_report_of_many_lines_is_one_sighting() -> None:
    assert looked(KERNEL, OOM) == scanned(KERNEL, OOM)
    assert len(looked(KERNEL, OOM)) == 1


def test_a_report_is_open_until_it_is_settled() -> None:
    lookout = Lookout(SIGNATURES, OsFamily.COS)
    lookout.add(KERNEL, Entry(START_US, OOM[0].encode(), None))
    assert lookout.is_open
    assert lookout.sightings() == ()
    lookout.settle()
    assert not lookout.is_open


def test_what_is_found_is_given_once() -> None:
    lookout = Lookout(SIGNATURES, OsFamily.COS)
    for number in range(5):
        lookout.add("kubelet.service", Entry(START_US + number, PLEG.encode(), None))
    assert [sighting.signature.id for sighting in lookout.sightings()] == ["kubelet.pleg-unhealthy"]
    assert lookout.sightings() == ()


REPEATED = [s for s in SIGNATURES if s.minimum > 1 and s.severity is Severity.CRITICAL and not s.reset_by_planned_stop]


@pytest.mark.parametrize("signature", REPEATED, ids=lambda signature: signature.id)
def test_what_is_a_fault_only_when_repeated_is_told_when_it_was(signature: Signature) -> None:
    message = next((m for m in signature.samples if scanned(unit_of(signature), (m,) * signature.minimum)), "")
    once = (message,) * (signature.minimum - 1)
    assert signature.id not in looked(unit_of(signature), once)
    assert signature.id in looked(unit_of(signature), (*once, message))


def test_repetitions_further_apart_than_the_window_are_none() -> None:
    signature = REPEATED[0]
    lookout = Lookout(SIGNATURES, OsFamily.COS)
    for number in range(signature.minimum):
        time_us = START_US + number * (signature.window_us + 1)
        lookout.add(unit_of(signature), Entry(time_us, signature.samples[0].encode(), None))
    assert signature.id not in {sighting.signature.id for sighting in lookout.sightings()}


def test_the_automaton_does_not_grow_with_what_it_sees() -> None:
    lookout = Lookout(SIGNATURES, OsFamily.COS)
    messages = [m.encode() for s in SIGNATURES for m in (*s.samples, *s.near_misses)]
    sizes = []
    for one, other in zip(messages, reversed(messages), strict=True):
        lookout.add("kubelet.service", Entry(START_US, other[:60] + b" " + one, None))
        sizes.append(own.memory_kib())
    assert max(sizes) - sizes[0] < 12 * 1024  # of what is looked up on hits too
    lookout.sightings()
    lookout.add("kubelet.service", Entry(START_US, PLEG.encode(), None))
    assert len(lookout.sightings()) == 1


def test_more_signatures_than_the_release_has_get_more_room() -> None:
    many = tuple(
        msgspec.structs.replace(one, id=f"{one.id}-{number}", patterns=tuple(f"{number}{p}" for p in one.patterns))
        for number in range(3)
        for one in SIGNATURES
    )
    lookout = Lookout((*many, *SIGNATURES), OsFamily.COS)
    lookout.add("kubelet.service", Entry(START_US, PLEG.encode(), None))
    assert "kubelet.pleg-unhealthy" in {sighting.signature.id for sighting in lookout.sightings()}


def test_only_what_can_matter_is_held() -> None:
    held = {signature.id for signature in wanted(SIGNATURES, OsFamily.COS)}
    critical = {s.id for s in SIGNATURES if severity(s, OsFamily.COS) is Severity.CRITICAL}
    assert critical <= held
    assert len(held) < len(SIGNATURES)
