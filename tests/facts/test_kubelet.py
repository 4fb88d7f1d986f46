"""The running kubelet and what it was told."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from nodediag.errors import ReadError
from nodediag.facts import kubelet
from nodediag.facts.kubelet import EndpointFrom, Kubelet
from nodediag.host.answer import Failure, Process, ProcessList, Reply
from nodediag.host.ask import Ask, Processes
from nodediag.host.host import Host, Seen
from nodediag.model.evidence import FileEvidence, ProcessEvidence
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

if TYPE_CHECKING:
    from tests.conftest import MakeHost

SOCKET = "unix:///run/containerd/containerd.sock"
CONFIG = "/home/kubernetes/kubelet-config.yaml"
DECOY = "/etc/kubernetes/kubelet-config.yaml"
YAML = f"kind: KubeletConfiguration\ncgroupDriver: systemd\ncontainerRuntimeEndpoint: {SOCKET}\n"
GKE = (
    "/home/kubernetes/bin/kubelet",
    "--v=2",
    f"--config={CONFIG}",
    f"--container-runtime-endpoint={SOCKET}",
    "--node-labels=cloud.google.com/gke-os-distribution=cos,cloud.google.com/gke-container-runtime=containerd",
    "--version=v1.34.0-gke.1662000",
)


def run(*argv: str, pid: int = 100) -> Process:
    return Process(pid, 1, argv[0].rpartition("/")[2], argv)


def test_the_command_line_of_a_gke_node_tells_endpoint_labels_and_version(host: "MakeHost") -> None:
    found = kubelet.collect(host({CONFIG: YAML}, processes=(run("/sbin/init", pid=1), run(*GKE))))
    assert (found.running, found.pids, found.version) == (True, (100,), "v1.34.0-gke.1662000")
    assert (found.endpoint, found.endpoint_from) == (SOCKET, EndpointFrom.FLAG)
    assert (found.config_path, found.config_reason, found.cgroup_driver) == (CONFIG, msgspec.UNSET, "systemd")
    assert found.labels == {
        "cloud.google.com/gke-os-distribution": "cos",
        "cloud.google.com/gke-container-runtime": "containerd",
    }
    assert found.flag_evidence("v") == (ProcessEvidence(pid=100, name="kubelet", text="--v=2"),)
    assert found.flag_evidence("nowhere") == found.evidence


@pytest.mark.parametrize(
    ("argv", "flags"),
    [
        (("--config", "/x", "--v=2"), {"config": "/x", "v": "2"}),
        (("--config=/x",), {"config": "/x"}),
        (("-v", "2"), {"v": "2"}),
        (("--a=b=c", "--d="), {"a": "b=c", "d": ""}),
        (("--a", "--b", "c"), {"a": "true", "b": "c"}),
        (("--b",), {"b": "true"}),
        (("--a=1", "--a=2"), {"a": "2"}),
        (("--node-labels=a=b", "--node-labels", "c=d,e=f"), {"node-labels": "a=b,c=d,e=f"}),
        (("--node_labels=a=b_c", "--node-labels=d=e"), {"node-labels": "a=b_c,d=e"}),
        (("word", "-", "--", "--=x", ""), {}),
        ((), {}),
    ],
)
def test_flags_are_read_as_the_kubelet_reads_them(argv: tuple[str, ...], flags: dict[str, str]) -> None:
    assert kubelet.parse_flags(("kubelet", *argv)) == flags


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a=b,c=d", {"a": "b", "c": "d"}),
        ("a=b, c=d,,e", {"a": "b", "c": "d", "e": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("", {}),
    ],
)
def test_labels_are_pairs(text: str, labels: dict[str, str]) -> None:
    assert kubelet.parse_labels(text) == labels


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("kubelet",), True),
        (("/usr/bin/kubelet", "--v=2"), True),
        (("/snap/kubelet/1/kubelet",), True),
        (("/hyperkube", "kubelet", "--v=2"), True),
        (("/hyperkube", "proxy"), False),
        (("sh", "-c", "kubelet"), False),
        (("sh", "/usr/bin/kubelet"), False),
        (("kubelet-monitor",), False),
        (("/usr/bin/kubelet/x",), False),
        (("vi", "kubelet"), False),
        ((), False),
    ],
)
def test_a_kubelet_is_known_by_the_name_of_its_program(argv: tuple[str, ...], *, expected: bool) -> None:
    assert kubelet.is_kubelet(Process(1, 0, "x", argv)) is expected


@pytest.mark.parametrize(
    ("argv", "within"),
    [
        (("/usr/local/bin/k3s agent",), "k3s"),
        (("/usr/local/bin/k3s", "server", "", ""), "k3s"),
        (("k3s-server", "--token", "x"), "k3s"),
        (("/snap/microk8s/6809/kubelite", "--kubelet-args-file=/x"), "microk8s"),
        (("/usr/local/bin/k3s", "kubectl", "get", "pods"), ""),
        (("k3s",), ""),
        (("/usr/bin/kubelet",), ""),
        (("vi", "kubelite"), ""),
        ((), ""),
    ],
)
def test_one_program_may_hold_the_kubelet(argv: tuple[str, ...], within: str) -> None:
    assert kubelet.within(Process(1, 0, "x", argv)) == within


def test_a_kubelet_inside_another_program_runs_and_what_it_was_told_stays_open(host: "MakeHost") -> None:
    found = kubelet.collect(host({}, processes=(run("/sbin/init", pid=1), Process(8, 1, "k3s-agent", ("k3s agent",)))))
    assert (found.running, found.pids, found.endpoint_from) == (True, (8,), EndpointFrom.UNREAD)
    assert isinstance(found.config_reason, Reason)
    assert found.config_reason.code is Code.UNSUPPORTED
    assert found.evidence == (ProcessEvidence(pid=8, name="k3s-agent", text="k3s agent"),)


def test_the_config_that_the_flag_names_is_read_and_no_other(host: "MakeHost") -> None:
    files = {CONFIG: YAML, DECOY: "containerRuntimeEndpoint: unix:///decoy"}
    named = kubelet.collect(host({**files}, processes=(run("kubelet", "--config", CONFIG),)))
    assert (named.endpoint, named.endpoint_from) == (SOCKET, EndpointFrom.CONFIG)
    assert named.evidence[1] == FileEvidence(path=CONFIG, line=3, text=f"containerRuntimeEndpoint: {SOCKET}")
    unnamed = kubelet.collect(host({**files}, processes=(run("kubelet"),)))
    assert (unnamed.endpoint, unnamed.endpoint_from, unnamed.config_path) == ("", EndpointFrom.NOWHERE, "")


def test_a_flag_wins_over_the_file(host: "MakeHost") -> None:
    argv = ("kubelet", f"--config={CONFIG}", "--container-runtime-endpoint=unix:///f", "--cgroup-driver=cgroupfs")
    found = kubelet.collect(host({CONFIG: YAML}, processes=(run(*argv),)))
    assert (found.endpoint, found.endpoint_from, found.cgroup_driver) == ("unix:///f", EndpointFrom.FLAG, "cgroupfs")


@pytest.mark.parametrize(
    ("files", "flags", "code"),
    [
        pytest.param({}, ("--config=/gone",), Code.ABSENT, id="gone"),
        pytest.param({}, ("--config=relative.yaml",), Code.UNSUPPORTED, id="relative"),
        pytest.param({CONFIG: "a: [b"}, (f"--config={CONFIG}",), Code.UNPARSABLE, id="broken"),
        pytest.param({CONFIG: "just words"}, (f"--config={CONFIG}",), Code.UNPARSABLE, id="no fields"),
        pytest.param({CONFIG: ""}, (f"--config={CONFIG}",), Code.UNPARSABLE, id="empty"),
        pytest.param({CONFIG: "a: 1\n---\nb: 2"}, (f"--config={CONFIG}",), Code.UNPARSABLE, id="two documents"),
        pytest.param(
            {CONFIG: "a: &a [*a, *a]\n" + "b: [*a]\n" * 200}, (f"--config={CONFIG}",), Code.UNPARSABLE, id="bomb"
        ),
        pytest.param({CONFIG: "[" * 5000}, (f"--config={CONFIG}",), Code.UNPARSABLE, id="deep"),
        pytest.param({CONFIG: "\tx: 1\x00"}, (f"--config={CONFIG}",), Code.UNPARSABLE, id="no text"),
        pytest.param({CONFIG: "!!python/object:os.system {}"}, (f"--config={CONFIG}",), Code.UNPARSABLE, id="code"),
        pytest.param({CONFIG: YAML}, (f"--config={CONFIG}", "--config-dir=/d"), Code.ABSENT, id="no folder"),
        pytest.param({}, ("--config-dir=d",), Code.UNSUPPORTED, id="a relative folder"),
        pytest.param({"/d/a.conf": "- x"}, ("--config-dir=/d",), Code.UNPARSABLE, id="a drop-in that is a list"),
    ],
)
def test_a_config_that_cannot_be_read_leaves_the_endpoint_unread(
    host: "MakeHost", files: dict[str, str], flags: tuple[str, ...], code: Code
) -> None:
    found = kubelet.collect(host({**files}, processes=(run("kubelet", *flags),)))
    assert (found.running, found.endpoint, found.endpoint_from) == (True, "", EndpointFrom.UNREAD)
    assert isinstance(found.config_reason, Reason)
    assert found.config_reason.code is code


@pytest.mark.parametrize("text", ["containerRuntimeEndpoint: [a]", "containerRuntimeEndpoint: 5", "x: 1", "{}"])
def test_a_config_without_an_endpoint_has_none(host: "MakeHost", text: str) -> None:
    found = kubelet.collect(host({CONFIG: text}, processes=(run("kubelet", f"--config={CONFIG}"),)))
    assert (found.endpoint, found.endpoint_from) == ("", EndpointFrom.NOWHERE)


def test_a_kubelet_inside_a_container_is_not_the_nodes(host: "MakeHost") -> None:
    both = (run("kubelet", "--v=1", pid=50), run("kubelet", "--v=2", pid=60))
    files = {"/proc/50/status": "Name:\tkubelet\nNSpid:\t50\t7\n", "/proc/60/status": "NSpid:\t60\n"}
    found = kubelet.collect(host({**files}, processes=both))
    assert (found.pids, found.flags) == ((60,), {"v": "2"})
    assert not kubelet.collect(host({**files}, processes=both[:1])).running


def test_of_several_kubelets_the_first_is_read_and_all_are_named(host: "MakeHost") -> None:
    found = kubelet.collect(host({}, processes=(run("kubelet", "--v=1", pid=50), run("kubelet", "--v=2", pid=60))))
    assert (found.pids, found.flags) == ((50, 60), {"v": "1"})


def test_a_version_is_only_what_starts_as_one(host: "MakeHost") -> None:
    assert kubelet.collect(host({}, processes=(run("kubelet", "--version"),))).version == ""
    assert kubelet.collect(host({}, processes=(run("kubelet", "--version=raw"),))).version == ""


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, False),
        ({"/var/lib/kubelet/kubeconfig": "x"}, True),
    ],
)
def test_without_a_kubelet_its_folder_tells_whether_there_was_one(
    host: "MakeHost", files: dict[str, str], *, state: bool
) -> None:
    assert kubelet.collect(host({**files})) == Kubelet(running=False, state_folder=state)


class Listing:
    """A node that lists its processes and refuses everything else."""

    def __init__(self, processes: ProcessList, code: Code) -> None:
        self._processes = processes
        self._code = code

    def answer(self, ask: Ask) -> Reply:
        if isinstance(ask, Processes):
            return self._processes
        return Failure(Reason(code=self._code, detail="it is not to be had"))


def listing(*processes: Process, complete: bool, code: Code) -> Host:
    return Host(Listing(ProcessList(processes, complete), code), Seen(origin=Origin.TREE, root="/t", uid=0))


@pytest.mark.parametrize(
    ("code", "state"),
    [(Code.ABSENT, False), (Code.NOT_CAPTURED, False), (Code.NOT_PERMITTED, True), (Code.TIMED_OUT, True)],
)
def test_a_folder_that_refuses_or_hangs_is_there(code: Code, *, state: bool) -> None:
    assert kubelet.collect(listing(complete=True, code=code)).state_folder is state


def test_a_folder_that_was_not_captured_is_neither_there_nor_absent() -> None:
    found = kubelet.collect(listing(complete=True, code=Code.NOT_CAPTURED))
    assert found.state_reason is not msgspec.UNSET
    assert found.state_reason.code is Code.NOT_CAPTURED
    assert kubelet.collect(listing(complete=True, code=Code.ABSENT)).state_reason is msgspec.UNSET


def test_a_list_of_some_processes_does_not_tell_that_no_kubelet_runs() -> None:
    with pytest.raises(ReadError) as caught:
        kubelet.collect(listing(run("init"), complete=False, code=Code.NOT_CAPTURED))
    assert caught.value.reason.code is Code.NOT_CAPTURED
    assert kubelet.collect(listing(run("kubelet"), complete=False, code=Code.NOT_CAPTURED)).running


@pytest.mark.parametrize(
    "files",
    [
        {"/proc/50/status": "Name:\tkubelet\nUid:\t1000\t1000\t1000\t1000\n"},
        {"/proc/50/status": "Uid:\t0\t0\t0\t0\n", "/proc/50/cgroup": "0::/kubepods.slice/kubepods-pod1.slice/x\n"},
    ],
    ids=["another user's", "a pod's"],
)
def test_a_process_that_only_bears_the_name_is_no_kubelet(host: "MakeHost", files: dict[str, str]) -> None:
    impostor = Process(50, 1, "kubelet", ("kubelet", "--container-runtime-endpoint=unix:///run/evil.sock"))
    assert not kubelet.collect(host({**files}, processes=(impostor,))).running
    real = Process(60, 1, "kubelet", ("/home/kubernetes/bin/kubelet",))
    own = {"/proc/60/status": "Uid:\t0\t0\t0\t0\nNSpid:\t60\n", "/proc/60/cgroup": "0::/system.slice/kubelet.service\n"}
    assert kubelet.collect(host({**files, **own}, processes=(impostor, real))).pids == (60,)
