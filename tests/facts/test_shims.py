"""containerd's shims, and those left of pods that are gone."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ReadError
from nodediag.facts import shims
from nodediag.facts.shims import Left
from nodediag.host.answer import Failure, Process, Target
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import Files, MakeHost

BUNDLE = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"


def shim(pid: int, identity: str, name: str = "containerd-shim-runc-v2") -> Process:
    argv = (f"/usr/bin/{name}", "-namespace", "k8s.io", "-id", identity, "-address", "/run/containerd/containerd.sock")
    return Process(pid, 1, name, argv, "S", f"/usr/bin/{name}")


def node(pid: int, identity: str, init: int | None = None) -> "Files":
    files: Files = {f"/proc/{pid}/cwd": Target(f"{BUNDLE}/{identity}"), f"/proc/{pid}/stat": ""}
    return files | ({} if init is None else {f"{BUNDLE}/{identity}/init.pid": str(init), f"/proc/{init}/stat": ""})


def test_shims_beside_their_pods_are_not_left_over(host: "MakeHost") -> None:
    files = {**node(10, "a", 11), **node(20, "b", 21), **node(30, "c")}
    seen = shims.collect(host(files, processes=(shim(10, "a"), shim(20, "b", "containerd-shim"), shim(30, "c"))))
    assert (seen.total, seen.left, seen.left_total) == (3, (), 0)


def test_one_whose_bundle_or_first_process_is_gone_is_left_over(host: "MakeHost") -> None:
    files: Files = {**node(10, "a", 11), **node(20, "b", 21), "/proc/10/cwd": Target(f"{BUNDLE}/a (deleted)")}
    files = {path: held for path, held in files.items() if not path.startswith("/proc/21")}
    seen = shims.collect(host(files, processes=(shim(10, "a"), shim(20, "b"))))
    assert [(one.pid, one.namespace, one.id, one.gone) for one in seen.left] == [
        (10, "k8s.io", "a", Left.BUNDLE), (20, "k8s.io", "b", Left.PROCESS),
    ]  # fmt: skip
    assert "-id a" in seen.left[0].evidence.text


def test_one_that_ends_while_we_look_is_not_left_over(host: "MakeHost") -> None:
    gone: Files = {"/proc/10/cwd": Target(f"{BUNDLE}/a (deleted)")}
    assert shims.collect(host(gone, processes=(shim(10, "a"),))).left == ()
    assert shims.collect(host({}, processes=(shim(10, "a"),))).left == ()


def test_what_only_bears_the_name_is_none(host: "MakeHost") -> None:
    other = Process(9, 1, "containerd-shim-runc-v2", ("containerd-shim-runc-v2", "-v"), "S", "/usr/bin/x")
    assert shims.collect(host({}, processes=(other,))).total == 0


def test_where_no_folder_is_shown_nothing_is_said_and_it_is_one_blind_spot(host: "MakeHost") -> None:
    refused = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))
    node_ = host({"/proc/10/cwd": refused, "/proc/10/stat": ""}, processes=(shim(10, "a"),))
    with pytest.raises(ReadError) as raised:
        shims.collect(node_)
    assert raised.value.reason.code is Code.NOT_PERMITTED
    assert node_.blind_spots() == ()


def test_one_that_cannot_be_looked_at_is_not_passed_over(host: "MakeHost") -> None:
    late = Failure(Reason(code=Code.TIMED_OUT, detail="no"))
    seen = shims.collect(host({"/proc/10/cwd": late, "/proc/10/stat": ""}, processes=(shim(10, "a"),)))
    assert seen.unseen
    assert (seen.unseen.code, seen.left) == (Code.TIMED_OUT, ())


def test_of_a_part_of_the_processes_nothing_is_said(host: "MakeHost") -> None:
    with pytest.raises(ReadError):
        shims.collect(_Part(host({}, processes=(shim(10, "a"),))))  # type: ignore[arg-type] # what listed() asks of it


class _Part:
    def __init__(self, host: object) -> None:
        self._host = host

    def processes(self, *names: str, below: tuple[str, ...] = ()) -> object:
        from nodediag.host.answer import ProcessList  # noqa: PLC0415 - only here

        del names, below
        return ProcessList((), complete=False)
