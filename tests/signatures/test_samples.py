from pathlib import Path

import pytest

import nodediag
from nodediag.logs.matcher import Matcher
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
