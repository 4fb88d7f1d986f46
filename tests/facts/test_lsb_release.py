"""lsb-release, as a file and as printed."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import lsb_release
from nodediag.host.answer import Failure
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost, MakeLines

FILE = 'DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=22.04\nDISTRIB_DESCRIPTION="Ubuntu 22.04.4 LTS"\n'
PRINTED = """\
No LSB modules are available.
Distributor ID:\tUbuntu
Description:\tUbuntu 22.04.4 LTS
Release:\t22.04
Codename:\tjammy
"""
PRINTED_PATH = "/sos_commands/release/lsb_release_-a"


@pytest.mark.parametrize("text", [FILE, PRINTED], ids=["file", "printed"])
def test_both_forms_tell_the_same(lines: "MakeLines", text: str) -> None:
    assert lsb_release.parse(lines(text)).fields == {
        "DISTRIB_ID": "Ubuntu",
        "DISTRIB_RELEASE": "22.04",
        "DISTRIB_DESCRIPTION": "Ubuntu 22.04.4 LTS",
    }


def test_chromeos_has_fields_of_its_own(lines: "MakeLines") -> None:
    found = lsb_release.parse(lines("CHROMEOS_RELEASE_BOARD=lakitu\nCHROMEOS_RELEASE_VERSION=18613.164.4"))
    assert found.fields["CHROMEOS_RELEASE_BOARD"] == "lakitu"
    assert found.lines["CHROMEOS_RELEASE_VERSION"].line == 2


def test_a_sign_inside_a_printed_value_makes_no_other_field(lines: "MakeLines") -> None:
    found = lsb_release.parse(lines("Description:\tx=y: z\n# a=b"))
    assert found.fields == {"DISTRIB_DESCRIPTION": "x=y: z"}


@pytest.mark.parametrize("text", ["", "Codename:\tjammy", "lsb_release: command not found"])
def test_a_text_without_a_field_is_refused(lines: "MakeLines", text: str) -> None:
    with pytest.raises(ParseError, match="lsb-release"):
        lsb_release.parse(lines(text))


def test_what_was_printed_counts_where_the_file_was_not_captured(host: "MakeHost") -> None:
    found = lsb_release.collect(host({PRINTED_PATH: PRINTED}, missing=Code.NOT_CAPTURED))
    assert found.fields["DISTRIB_ID"] == "Ubuntu"
    assert found.lines["DISTRIB_ID"].path == PRINTED_PATH


def test_the_file_counts_before_what_was_printed(host: "MakeHost") -> None:
    found = lsb_release.collect(host({lsb_release.PATH: "DISTRIB_ID=x", PRINTED_PATH: PRINTED}))
    assert found.fields == {"DISTRIB_ID": "x"}


@pytest.mark.parametrize("code", [Code.ABSENT, Code.NOT_CAPTURED])
def test_the_files_own_error_stands_for_all(host: "MakeHost", code: Code) -> None:
    with pytest.raises(ReadError) as caught:
        lsb_release.collect(host({}, missing=code))
    assert (caught.value.path, caught.value.reason.code) == (lsb_release.PATH, code)


def test_a_file_that_is_known_to_be_absent_is_not_looked_for_elsewhere(host: "MakeHost") -> None:
    with pytest.raises(ReadError):
        lsb_release.collect(host({PRINTED_PATH: PRINTED}))


def test_a_list_that_may_not_be_read_is_not_passed_over(host: "MakeHost") -> None:
    refused = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))
    with pytest.raises(ReadError) as caught:
        lsb_release.collect(host({PRINTED_PATH: refused}, missing=Code.NOT_CAPTURED))
    assert caught.value.path == PRINTED_PATH
