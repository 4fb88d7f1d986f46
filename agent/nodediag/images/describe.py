"""The report's `node`: who it is, in words a person and a program can use. What is not known says so."""

from typing import Final

from nodediag.facts.fact import known
from nodediag.facts.snapshot import Facts
from nodediag.images.version import parse_version
from nodediag.model.image import Image, OsFamily
from nodediag.model.report import Cgroup, Kernel, Kubelet, Node, Os, Platform, Runtime

UNKNOWN: Final = "unknown"
NONE: Final = "none"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def describe(facts: Facts, image: Image) -> Node:
    """Describe the node."""
    machine, boot, hostname = known(facts.machine), known(facts.boot), known(facts.hostname)
    kernel, cgroups, instance = known(facts.kernel), known(facts.cgroups), known(facts.instance)
    name = hostname.name if hostname is not None else UNKNOWN
    return Node(
        name=_name(facts, name),
        hostname=name,
        machine_id=machine.id if machine is not None else UNKNOWN,
        boot_id=boot.id if boot is not None else UNKNOWN,
        booted_at=boot.at.isoformat().replace("+00:00", "Z") if boot is not None else UNKNOWN,
        arch=_ARCHITECTURES.get(kernel.machine, kernel.machine) if kernel is not None else UNKNOWN,
        zone=(instance.zone if instance is not None else "") or UNKNOWN,
        instance_id=(instance.instance_id if instance is not None else "") or UNKNOWN,
        os=_os(facts, image),
        platform=_platform(facts, image),
        image_type=image.image_type,
        runtime=_runtime(facts, image),
        kubelet=Kubelet(version=_kubelet_version(facts)),
        kernel=Kernel(release=kernel.release if kernel is not None else UNKNOWN),
        cgroup=Cgroup(version=f"v{cgroups.version}" if cgroups is not None else UNKNOWN),
        evidence=image.findings,
    )


def _name(facts: Facts, hostname: str) -> str:
    """Give the name Kubernetes knows the node by: the kubelet's override, else the host name in lower case."""
    kubelet = known(facts.kubelet)
    if kubelet is None:
        return UNKNOWN
    if not kubelet.running:
        return UNKNOWN if kubelet.state_folder or kubelet.state_reason else NONE
    return kubelet.flags.get("hostname-override") or hostname.lower()


def _os(facts: Facts, image: Image) -> Os:
    release = known(facts.os_release)
    fields = release.fields if release is not None else {}
    missing = UNKNOWN if release is None else NONE
    version = fields.get("VERSION_ID", missing)
    is_cos = image.os_family is OsFamily.COS
    return Os(
        family=image.os_family,
        id=release.id if release is not None else UNKNOWN,
        name=fields.get("PRETTY_NAME") or fields.get("NAME", missing),
        version=version,
        build=fields.get("BUILD_ID", missing),
        milestone=version if is_cos else (NONE if image.os_family is not OsFamily.UNKNOWN else UNKNOWN),
    )


def _platform(facts: Facts, image: Image) -> Platform:
    version = _kubelet_version(facts)
    on_gke = image.gke.value == "yes"
    gke_version = version.removeprefix("v") if on_gke and "-gke." in version and parse_version(version) else UNKNOWN
    return Platform(gke=image.gke, gce=image.gce, gke_version=NONE if image.gke.value == "no" else gke_version)


def _runtime(facts: Facts, image: Image) -> Runtime:
    kubelet, packages = known(facts.kubelet), known(facts.packages)
    if kubelet is None:
        return Runtime(name=image.runtime, version=UNKNOWN, endpoint=UNKNOWN)
    if not kubelet.running:
        return Runtime(name=image.runtime, version=NONE, endpoint=NONE)
    names = {image.runtime.value, f"{image.runtime.value}.io", f"{image.runtime.value}-ce"}
    version = next((p.version for p in packages.installed if p.name in names), UNKNOWN) if packages else UNKNOWN
    return Runtime(name=image.runtime, version=version, endpoint=kubelet.endpoint or UNKNOWN)


def _kubelet_version(facts: Facts) -> str:
    kubelet = known(facts.kubelet)
    if kubelet is None:
        return UNKNOWN
    return kubelet.version or (UNKNOWN if kubelet.running else NONE)
