"""What is on a node beside containers: package managers, toolbox, cloud-init, update engine, programs of one's own."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import cloud_init, runtime_programs, software, stray_processes, toolbox, update_engine
from nodediag.facts.cloud_init import CloudInitState
from nodediag.facts.update_engine import EngineState
from nodediag.host.answer import Failure, Process
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost

COS: dict[str, str] = {"/usr/bin/bash": "", "/usr/sbin/init": ""}
KUBELET = "/home/kubernetes/bin/kubelet"
SERVICE = "0::/system.slice/a.service\n"
POD = "0::/kubepods.slice/kubepods-podab.slice/cri-containerd-0123.scope\n"
BOOT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301\n"
REFUSED = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))
RESULT = '{"v1": {"datasource": "DataSourceGCE", "errors": []}}'


def test_package_managers_are_found_in_the_image_and_where_somebody_can_put_them(host: "MakeHost") -> None:
    files = {**COS, "/usr/bin/dpkg": "", "/usr/bin/dpkg-query": "", "/var/lib/google/apk": "", "/etc/apt/a.list": ""}
    found = software.collect(host({**files}))
    assert [(one.folder, one.name) for one in found.managers] == [("/usr/bin", "dpkg"), ("/var/lib/google", "apk")]
    assert found.managers[0].evidence.path == "/usr/bin/dpkg"
    assert software.collect(host({**COS})).managers == ()


def test_a_root_that_cannot_be_listed_is_no_root_without_a_package_manager(host: "MakeHost") -> None:
    with pytest.raises(ReadError):
        software.collect(host({"/usr/sbin/init": ""}, missing=Code.NOT_CAPTURED))
    partly = software.collect(host({**COS}, missing=Code.NOT_CAPTURED))
    assert "/home/kubernetes/bin" in partly.unseen
    assert isinstance(partly.unseen_reason, Reason)


def test_the_toolbox_names_its_image_and_tells_whether_one_runs(host: "MakeHost") -> None:
    config = "export TOOLBOX_DOCKER_IMAGE=\"gcr.io/cos-cloud/toolbox\"\n# a word\nTOOLBOX_DOCKER_TAG='v1'\n"
    files = {toolbox.PATH: "#!", toolbox.CONFIG_PATH: config, f"{toolbox.STATE_PATH}/root-toolbox-v1/etc/passwd": ""}
    running = Process(8, 1, "systemd-nspawn", ("systemd-nspawn", "--directory=/var/lib/toolbox/root-toolbox-v1"))
    other = Process(9, 1, "systemd-nspawn", ("systemd-nspawn", "--directory=/srv/other"))
    found = toolbox.collect(host({**files}, processes=(running, other)))
    assert (found.present, found.image, found.tag) == (True, "gcr.io/cos-cloud/toolbox", "v1")
    assert found.unpacked == ("root-toolbox-v1",)
    assert [one.pid for one in found.running] == [8]
    assert not toolbox.collect(host({})).present
    with pytest.raises(ReadError):
        toolbox.collect(host({}, missing=Code.NOT_CAPTURED))


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({cloud_init.RESULT_PATH: RESULT}, CloudInitState.DONE),
        ({cloud_init.RESULT_PATH: RESULT.replace("[]", '["a", "b"]')}, CloudInitState.FAILED),
        ({cloud_init.STATUS_PATH: '{"v1": {"stage": "modules-final"}}'}, CloudInitState.RUNNING),
        ({"/etc/cloud/cloud-init.disabled": ""}, CloudInitState.DISABLED),
        ({}, CloudInitState.NONE),
    ],
)
def test_cloud_init_says_how_it_fared(host: "MakeHost", files: dict[str, str], state: CloudInitState) -> None:
    found = cloud_init.collect(host({**files, cloud_init.UPTIME_PATH: "912.5 1800.0\n"}))
    assert found.state is state
    if state is CloudInitState.FAILED:
        assert found.errors == ("a", "b")
    if state is CloudInitState.RUNNING:
        assert (found.stage, found.uptime_s) == ("modules-final", 912.5)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"v1": 1}', '{"v1": {"errors": 1}}'])
def test_another_result_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        cloud_init.parse_result(text)


def test_the_update_engine_is_told_by_what_it_did_and_by_its_process(host: "MakeHost") -> None:
    program = {update_engine.PATH: "", "/proc/sys/kernel/random/boot_id": BOOT}
    engine = Process(7, 1, "update_engine", ("/usr/sbin/update_engine",))
    assert update_engine.collect(host({})).state is EngineState.NONE
    assert update_engine.collect(host({**program})).state is EngineState.OFF
    assert update_engine.collect(host({**program}, processes=(engine,))).state is EngineState.RUNS
    done = {**program, update_engine.DONE_PATH: BOOT}
    assert update_engine.collect(host({**done}, processes=(engine,))).state is EngineState.UPDATED
    earlier = {**program, update_engine.DONE_PATH: "another boot\n"}
    assert update_engine.collect(host({**earlier})).state is EngineState.OFF


@pytest.mark.parametrize(
    ("process", "program"),
    [
        (Process(5, 1, "kubelet", ("kubelet",), "S", KUBELET, SERVICE), KUBELET),
        (Process(5, 1, "python3", ("python3", "-u", "/home/a.py"), "S", "/usr/bin/python3", SERVICE), "/home/a.py"),
        (Process(5, 1, "app", ("app",), "S", "/var/opt/app (deleted)", SERVICE), "/var/opt/app"),
        (Process(5, 1, "x", ("x",), "S", "/home/x", POD), ""),
        (Process(5, 1, "x", ("x",), "S", "/home/x", "0::/docker/" + "ab" * 32), ""),
        (Process(5, 1, "x", ("x",), "S", "/home/x", "1:cpu:/machine.slice/toolbox"), ""),
        (Process(5, 1, "bash", ("bash", "/usr/bin/a", "/var/log/x"), "S", "/usr/bin/bash", SERVICE), ""),
        (Process(5, 1, "sshd", ("sshd",), "S", "/usr/sbin/sshd", ""), ""),
        (Process(5, 1, "tail", ("tail", "/var/log/x"), "S", "/usr/bin/tail", SERVICE), ""),
    ],
)  # fmt: skip
def test_what_runs_from_a_writable_disk_outside_containers_is_found(
    host: "MakeHost", process: Process, program: str
) -> None:
    found = stray_processes.collect(host({}, processes=(process,)))
    assert [one.program for one in found.processes] == ([program] if program else [])
    assert found.total == len(found.processes)


def test_processes_whose_programs_were_not_seen_leave_it_open(host: "MakeHost") -> None:
    hidden = Process(7, 1, "containerd", ("containerd",), "S")
    for collect in (stray_processes.collect, runtime_programs.collect):
        with pytest.raises(ReadError):
            collect(host({}, processes=(hidden,)))


def test_the_runtimes_of_the_node_are_told_from_those_inside_containers(host: "MakeHost") -> None:
    own = Process(7, 1, "containerd", ("containerd",), "S", "/usr/bin/containerd (deleted)", SERVICE)
    nested = Process(8, 1, "dockerd", ("dockerd",), "S", "/usr/local/bin/dockerd", POD)
    (found,) = runtime_programs.collect(host({}, processes=(own, nested))).programs
    assert (found.path, found.replaced) == ("/usr/bin/containerd", True)
