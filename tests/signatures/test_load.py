import pytest

from nodediag.errors import ProfileError
from nodediag.signatures.load import parse

RECORD = """
[[signature]]
id = "a.b"
condition = "c"
title = "t"
severity = "info"
patterns = ['p']
cause = "c"
remedy = "r"
source = "s"
samples = ["p", "pp"]
near_misses = ["q"]
"""


def test_a_report_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ProfileError, match=r"a\.b\.block: wanted one of allocation, crash, .*, trace"):
        parse("x.toml", RECORD + 'block = "oops"')


@pytest.mark.parametrize("block", ["oom", "trace", ""])
def test_a_signature_may_be_part_of_a_report(block: str) -> None:
    (signature,) = parse("x.toml", RECORD + f'block = "{block}"')
    assert signature.block == block


def test_a_users_file_nested_too_deep_is_refused_by_name() -> None:
    deep = f"signature = {'[' * 20_000}{']' * 20_000}"
    with pytest.raises(ProfileError, match=r"deep\.toml.*not TOML"):
        parse("deep.toml", deep)


@pytest.mark.parametrize("key", ["window", "over_after"])
def test_a_span_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(ProfileError, match=rf"a\.b\.{key}: wanted a span such as 10m"):
        parse("x.toml", RECORD + f'{key} = "ten minutes"')
    (signature,) = parse("x.toml", RECORD + f'{key} = "10m"')
    assert getattr(signature, f"{key}_us") == 600_000_000
