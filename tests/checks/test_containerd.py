"""containerd's configuration, CNI and snapshotter, on hand-made facts."""

from typing import TYPE_CHECKING, Final

import msgspec
import pytest

from nodediag.checks import cni, containerd
from nodediag.checks.check import Check, run
from nodediag.facts import runtime
from nodediag.facts.cgroups import CgroupMode, Cgroups
from nodediag.facts.cni import Cni
from nodediag.facts.containerd_files import Broken
from nodediag.facts.fact import Known, Unknown, known
from nodediag.facts.kubelet import EndpointFrom, Kubelet
from nodediag.facts.node_object import NodeObject
from nodediag.model.evidence import FileEvidence
from nodediag.model.image import Image, RuntimeName
from nodediag.model.outcome import Outcome, Severity
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from tests.sockets import READY

if TYPE_CHECKING:
    from nodediag.facts.snapshot import Facts
    from nodediag.model.outcome import CheckResult
    from nodediag.profiles.profile import Profile
    from tests.checks.conftest import Healthy

CRI: Final = 'plugins."io.containerd.grpc.v1.cri"'
RUNC: Final = f"[{CRI}.containerd.runtimes.runc.options]\n  SystemdCgroup = true\n"
UNASKED: Final = Unknown(Reason(code=Code.NOT_ASKED, detail="no gRPC"))
ALL: Final = (*containerd.CHECKS, *cni.CHECKS)
V1: Final = Cgroups(
    mode=CgroupMode.LEGACY, version=1, controllers=(), evidence=FileEvidence(path="/proc/1/mountinfo", line=4, text="c")
)


def judged(check: Check, facts: "Facts", profile: "Profile") -> "CheckResult":
    return run(check, facts, profile, Request())


def config(text: str) -> Known[runtime.ContainerdConfig]:
    return Known(runtime.parse(text))


def told(result: "CheckResult") -> list[tuple[str, Severity]]:
    return [(problem.subject.name, problem.severity) for problem in result.problems]


def kubelet_of(facts: "Facts", **changed: object) -> Known[Kubelet]:
    kubelet = known(facts.kubelet)
    assert kubelet is not None
    return Known(msgspec.structs.replace(kubelet, **changed))


def of_version(facts: "Facts", version: str) -> Known[NodeObject]:
    theirs = known(facts.node_object)
    assert theirs is not None
    return Known(msgspec.structs.replace(theirs, info={**theirs.info, "containerRuntimeVersion": version}))


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_a_healthy_node_passes(healthy: "Healthy", profile: "Profile", check: Check) -> None:
    assert judged(check, healthy(), profile).outcome is Outcome.PASSED


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.id)
def test_what_was_not_seen_is_unknown_and_another_runtime_is_not_asked(
    healthy: "Healthy", profile: "Profile", check: Check, missing: Unknown
) -> None:
    assert judged(check, healthy(containerd_config=missing, cni=missing, snapshotter=missing), profile).outcome is (
        Outcome.UNKNOWN
    )
    docker = Known(Image(runtime=RuntimeName.DOCKER))
    assert judged(check, healthy(image=docker), profile).outcome is Outcome.NOT_APPLICABLE
    opened = Known(Image(open={"runtime": Reason(code=Code.ABSENT, detail="no kubelet")}))
    assert judged(check, healthy(image=opened), profile).outcome is Outcome.UNKNOWN


def test_a_file_that_containerd_cannot_read_is_a_problem(healthy: "Healthy", profile: "Profile") -> None:
    line = FileEvidence(path="/etc/containerd/config.toml", line=3, text="root =")
    broken = runtime.ContainerdConfig(
        present=True, broken=(Broken(path=line.path, why=f"{line.path} is no TOML: Invalid value", evidence=line),),
        incomplete=Reason(code=Code.UNPARSABLE, detail="no TOML"),
    )  # fmt: skip
    result = judged(containerd.config, healthy(containerd_config=Known(broken)), profile)
    assert told(result) == [(line.path, Severity.WARNING)]
    assert result.problems[0].evidence == (line,)
    other = judged(containerd.deprecated, healthy(containerd_config=Known(broken)), profile)
    assert other.outcome is Outcome.UNKNOWN


def test_lines_that_containerd_passes_over_are_a_problem(healthy: "Healthy", profile: "Profile") -> None:
    text = f"version = 3\n{RUNC}"
    result = judged(containerd.config, healthy(containerd_config=config(text)), profile)
    assert told(result) == [("/etc/containerd/config.toml", Severity.WARNING)]
    assert "passes over 2 lines" in result.problems[0].message


@pytest.mark.parametrize(
    ("lines", "version", "names"),
    [
        pytest.param(f'[{CRI}.registry.mirrors."a"]\n  endpoint = ["https://b"]\n', "",
                     ["cri.registry.mirrors"], id="mirrors"),
        pytest.param(f'[{CRI}.registry.auths."a"]\n  username = "u"\n', "", ["cri.registry.auths"], id="auths"),
        pytest.param(f'[{CRI}.registry.configs."a".tls]\n  ca_file = "/a"\n', "",
                     ["cri.registry.configs"], id="configs"),
        pytest.param('[plugins.cri.registry.mirrors."a"]\n  endpoint = ["https://b"]\n', "",
                     ["cri.registry.mirrors"], id="a file of version 1"),
        pytest.param(f'[{CRI}.containerd.runtimes.old]\n  runtime_type = "io.containerd.runtime.v1.linux"\n', "",
                     ["runtime-v1"], id="a runtime of version 1"),
        pytest.param(f"[{CRI}]\n  systemd_cgroup = true\n", "", ["cri.systemd_cgroup"], id="systemd_cgroup"),
        pytest.param(f'[{CRI}]\n  systemd_cgroup = false\n[{CRI}.containerd.default_runtime]\n  runtime_type = ""\n',
                     "", [], id="what `containerd config default` writes"),
        pytest.param(f'[{CRI}.registry.mirrors."docker.io"]\n'
                     '  endpoint = ["https://mirror.gcr.io", "https://registry-1.docker.io"]\n', "", [], id="GKE's"),
        pytest.param(f'[{CRI}.registry.mirrors."docker.io"]\n  endpoint = ["https://mirror.gcr.io", "https://b"]\n', "",
                     ["cri.registry.mirrors"], id="GKE's own and another"),
        pytest.param(f'[{CRI}.cni]\n  bin_dir = "/opt/x"\n', "containerd://2.1.4", ["cri.cni.bin_dir"], id="bin_dir"),
        pytest.param(f'[{CRI}.cni]\n  bin_dir = "/opt/x"\n', "containerd://2.0.6", [], id="bin_dir before"),
        pytest.param(f'[{CRI}.cni]\n  bin_dir = "/opt/x"\n', "", [], id="bin_dir of no known version"),
        pytest.param(f'[{CRI}.registry]\n  config_path = "/etc/containerd/certs.d"\n', "", [], id="config_path"),
    ],
)  # fmt: skip
def test_deprecated_keys_are_told_by_gkes_names(
    healthy: "Healthy", profile: "Profile", lines: str, version: str, names: list[str]
) -> None:
    facts = healthy(
        cri=UNASKED, containerd_config=config(f"{'' if '[plugins.cri' in lines else 'version = 2'}\n{lines}")
    )
    facts = msgspec.structs.replace(facts, node_object=of_version(facts, version)) if version else facts
    result = judged(containerd.deprecated, facts, profile)
    assert [problem.subject.name for problem in result.problems] == names
    for problem in result.problems:
        assert str(problem.values["condition"]) in problem.message
        assert problem.evidence


def test_a_key_that_this_version_has_dropped_is_told_so(healthy: "Healthy", profile: "Profile") -> None:
    facts = healthy(cri=UNASKED, containerd_config=config(f"version = 2\n[{CRI}]\n  systemd_cgroup = true\n"))
    assert "2.0 drops it" in judged(containerd.deprecated, facts, profile).problems[0].message
    facts = msgspec.structs.replace(facts, node_object=of_version(facts, "containerd://2.0.6"))
    assert (
        "has dropped it, and this node's is 2.0.6" in judged(containerd.deprecated, facts, profile).problems[0].message
    )


def test_drivers_that_differ_are_a_problem(healthy: "Healthy", profile: "Profile") -> None:
    facts = healthy()
    old = kubelet_of(facts, cgroup_driver="cgroupfs", version="v1.27.2")
    result = judged(containerd.cgroup_driver, healthy(kubelet=old), profile)
    assert told(result) == [("kubelet", Severity.CRITICAL)]
    other = kubelet_of(facts, cgroup_driver="systemd", version="v1.27.2")
    result = judged(
        containerd.cgroup_driver, healthy(kubelet=other, containerd_config=config(""), cgroups=Known(V1)), profile
    )
    assert told(result) == [("kubelet", Severity.WARNING)]
    both = kubelet_of(facts, cgroup_driver="", version="v1.20.2")
    result = judged(
        containerd.cgroup_driver, healthy(kubelet=both, containerd_config=config(""), cgroups=Known(V1)), profile
    )
    assert result.outcome is Outcome.PASSED


def test_on_cgroup_version_2_the_driver_is_systemd(healthy: "Healthy", profile: "Profile") -> None:
    facts = healthy()
    kubelet = kubelet_of(facts, cgroup_driver="cgroupfs", version="v1.27.2")
    result = judged(containerd.cgroup_driver, healthy(kubelet=kubelet, containerd_config=config("")), profile)
    assert told(result) == [("containerd", Severity.WARNING)]


def test_a_newer_kubelet_takes_the_driver_that_containerd_2_tells(healthy: "Healthy", profile: "Profile") -> None:
    facts = healthy(cri=UNASKED, kubelet=kubelet_of(healthy(), cgroup_driver="", version="v1.34.0"))
    assert judged(containerd.cgroup_driver, facts, profile).outcome is Outcome.UNKNOWN
    modern = msgspec.structs.replace(facts, node_object=of_version(facts, "containerd://2.0.6"))
    assert judged(containerd.cgroup_driver, modern, profile).outcome is Outcome.PASSED
    older = msgspec.structs.replace(facts, node_object=of_version(facts, "containerd://1.7.20"))
    assert told(judged(containerd.cgroup_driver, older, profile)) == [("kubelet", Severity.CRITICAL)]


def test_another_runtime_or_an_unread_kubelet_is_not_judged(healthy: "Healthy", profile: "Profile") -> None:
    gvisor = config(f'version = 2\n[{CRI}.containerd]\n  default_runtime_name = "g"\n'
                    f'[{CRI}.containerd.runtimes.g]\n  runtime_type = "io.containerd.runsc.v1"\n')  # fmt: skip
    assert (
        judged(containerd.cgroup_driver, healthy(containerd_config=gvisor), profile).outcome is Outcome.NOT_APPLICABLE
    )
    unread = kubelet_of(healthy(), endpoint_from=EndpointFrom.UNREAD)
    assert judged(containerd.cgroup_driver, healthy(kubelet=unread), profile).outcome is Outcome.UNKNOWN


def seen_with(facts: "Facts", **changed: object) -> Known[Cni]:
    seen = known(facts.cni)
    assert seen is not None
    return Known(msgspec.structs.replace(seen, **changed))


def test_no_cni_configuration_is_critical(healthy: "Healthy", profile: "Profile") -> None:
    facts = healthy()
    seen = seen_with(facts, configurations=(), programs=())
    assert told(judged(cni.cni, healthy(cni=seen), profile)) == [("/etc/cni/net.d", Severity.CRITICAL)]
    broken = seen_with(facts, broken="no JSON", programs=())
    assert told(judged(cni.cni, healthy(cni=broken), profile)) == [
        ("/etc/cni/net.d/10-gke-ptp.conflist", Severity.CRITICAL)
    ]


def test_a_plugin_without_a_program_is_critical(healthy: "Healthy", profile: "Profile") -> None:
    facts = healthy()
    (ptp,) = seen_with(facts).value.programs
    for path in ("", "/home/kubernetes/bin/ptp"):
        lacking = seen_with(facts, programs=(msgspec.structs.replace(ptp, path=path, executable=False),))
        result = judged(cni.cni, healthy(cni=lacking), profile)
        assert told(result) == [("ptp", Severity.CRITICAL)]
        assert result.problems[0].evidence
    unseen = seen_with(facts, incomplete=Reason(code=Code.NOT_CAPTURED, detail="not seen"))
    assert judged(cni.cni, healthy(cni=unseen), profile).outcome is Outcome.UNKNOWN


def test_a_snapshotter_without_its_folder_is_critical(healthy: "Healthy", profile: "Profile") -> None:
    seen = known(healthy().snapshotter)
    assert seen is not None
    gone = Known(msgspec.structs.replace(seen, there=False))
    assert told(judged(cni.snapshotter, healthy(snapshotter=gone), profile)) == [("overlayfs", Severity.CRITICAL)]


def test_what_containerd_says_of_its_driver_comes_before_its_file(healthy: "Healthy", profile: "Profile") -> None:
    seen = known(healthy().cri)
    assert seen is not None
    answer = msgspec.structs.replace(READY, cgroup_driver="cgroupfs")
    says = Known(msgspec.structs.replace(seen, answer=answer))
    result = judged(
        containerd.cgroup_driver, healthy(cri=says, kubelet=kubelet_of(healthy(), version="v1.27.2")), profile
    )
    assert told(result) == [("kubelet", Severity.WARNING), ("containerd", Severity.WARNING)]
