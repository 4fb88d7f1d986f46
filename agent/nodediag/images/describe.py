"""The report's `node`: who it is, in words a person and a program can use. What is not known says so."""

import re
from typing import Final

import msgspec

from nodediag.facts.fact import known
from nodediag.facts.lsb_release import LsbRelease
from nodediag.facts.snapshot import Facts
from nodediag.images import told, windows
from nodediag.images.decision import found
from nodediag.images.version import parse_version
from nodediag.model.image import Answer, Finding, Image, OsFamily
from nodediag.model.report import Cgroup, Kernel, Kubelet, Node, Os, Platform, Runtime

UNKNOWN: Final = "unknown"
NONE: Final = "none"
_UBUNTU_NAME: Final = re.compile(r"Ubuntu (\d\d\.\d\d)")
ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def describe(facts: Facts, image: Image) -> Node:
    """Describe the node."""
    machine, boot, hostname = known(facts.machine), known(facts.boot), known(facts.hostname)
    kernel, cgroups, instance = known(facts.kernel), known(facts.cgroups), known(facts.instance)
    name = _name(facts)
    theirs = told.node_object(facts)
    info = theirs.info if theirs is not None else {}
    return Node(
        name=name[0],
        hostname=hostname.name if hostname is not None else UNKNOWN,
        machine_id=machine.id if machine is not None else info.get("machineID", UNKNOWN),
        boot_id=boot.id if boot is not None else info.get("bootID", UNKNOWN),
        booted_at=boot.at.isoformat().replace("+00:00", "Z") if boot is not None else UNKNOWN,
        arch=ARCHITECTURES.get(kernel.machine, kernel.machine)
        if kernel is not None
        else info.get("architecture", UNKNOWN),
        zone=(instance.zone if instance is not None else "") or told.zone(facts) or UNKNOWN,
        instance_id=(instance.instance_id if instance is not None else "") or told.instance_id(facts) or UNKNOWN,
        os=_os(facts, image),
        platform=_platform(facts, image),
        image_type=image.image_type,
        runtime=_runtime(facts, image),
        kubelet=Kubelet(version=_kubelet_version(facts)),
        kernel=Kernel(release=kernel.release if kernel is not None else info.get("kernelVersion", UNKNOWN)),
        cgroup=Cgroup(version=f"v{cgroups.version}" if cgroups is not None else UNKNOWN),
        evidence={**image.findings, "name": (name[1],)} if name[1] is not None else image.findings,
    )


def _name(facts: Facts) -> tuple[str, Finding | None]:
    """Give the name Kubernetes knows the node by, and who says so.

    What it told our own pod counts first; then, where a kubelet runs, its override, else the host name in lower case.
    """
    given, kubelet, theirs = known(facts.node_name), known(facts.kubelet), told.node_object(facts)
    if given is not None:
        return given.name, found("Kubernetes told our pod the name of its node", given.evidence)
    if kubelet is None:
        if theirs is None:
            return UNKNOWN, None
        return theirs.name, found("the node's object has this name", theirs.evidence("metadata.name", theirs.name))
    if not kubelet.running:
        return UNKNOWN if kubelet.state_folder or kubelet.state_reason else NONE, None
    named = told.own_name(facts)
    return (named[0], found("the kubelet registers the node by this name", named[1])) if named else (UNKNOWN, None)


def _os(facts: Facts, image: Image) -> Os:
    release, lsb = known(facts.os_release), known(facts.lsb_release)
    if release is None and lsb is not None and "DISTRIB_ID" in lsb.fields:
        return _os_by_lsb(lsb, image)
    if release is None:
        return _told_os(facts, image)
    version = release.fields.get("VERSION_ID", NONE)
    return Os(
        family=image.os_family,
        id=release.id,
        name=release.fields.get("PRETTY_NAME") or release.fields.get("NAME", NONE),
        version=version,
        build=release.fields.get("BUILD_ID", NONE),
        milestone=version if image.os_family is OsFamily.COS else NONE,
    )


def _os_by_lsb(lsb: LsbRelease, image: Image) -> Os:
    """Describe the system of a capture that has its lsb-release, or what lsb_release(1) printed, and no os-release."""
    named = lsb.fields["DISTRIB_ID"]
    return Os(
        family=image.os_family,
        id=named.lower(),
        name=lsb.fields.get("DISTRIB_DESCRIPTION") or named,
        version=lsb.fields.get("DISTRIB_RELEASE") or UNKNOWN,
        build=NONE,
        milestone=NONE,
    )


def _told_os(facts: Facts, image: Image) -> Os:
    """Describe the system by the node's object and the image that the instance was made from."""
    theirs, source, family = told.node_object(facts), told.image_source(facts), image.os_family
    name = theirs.info.get("osImage", UNKNOWN) if theirs is not None else UNKNOWN
    version = milestone = build = UNKNOWN
    if source is not None and source[0].family is family:
        version, build = source[0].milestone or source[0].release or UNKNOWN, source[0].build or UNKNOWN
    if family is OsFamily.COS:
        milestone = version
    elif family is not OsFamily.UNKNOWN:
        milestone = NONE
    if family is OsFamily.WINDOWS:
        release = windows.decide(facts).value
        version = release.version if release is not None else UNKNOWN
        build = str(release.build) if release is not None and release.build else UNKNOWN
    if family is OsFamily.UBUNTU and (numbered := _UBUNTU_NAME.match(name)):
        version = numbered[1]
    return Os(family=family, id=UNKNOWN, name=name, version=version, build=build, milestone=milestone)


def _platform(facts: Facts, image: Image) -> Platform:
    version = told.gke_version(facts) if image.gke is Answer.YES else None
    known_version = version[0].removeprefix("v") if version is not None and parse_version(version[0]) else UNKNOWN
    return Platform(gke=image.gke, gce=image.gce, gke_version=NONE if image.gke is Answer.NO else known_version)


def _runtime(facts: Facts, image: Image) -> Runtime:
    kubelet, packages = known(facts.kubelet), known(facts.packages)
    theirs = told.node_object(facts)
    named, by_api = theirs.runtime if theirs is not None else (image.runtime, "")
    reported = _own_word(facts, image) or (by_api if by_api and named is image.runtime else UNKNOWN)
    if kubelet is None:
        return Runtime(name=image.runtime, version=reported, endpoint=UNKNOWN)
    if not kubelet.running:
        return Runtime(name=image.runtime, version=NONE, endpoint=NONE)
    names = {image.runtime.value, f"{image.runtime.value}.io", f"{image.runtime.value}-ce"}
    version = next((p.version for p in packages.installed if p.name in names), reported) if packages else reported
    return Runtime(name=image.runtime, version=version, endpoint=kubelet.endpoint or UNKNOWN)


def _own_word(facts: Facts, image: Image) -> str:
    """Give the version that the runtime tells by the CRI; docker is told of by a shim of another version."""
    seen = known(facts.cri)
    answer = seen.answer if seen is not None else msgspec.UNSET
    return answer.version if answer is not msgspec.UNSET and answer.name == image.runtime.value else ""


def _kubelet_version(facts: Facts) -> str:
    kubelet, version = known(facts.kubelet), told.kubelet_version(facts)
    if version is not None:
        return version[0]
    return NONE if kubelet is not None and not kubelet.running else UNKNOWN
