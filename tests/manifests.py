"""The DaemonSet as kustomize renders it, and what its manifest says: what the tests of it and the lab both read."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import pytest
import yaml

FOLDER: Final = Path(__file__).parents[1] / "packaging/kubernetes"
OLDEST_MINOR: Final = 27  # its kustomize knows all that is used here


class HostPath(msgspec.Struct, frozen=True):
    path: str
    type: str


class EmptyDir(msgspec.Struct, frozen=True, rename="camel"):
    size_limit: str


class Volume(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    host_path: HostPath | None = None
    empty_dir: EmptyDir | None = None


class VolumeMount(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    mount_path: str
    read_only: bool = False
    recursive_read_only: str = ""
    mount_propagation: str = "None"


class Capabilities(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    drop: tuple[str, ...]
    add: tuple[str, ...] = ()


class ContainerSecurity(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    privileged: bool
    allow_privilege_escalation: bool
    read_only_root_filesystem: bool
    capabilities: Capabilities


class FieldRef(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    field_path: str


class ValueFrom(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    field_ref: FieldRef


class Variable(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A variable of the environment, whose value is a field of the pod: no literal, and never a secret."""

    name: str
    value_from: ValueFrom


class Container(msgspec.Struct, frozen=True, rename="camel"):
    name: str
    image: str
    args: tuple[str, ...]
    security_context: ContainerSecurity
    volume_mounts: tuple[VolumeMount, ...]
    resources: dict[str, dict[str, str]]
    env: tuple[Variable, ...] = ()


class PodSecurity(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    run_as_user: int
    run_as_group: int
    seccomp_profile: dict[str, str]


class PodSpec(msgspec.Struct, frozen=True, kw_only=True, rename={"host_pid": "hostPID", "host_ipc": "hostIPC"}):
    containers: tuple[Container, ...]
    init_containers: tuple[str, ...] = msgspec.field(default=(), name="initContainers")
    host_network: bool = msgspec.field(name="hostNetwork")
    host_pid: bool
    host_ipc: bool
    mounts_token: bool = msgspec.field(name="automountServiceAccountToken")
    service_account: str = msgspec.field(name="serviceAccountName")
    security: PodSecurity = msgspec.field(name="securityContext")
    tolerations: tuple[dict[str, str], ...]
    priority: str = msgspec.field(name="priorityClassName")
    volumes: tuple[Volume, ...]


class Template(msgspec.Struct, frozen=True):
    spec: PodSpec
    metadata: dict[str, dict[str, str]]


class Selector(msgspec.Struct, frozen=True):
    labels: dict[str, str] = msgspec.field(name="matchLabels")


class DaemonSetSpec(msgspec.Struct, frozen=True):
    selector: Selector
    template: Template


class Named(msgspec.Struct, frozen=True):
    name: str
    namespace: str = ""
    labels: dict[str, str] = {}


class Manifest(msgspec.Struct, frozen=True):
    kind: str
    metadata: Named


class DaemonSet(msgspec.Struct, frozen=True):
    kind: str
    metadata: Named
    spec: DaemonSetSpec

    @property
    def pod(self) -> PodSpec:
        return self.spec.template.spec

    @property
    def container(self) -> Container:
        (container,) = self.pod.containers
        return container

    def given(self) -> dict[str, str]:
        """Give the paths of the node by where they are mounted."""
        paths = {volume.name: volume.host_path.path for volume in self.pod.volumes if volume.host_path is not None}
        return {mount.mount_path: paths[mount.name] for mount in self.container.volume_mounts if mount.name in paths}


@cache
def renderer() -> tuple[str, ...]:
    kubectl = shutil.which("kubectl")
    if kubectl is not None:
        told = subprocess.run(
            (kubectl, "version", "--client", "--output=json"), capture_output=True, text=True, check=True
        ).stdout
        if int(json.loads(told)["clientVersion"]["minor"].rstrip("+")) >= OLDEST_MINOR:
            return kubectl, "kustomize"
    kustomize = shutil.which("kustomize")
    if kustomize is None:
        pytest.skip(f"no kubectl from 1.{OLDEST_MINOR} on and no kustomize here, so no manifest can be rendered")
    return kustomize, "build"


@cache
def rendered(name: str) -> str:
    done = subprocess.run((*renderer(), str(FOLDER / name)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def manifests(name: str) -> dict[str, Manifest]:
    found = tuple(msgspec.convert(one, Manifest) for one in yaml.safe_load_all(rendered(name)))
    assert len({one.kind for one in found}) == len(found)
    return {one.kind: one for one in found}


def daemonset(name: str) -> DaemonSet:
    (found,) = (one for one in yaml.safe_load_all(rendered(name)) if one["kind"] == "DaemonSet")
    return msgspec.convert(found, DaemonSet)
