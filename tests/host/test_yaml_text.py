import contextlib

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError
from nodediag.host import yaml_text


@pytest.mark.parametrize(
    "text",
    [
        "!!timestamp foo", '!!int ""', '!!float ""', "!!bool foo", "a: [", "\t- x", "!!python/object:os.system x",
        "[" * 500, "a: &a x\nb: [" + "*a, " * 200 + "]",
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ParseError, match="/etc/x"):
        yaml_text.load(text, "/etc/x")


def test_a_value_is_found_by_its_keys() -> None:
    loaded = yaml_text.load("a:\n  b: text\n  c: 1\n", "/etc/x")
    assert yaml_text.text_at(loaded, "a", "b") == "text"
    assert yaml_text.text_at(loaded, "a", "c") == ""
    assert yaml_text.text_at(loaded, "a", "b", "d") == ""


@given(st.text(alphabet=st.sampled_from("ab:-[]{}!&*|>\"\n '#%@`?,0.~"), max_size=40))
def test_any_text_is_a_value_or_is_refused(text: str) -> None:
    with contextlib.suppress(ParseError):
        yaml_text.load(text, "/etc/x")
