"""The manifests, rendered by kustomize: valid for Kubernetes, and as closed as SECURITY.md says."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import yaml

from nodediag.cli.watch import command
from nodediag.facts.node_name import VARIABLE
from tests.manifests import FOLDER, Capabilities, ContainerSecurity, PodSecurity, daemonset, manifests, rendered

NAMED: Final = ("base", "overlays/gke-cos", "overlays/gke-ubuntu")
CGROUPS: Final = "overlays/cgroup2"
OPEN: Final = ("overlays/sockets", "overlays/whole-root")
ALL: Final = (*NAMED, CGROUPS, *OPEN)
GKE: Final = NAMED[1:]
VERSIONS: Final = ("1.31", "1.34")
# Where sockets, volumes, keys or writable mounts lie.
NEVER: Final = (
    "/", "/dev", "/etc", "/etc/kubernetes", "/etc/srv", "/home", "/home/kubernetes", "/run", "/run/containerd",
    "/run/dbus", "/run/udev", "/sys", "/sys/fs", "/sys/fs/cgroup", "/sys/kernel", "/var", "/var/lib",
    "/var/lib/kubelet", "/var/lib/kubelet/pods", "/var/lib/containerd", "/var/lib/docker", "/var/run",
)  # fmt: skip


def validate(text: str, version: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "manifest.yaml"
    file.write_text(text)
    program = Path(sys.executable).parent / "kubernetes-validate"
    return subprocess.run((program, "--strict", "-k", version, str(file)), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(name: str, version: str, tmp_path: Path) -> None:
    done = validate(rendered(name), version, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"), [("readOnlyRootFilesystem", "readOnlyRootFileSystem"), ("drop:", "remove:"), ("1G", "[]")]
)
def test_a_field_it_does_not_know_is_refused(right: str, wrong: str, tmp_path: Path) -> None:
    text = rendered("overlays/gke-cos")
    assert right in text
    assert validate(text.replace(right, wrong), VERSIONS[-1], tmp_path).returncode != 0


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_privileged_and_nothing_of_the_node_is_shared(name: str) -> None:
    pod, container = daemonset(name).pod, daemonset(name).container
    assert (pod.host_network, pod.host_pid, pod.host_ipc, pod.init_containers) == (False, False, False, ())
    assert container.security_context == ContainerSecurity(
        privileged=False,
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        capabilities=Capabilities(drop=("ALL",)),
    )
    assert pod.security == PodSecurity(run_as_user=0, run_as_group=0, seccomp_profile={"type": "RuntimeDefault"})


@pytest.mark.parametrize("name", ALL)
def test_no_token_is_mounted(name: str) -> None:
    pod = daemonset(name).pod
    assert (pod.mounts_token, pod.service_account) == (False, "nodediag")
    (account,) = (one for one in yaml.safe_load_all(rendered(name)) if one["kind"] == "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert all(volume.host_path or volume.empty_dir for volume in pod.volumes)  # no secret, no projected token


@pytest.mark.parametrize("name", ALL)
def test_it_is_told_the_name_of_its_node_and_nothing_else(name: str) -> None:
    (told,) = daemonset(name).container.env
    assert (told.name, told.value_from.field_ref.field_path) == (VARIABLE, "spec.nodeName")


@pytest.mark.parametrize("name", ALL)
def test_every_taint_is_tolerated_and_no_pod_goes_before_it(name: str) -> None:
    pod = daemonset(name).pod
    assert pod.tolerations == ({"operator": "Exists"},)
    assert pod.priority == "system-node-critical"


@pytest.mark.parametrize("name", ALL)
def test_what_it_may_use_is_asked_for_and_bounded(name: str) -> None:
    resources = daemonset(name).container.resources
    assert sorted((kind, *sorted(amounts)) for kind, amounts in resources.items()) == [
        ("limits", "cpu", "memory"), ("requests", "cpu", "memory"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_only_what_nodediag_remembers_can_be_written(name: str) -> None:
    mounts = daemonset(name).container.volume_mounts
    assert [mount.mount_path for mount in mounts if not mount.read_only] == ["/var/lib/nodediag"]
    assert "--state=/var/lib/nodediag" in daemonset(name).container.args


@pytest.mark.parametrize("name", ALL)
def test_each_path_stands_at_its_own_place_below_host_and_none_is_made_on_the_node(name: str) -> None:
    found = daemonset(name)
    assert found.given()
    assert {target: "/host" + path.rstrip("/") for target, path in found.given().items()} == {
        target: target for target in found.given()
    }
    kinds = {volume.host_path.type for volume in found.pod.volumes if volume.host_path is not None}
    assert kinds <= {"Directory", "File", "Socket"}


@pytest.mark.parametrize("name", NAMED)
def test_the_base_and_the_images_give_named_paths_only(name: str) -> None:
    found = daemonset(name)
    assert not set(found.given().values()) & set(NEVER)
    assert not [path for path in found.given().values() if path.startswith(("/var/lib/kubelet", "/dev"))]
    assert "Socket" not in {volume.host_path.type for volume in found.pod.volumes if volume.host_path is not None}
    for mount in found.container.volume_mounts:
        if mount.mount_path in found.given():
            assert mount.recursive_read_only == "IfPossible", mount.mount_path
            assert mount.mount_propagation == "None"  # what recursiveReadOnly demands; no volume lies below these


@pytest.mark.parametrize("name", [*NAMED, CGROUPS, "overlays/sockets"])
def test_what_root_may_write_to_below_the_node_s_procfs_is_covered(name: str) -> None:
    found = daemonset(name)
    covers = {volume.name for volume in found.pod.volumes if volume.empty_dir is not None}
    covered = {mount.mount_path for mount in found.container.volume_mounts if mount.name in covers and mount.read_only}
    assert covered == {"/host/proc/sys/fs", "/host/proc/fs"}


def test_cgroups_are_given_read_only_and_only_where_they_are_one_mount() -> None:
    found = daemonset(CGROUPS)
    more = found.given().items() - daemonset("base").given().items()
    assert {path for _, path in more} == {"/sys/fs/cgroup", "/sys/fs/cgroup/cgroup.controllers"}
    kinds = {volume.host_path.path: volume.host_path.type for volume in found.pod.volumes if volume.host_path}
    assert kinds["/sys/fs/cgroup/cgroup.controllers"] == "File", "version 1 has no such file there: no pod starts"
    mounts = [
        mount
        for mount in found.container.volume_mounts
        if (mount.mount_path, found.given().get(mount.mount_path)) in more
    ]
    assert {(mount.read_only, mount.recursive_read_only, mount.mount_propagation) for mount in mounts} == {
        (True, "IfPossible", "None")
    }


def test_the_sockets_are_in_an_overlay_of_their_own() -> None:
    more = daemonset("overlays/sockets").given().items() - daemonset("base").given().items()
    assert {path for _, path in more} == {"/run/dbus", "/run/containerd/containerd.sock"}
    assert daemonset("base").given().items() <= daemonset("overlays/sockets").given().items()


def test_where_the_root_is_mounted_volumes_are_not_held_on_to() -> None:
    found = daemonset("overlays/whole-root")
    assert found.given() == {"/host": "/"}
    (root,) = (mount for mount in found.container.volume_mounts if mount.mount_path == "/host")
    assert (root.mount_propagation, root.recursive_read_only) == ("HostToContainer", "")


@pytest.mark.parametrize("name", GKE)
def test_gke_s_overlays_bring_the_quota_that_their_priority_needs(name: str) -> None:
    (quota,) = (one for one in yaml.safe_load_all(rendered(name)) if one["kind"] == "ResourceQuota")
    (scope,) = quota["spec"]["scopeSelector"]["matchExpressions"]
    assert scope == {"scopeName": "PriorityClass", "operator": "In", "values": [daemonset(name).pod.priority]}
    assert quota["metadata"]["namespace"] == daemonset(name).metadata.namespace == "nodediag"


def test_both_images_overlays_may_stand_in_one_cluster() -> None:
    cos, ubuntu = (daemonset(name) for name in GKE)
    assert cos.metadata.name != ubuntu.metadata.name
    for one, other in ((cos, ubuntu), (ubuntu, cos)):
        labels = one.spec.template.metadata["labels"]
        assert one.spec.selector.labels.items() <= labels.items()
        assert not other.spec.selector.labels.items() <= labels.items()
    for kind in manifests(GKE[0]).keys() - {"DaemonSet"}:
        first, second = (next(one for one in yaml.safe_load_all(rendered(name)) if one["kind"] == kind) for name in GKE)
        assert first == second


@pytest.mark.parametrize("name", ALL)
def test_all_stands_in_a_namespace_that_admits_it(name: str) -> None:
    found = manifests(name)
    assert found["Namespace"].metadata.labels["pod-security.kubernetes.io/enforce"] == "privileged"
    outside = {kind for kind, one in found.items() if one.metadata.namespace != "nodediag"}
    assert outside == {"Namespace"}
    assert {"NetworkPolicy", "ServiceAccount", "DaemonSet"} <= found.keys()


def test_every_overlay_and_component_is_tested() -> None:
    assert {f"overlays/{folder.name}" for folder in (FOLDER / "overlays").iterdir()} == {*ALL} - {"base"}
    used = "".join((FOLDER / name / "kustomization.yaml").read_text() for name in ALL)
    for folder in (FOLDER / "components").iterdir():
        assert f"components/{folder.name}\n" in used


@pytest.mark.parametrize("name", ALL)
def test_nodediag_understands_what_the_container_is_started_with(name: str) -> None:
    verb, *arguments = daemonset(name).container.args
    assert verb == "watch"
    given = command.make_context(verb, arguments).params
    assert (given["listen"], given["state"]) == ("0.0.0.0:9753", "/var/lib/nodediag")


@pytest.mark.parametrize("name", ALL)
def test_what_the_network_policy_lets_nobody_reach_is_not_asked(name: str) -> None:
    verb, *arguments = daemonset(name).container.args
    (policy,) = (one for one in yaml.safe_load_all(rendered(name)) if one["kind"] == "NetworkPolicy")
    reaches_nothing = "Egress" in policy["spec"]["policyTypes"] and not policy["spec"].get("egress")
    assert (command.make_context(verb, arguments).params["no_metadata"], reaches_nothing) == (True, True)
