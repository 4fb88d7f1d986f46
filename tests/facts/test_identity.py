"""Which machine, which boot, which name, which instance: machine, boot, hostname, instance."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import boot, hostname, instance, machine
from nodediag.host.answer import Failure, UnameAnswer
from nodediag.host.ask import Namespace
from nodediag.model.evidence import FileEvidence, UnameEvidence
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost

MACHINE_ID = "0123456789abcdef0123456789abcdef"
BOOT_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
REFUSED = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))


@pytest.mark.parametrize("text", [MACHINE_ID, MACHINE_ID + "\n", f" {MACHINE_ID} \nmore"])
def test_a_machine_id_is_32_digits(host: "MakeHost", text: str) -> None:
    assert machine.collect(host({machine.PATH: text})).id == MACHINE_ID


@pytest.mark.parametrize("text", ["uninitialized", MACHINE_ID[1:], MACHINE_ID + "0", MACHINE_ID.upper(), BOOT_ID, "\n"])
def test_an_image_before_its_first_boot_has_no_machine_id(host: "MakeHost", text: str) -> None:
    with pytest.raises(ParseError, match="machine-id"):
        machine.collect(host({machine.PATH: text}))


def test_an_empty_machine_id_is_no_answer(host: "MakeHost") -> None:
    with pytest.raises(ReadError) as caught:
        machine.collect(host({machine.PATH: ""}))
    assert caught.value.reason.code is Code.UNPARSABLE


def test_a_boot_has_an_id_and_a_time(host: "MakeHost") -> None:
    found = boot.collect(host({boot.ID_PATH: BOOT_ID + "\n", boot.STAT_PATH: "cpu  1 2\nbtime 1700000000\nbtime 1\n"}))
    assert (found.id, found.at) == (BOOT_ID, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    ["", "cpu 1", "btime", "btime ", "btime -1", "btime x", "btime \u0663", "btime 1 2", "btime 1" + "0" * 5000],
)
def test_a_time_of_boot_that_is_none_is_refused(host: "MakeHost", text: str) -> None:
    with pytest.raises(ParseError, match="1970"):
        boot.collect(host({boot.ID_PATH: BOOT_ID, boot.STAT_PATH: text}))


def test_the_host_name_is_the_kernels_and_belongs_to_a_uts_namespace(host: "MakeHost") -> None:
    found = hostname.collect(host({}, uname=UnameAnswer("Linux", "Node-1", "6.6", "#1", "x86_64")))
    assert (found.name, found.evidence) == ("Node-1", UnameEvidence(text="Node-1"))
    assert hostname.NAMESPACE is Namespace.UTS
    with pytest.raises(ReadError):
        hostname.collect(host({}))


DATA = (
    '{"v1": {"cloud_name": "gce", "instance_id": "42", "availability_zone": "projects/1/zones/us-central1-a"}, "x": 1}'
)


def test_an_instance_is_told_by_firmware_and_cloud_init(host: "MakeHost") -> None:
    files = {instance.PRODUCT_PATH: "Google Compute Engine\n", instance.DATA_PATH: DATA}
    found = instance.collect(host({**files}))
    assert found.product == "Google Compute Engine"
    assert (found.cloud, found.instance_id, found.zone) == ("gce", "42", "us-central1-a")
    assert found.evidence == (FileEvidence(path=instance.PRODUCT_PATH, line=1, text="Google Compute Engine"),)


def test_either_of_them_may_be_missing(host: "MakeHost") -> None:
    assert instance.collect(host({instance.PRODUCT_PATH: "KVM"})).cloud == ""
    found = instance.collect(host({instance.DATA_PATH: DATA}, missing=Code.NOT_CAPTURED))
    assert (found.product, found.evidence, found.zone) == ("", (), "us-central1-a")


@pytest.mark.parametrize(
    "data",
    [
        "", "{", "[]", '{"v1": null}', '{"v1": {"cloud_name": 5}}', b'{"v1": {"cloud_name": "\xff"}}',
        '{"v1": {"cloud_name": "\\ud800"}}', '{"x": ' + "[" * 100_000,
    ],
)  # fmt: skip
def test_data_that_cannot_be_read_is_passed_over(host: "MakeHost", data: str | bytes) -> None:
    found = instance.collect(host({instance.PRODUCT_PATH: "KVM", instance.DATA_PATH: data}))
    assert (found.product, found.cloud) == ("KVM", "")


def test_nulls_stay_empty(host: "MakeHost") -> None:
    found = instance.collect(host({instance.DATA_PATH: '{"v1": {"cloud_name": null}}'}))
    assert (found.cloud, found.instance_id, found.zone) == ("", "", "")


def test_a_machine_without_either_is_known_to_have_none_but_a_capture_is_not(host: "MakeHost") -> None:
    assert instance.collect(host({})).product == ""
    with pytest.raises(ReadError) as caught:
        instance.collect(host({}, missing=Code.NOT_CAPTURED))
    assert (caught.value.path, caught.value.reason.code) == (instance.PRODUCT_PATH, Code.NOT_CAPTURED)
    with pytest.raises(ReadError):
        instance.collect(host({instance.PRODUCT_PATH: REFUSED}))
