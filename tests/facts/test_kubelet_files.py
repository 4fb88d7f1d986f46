"""Owners and modes of the kubelet's files, where it names them."""

from typing import Protocol

import msgspec
import pytest

from nodediag.errors import ReadError
from nodediag.facts import kubelet, kubelet_files
from nodediag.facts.kubelet_files import KubeletFile, KubeletFiles, Role
from nodediag.host.answer import Failure, HealthzAnswer, PathStat, PathType, Process, SystemdAnswer, Target
from nodediag.host.ask import Stat
from nodediag.host.host import Host
from nodediag.host.tree import TreeSource
from nodediag.model.reason import Code, Reason

Files = dict[str, str | bytes | Target | SystemdAnswer | HealthzAnswer | PathStat | Failure]
PAIR = "/pki/kubelet-client-current.pem"
FLAGS = ("--kubeconfig=/k", "--config=/c", "--cert-dir=/pki/", "--client-ca-file=/ca")


class MakeHost(Protocol):
    def __call__(self, files: Files, *, processes: tuple[Process, ...] = ..., missing: Code = ...) -> Host: ...


def told(mode: str, uid: int, gid: int) -> PathStat:
    return PathStat(PathType.FILE, mode, 1, "8:1", uid, gid)


def seen(host: MakeHost, files: Files, *flags: str, missing: Code = Code.ABSENT) -> KubeletFiles:
    node = host(files, processes=(Process(9, 1, "kubelet", ("kubelet", *flags)),), missing=missing)
    return kubelet_files.derive(node, kubelet.collect(node))


def test_what_it_names_is_looked_at_and_what_is_not_there_is_left_out(host: MakeHost) -> None:
    files: Files = {
        "/k": "", "/c": "x: 1", PAIR: "", kubelet_files.PROXY: "", "stat /k": told("0600", 0, 0),
        f"stat {PAIR}": told("0640", 0, 7), "stat /c": told("4755", 1000, 0),
    }  # fmt: skip
    assert seen(host, files, *FLAGS) == KubeletFiles(
        files=(
            KubeletFile(role=Role.KUBECONFIG, path="/k", owner="0:0", mode="0600"),
            KubeletFile(role=Role.CONFIGURATION, path="/c", owner="1000:0", mode="4755"),
            KubeletFile(role=Role.PROXY, path=kubelet_files.PROXY, owner="0:0", mode="0644"),
            KubeletFile(role=Role.KEY_PAIR, path=PAIR, owner="0:7", mode="0640"),
        )
    )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (told("0600", 65534, 0), Code.OTHER_NAMESPACE),
        (told("0600", 0, 65534), Code.OTHER_NAMESPACE),
        (PathStat(PathType.FILE, "0600", 1, "8:1"), Code.NOT_CAPTURED),
    ],
)
def test_whose_a_file_is_may_stay_open(host: MakeHost, answer: PathStat, code: Code) -> None:
    file, _ = seen(host, {"/k": "", "stat /k": answer, kubelet_files.PROXY: ""}, "--kubeconfig=/k").files
    assert isinstance(file.reason, Reason)
    assert (file.reason.code, file.owner) == (code, "")


def test_what_cannot_be_looked_at_says_why(host: MakeHost) -> None:
    files: Files = {"/k": "", "/c": Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))}
    found = seen(host, files, "--kubeconfig=/k", "--config=/c", missing=Code.NOT_CAPTURED)
    assert [file.role for file in found.files if file.reason is msgspec.UNSET] == [Role.KUBECONFIG]
    assert found.reason is not msgspec.UNSET
    with pytest.raises(ReadError):
        seen(host, {}, "--kubeconfig=/k", missing=Code.NOT_CAPTURED)


class Copies:
    """A folder of copies, which are somebody's here."""

    def answer(self, ask: object) -> PathStat:
        del ask
        return told("0644", 1000, 1000)


def test_the_owner_of_a_copy_is_not_the_nodes() -> None:
    found = TreeSource(Copies()).answer(Stat("/k"))
    assert isinstance(found, PathStat)
    assert (found.mode, found.uid, found.gid) == ("0644", msgspec.UNSET, msgspec.UNSET)
