"""os-release(5)."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError, ReadError
from nodediag.facts import os_release
from nodediag.facts.os_release import OsRelease
from nodediag.host.answer import Failure
from nodediag.host.host import Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost

NAME_FIRST = """\
NAME="Container-Optimized OS"
ID=cos
PRETTY_NAME="Container-Optimized OS from Google"
VERSION=117
VERSION_ID=117
BUILD_ID=18613.164.4
"""
BUILD_FIRST = "".join(f"{line}\n" for line in reversed(NAME_FIRST.splitlines()))
ETC, USR = os_release.PATHS
REFUSED = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))


def read(text: str) -> OsRelease:
    return os_release.parse(tuple(Line(ETC, number, one) for number, one in enumerate(text.split("\n"), 1)))


@pytest.mark.parametrize("text", [NAME_FIRST, BUILD_FIRST], ids=["newer", "older"])
def test_the_order_of_the_keys_does_not_matter(text: str) -> None:
    found = read(text)
    assert (found.id, found.fields["VERSION_ID"], found.fields["BUILD_ID"]) == ("cos", "117", "18613.164.4")
    assert found.fields["PRETTY_NAME"] == "Container-Optimized OS from Google"


def test_each_field_keeps_its_line_and_a_missing_one_says_so() -> None:
    found = read(NAME_FIRST)
    assert found.evidence("ID") == FileEvidence(path=ETC, line=2, text="ID=cos")
    assert found.evidence("ID_LIKE") == FileEvidence(path=ETC, line=0, text="(no ID_LIKE)")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("cos", "cos"),
        ('"cos"', "cos"),
        ("'cos'", "cos"),
        ("", ""),
        ('""', ""),
        ('"a b"', "a b"),
        ('"a b" ', "a b"),
        (r'"a \"b\" \$c \`d\` \\e"', r'a "b" $c `d` \e'),
        (r'"a\nb"', r"a\nb"),
        (r"'a \"b\"'", r"a \"b\""),
        ('"open', '"open'),
        ("'open", "'open"),
        ('"a" b', '"a" b'),
        ("a=b", "a=b"),
        ('"', '"'),
        ("é", "é"),
    ],
)
def test_a_value_is_unquoted_as_a_shell_does(written: str, value: str) -> None:
    assert read(f"X={written}").fields == {"X": value}


def test_comments_and_lines_that_are_no_assignment_are_passed_over() -> None:
    assert read("# ID=no\n\nexport ID=no\nID = no\n1D=no\nÏD=no\nID=cos\n[x]").fields == {"ID": "cos"}


def test_of_two_assignments_the_last_counts() -> None:
    found = read("ID=debian\nID=cos")
    assert (found.id, found.evidence("ID").line) == ("cos", 2)


@pytest.mark.parametrize("text", ["NAME=x", "ID=", 'ID=""'])
def test_without_an_id_the_manuals_default_holds(text: str) -> None:
    assert read(text).id == "linux"


@pytest.mark.parametrize("text", ["", "\n", "no assignment", "<html>"])
def test_a_text_without_an_assignment_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="os-release"):
        read(text)


def test_the_second_place_counts_only_without_the_first(host: "MakeHost") -> None:
    both = os_release.collect(host({ETC: "ID=cos", USR: "ID=debian"}))
    assert (both.id, both.path) == ("cos", ETC)
    second = os_release.collect(host({USR: "ID=debian"}))
    assert (second.id, second.path) == ("debian", USR)


@pytest.mark.parametrize("missing", [Code.ABSENT, Code.NOT_CAPTURED])
def test_without_either_the_first_ones_error_stands(host: "MakeHost", missing: Code) -> None:
    with pytest.raises(ReadError) as caught:
        os_release.collect(host({}, missing=missing))
    assert (caught.value.path, caught.value.reason.code) == (ETC, missing)


@pytest.mark.parametrize("path", [ETC, USR])
def test_one_that_may_not_be_read_is_not_passed_over(host: "MakeHost", path: str) -> None:
    with pytest.raises(ReadError) as caught:
        os_release.collect(host({path: REFUSED}))
    assert (caught.value.path, caught.value.reason.code) == (path, Code.NOT_PERMITTED)


@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n")))
def test_a_quoted_value_comes_back_as_it_was(value: str) -> None:
    quoted = "".join(f"\\{char}" if char in '"$`\\' else char for char in value)
    assert read(f'X="{quoted}"').fields["X"] == value
