from pathlib import Path

import msgspec
import pytest

import nodediag
from nodediag.logs.matcher import Matcher
from nodediag.redact import redact_text
from nodediag.signatures.load import merge
from nodediag.signatures.signature import Signature

FOLDER = Path(nodediag.__file__).parent / "signatures/data"
SIGNATURES = merge({file.name: file.read_text() for file in sorted(FOLDER.glob("*.toml"))})
MATCHER = Matcher(SIGNATURES)
SAMPLES = [(signature, sample) for signature in SIGNATURES for sample in signature.samples]
NEAR_MISSES = [(signature, near) for signature in SIGNATURES for near in signature.near_misses]


def found(message: str, unit: str) -> list[str]:
    return [signature.id for signature in MATCHER.match(message.encode(), unit)]


@pytest.mark.parametrize(("signature", "sample"), SAMPLES, ids=lambda value: getattr(value, "id", None))
def test_each_sample_is_named_first_by_its_signature(signature: Signature, sample: str) -> None:
    unit = signature.units[0] if signature.units else ""
    assert found(sample, unit)[:1] == [signature.id]


@pytest.mark.parametrize(("signature", "near"), NEAR_MISSES, ids=lambda value: getattr(value, "id", None))
def test_no_near_miss_is_taken_for_it(signature: Signature, near: str) -> None:
    unit = signature.units[0] if signature.units else ""
    assert signature.id not in found(near, unit)


def test_masking_secrets_changes_nothing_of_what_lines_are_taken_for() -> None:
    for signature in SIGNATURES:
        unit = signature.units[0] if signature.units else ""
        for line in (*signature.samples, *signature.near_misses):
            if (masked := redact_text(line)) != line:
                assert found(masked, unit) == found(line, unit), signature.id
        told = f"{signature.samples[0]} --token=abcdefgh12 password: hunter22"
        assert found(redact_text(told), unit) == found(told, unit), signature.id


def test_a_line_means_the_same_whether_or_not_another_follows_it_in_its_message() -> None:
    lines = {line for one in SIGNATURES for line in (*one.samples, *one.near_misses) if "\n" not in line}
    assert {line for line in lines if found(line, "") != found(f"{line}\n", "")} == set()


def test_a_bracket_that_stands_first_in_a_negated_class_stays_in_it() -> None:
    one = msgspec.structs.replace(SIGNATURES[0], patterns=("off [^]]$",), unless=(), units=(), levels=())
    matcher = Matcher((one,))
    assert [matcher.hits(line) != () for line in (b"off x", b"off ]")] == [True, False]
