"""dpkg's database."""

import time
from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import packages
from nodediag.facts.packages import Packages
from nodediag.host.answer import Failure
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost, MakeLines

GKE = "1.7.16-0ubuntu0~22.04.1~gke1"
STATUS = f"""\
Package: adduser
Status: install ok installed
Version: 3.118

Package: containerd
Status: install ok installed
Architecture: amd64
Version: {GKE}
Description: daemon
 Version: 9
 Package: docker.io

Package: docker.io
Status: deinstall ok config-files
Version: 20.10
Config-Version: 20.10

Package: kubelet
Status: hold ok installed
Version: 1.30.1-1.1
"""
LIST = f"""\
Desired=Unknown/Install/Remove/Purge/Hold
||/ Name              Version                       Architecture Description
+++-=================-=============================-============-===========
ii  adduser           3.118                         all          add users
ii  containerd:amd64  {GKE}  amd64        daemon
rc  docker.io         20.10                         amd64        gone
hi  kubelet           1.30.1-1.1                    amd64        node agent
ii  kubelet-extra     1                             amd64        other
"""


def test_the_status_file_and_the_list_tell_the_same(lines: "MakeLines") -> None:
    expected = [("containerd", GKE), ("kubelet", "1.30.1-1.1")]
    assert [(found.name, found.version) for found in packages.parse_status(STATUS)] == expected
    assert [(found.name, found.version) for found in packages.parse_list(lines(LIST))] == expected


def test_a_package_keeps_the_line_of_its_version() -> None:
    found = packages.parse_status(STATUS)[0]
    assert (found.evidence.line, found.evidence.text) == (8, f"Version: {GKE}")


def test_a_database_of_a_hostile_size_costs_one_pass_and_keeps_its_lines(host: "MakeHost") -> None:
    text = "".join(f"Package: containerd\nStatus: install ok installed\nVersion: {n}\n\n" for n in range(50_000))
    started = time.monotonic()
    found = packages.collect(host({packages.STATUS_PATH: text})).installed
    assert time.monotonic() - started < 5  # counted anew for each package the lines took a minute
    assert [package.evidence.line for package in (found[0], found[1], found[-1])] == [3, 7, 199_999]


def test_an_image_without_dpkg_has_no_package_manager(host: "MakeHost") -> None:
    assert packages.collect(host({})) == Packages(manager=False, installed=())


def test_a_list_counts_where_the_status_file_was_not_captured(host: "MakeHost") -> None:
    found = packages.collect(host({packages.LIST_PATH: LIST}, missing=Code.NOT_CAPTURED))
    assert found.manager
    assert [package.evidence.path for package in found.installed] == [packages.LIST_PATH] * 2


def test_an_empty_database_is_one(host: "MakeHost") -> None:
    assert packages.collect(host({packages.STATUS_PATH: ""})) == Packages(manager=True, installed=())


@pytest.mark.parametrize("path", [packages.STATUS_PATH, packages.LIST_PATH])
def test_a_text_without_a_package_is_refused_and_not_taken_for_none(host: "MakeHost", path: str) -> None:
    with pytest.raises(ParseError):
        packages.collect(host({path: "dpkg: command not found\n"}, missing=Code.NOT_CAPTURED))


def test_without_either_the_status_files_error_stands(host: "MakeHost") -> None:
    with pytest.raises(ReadError) as caught:
        packages.collect(host({}, missing=Code.NOT_CAPTURED))
    assert caught.value.path == packages.STATUS_PATH
    with pytest.raises(ReadError) as caught:
        packages.collect(host({packages.STATUS_PATH: Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))}))
    assert caught.value.reason.code is Code.NOT_PERMITTED
