"""Things true of one node that no image has together. They are reported; none of them is settled by a guess."""

from collections.abc import Iterator
from typing import Final

from nodediag.facts.fact import known
from nodediag.facts.snapshot import Facts
from nodediag.images import told, told_contradictions
from nodediag.images.family import UBUNTU_KERNEL
from nodediag.images.gke import kubelet_release
from nodediag.images.runtime import NO_DOCKERSHIM
from nodediag.model.image import Answer, Contradiction, OsFamily, RuntimeName

_VROOT: Final = "/dev/mapper/vroot"
_AUTOPILOT: Final = "gk3-"  # how GKE names the nodes of Autopilot; those of Standard start with gke-


def find(facts: Facts, family: OsFamily, gke: Answer, runtime: RuntimeName) -> tuple[Contradiction, ...]:
    """List every contradiction."""
    sides = (_root_of_cos, _root_of_others, _kernel_of_others, _labelled_system, _labelled_kernel, _package)
    found = [one for side in sides for one in side(facts, family)]
    return (
        *found,
        *_labelled_runtime(facts, runtime),
        *_docker(facts, gke, runtime),
        *_gke_elsewhere(facts, family, gke),
        *_autopilot(facts, family, gke, runtime),
        *told_contradictions.find(facts, gke),
    )


def _root_of_cos(facts: Facts, family: OsFamily) -> Iterator[Contradiction]:
    release, mounts = known(facts.os_release), known(facts.mounts)
    root = mounts.at("/") if mounts is not None else None
    if family is not OsFamily.COS or release is None or root is None or not root.options_known:
        return
    if root.fstype == "ext4" and root.writable:
        yield Contradiction(
            name="cos-with-writable-ext4-root",
            says=f"os-release says COS, but / is ext4 on {root.source}, writable",
            expected="COS has its root on a verity device, ext2 and read-only",
            evidence=(release.evidence("ID"), root.evidence),
        )


def _root_of_others(facts: Facts, family: OsFamily) -> Iterator[Contradiction]:
    release, mounts = known(facts.os_release), known(facts.mounts)
    root = mounts.at("/") if mounts is not None else None
    if release is not None and family is not OsFamily.COS and root is not None and root.source == _VROOT:
        yield Contradiction(
            name="other-system-on-vroot",
            says=f"os-release says {release.id}, but / is {_VROOT}, the verity device of COS",
            expected="only COS has its root on vroot",
            evidence=(release.evidence("ID"), root.evidence),
        )


def _kernel_of_others(facts: Facts, family: OsFamily) -> Iterator[Contradiction]:
    release, cmdline = known(facts.os_release), known(facts.cmdline)
    if release is not None and family is not OsFamily.COS and cmdline is not None and cmdline.boots_cos:
        yield Contradiction(
            name="other-system-on-cos-kernel",
            says=f"os-release says {release.id}, but the kernel was started by COS's boot loader, for the root of COS",
            expected="only COS is started with cros_efi and the verity device vroot",
            evidence=(release.evidence("ID"), cmdline.evidence),
        )


def _labelled_system(facts: Facts, family: OsFamily) -> Iterator[Contradiction]:
    kubelet, release = known(facts.kubelet), known(facts.os_release)
    label = kubelet.labels.get(f"{told.LABEL_PREFIX}os-distribution", "") if kubelet is not None else ""
    if kubelet is None or label not in {"cos", "ubuntu"} or family is OsFamily.UNKNOWN or label == family.value:
        return
    named = release.id if release is not None else family.value
    yield Contradiction(
        name="label-names-another-system",
        says=f"the kubelet's label {told.LABEL_PREFIX}os-distribution says {label}, but the system is {named}",
        expected="GKE labels a node with the system of its image",
        evidence=(*kubelet.flag_evidence("node-labels"), *((release.evidence("ID"),) if release is not None else ())),
    )


def _labelled_kernel(facts: Facts, family: OsFamily) -> Iterator[Contradiction]:
    kubelet, kernel = known(facts.kubelet), known(facts.kernel)
    label = kubelet.labels.get(f"{told.LABEL_PREFIX}os-distribution", "") if kubelet is not None else ""
    if kubelet is not None and kernel is not None and label == "cos" and kernel.release.endswith("-gke"):
        yield Contradiction(
            name="cos-label-with-ubuntu-kernel",
            says=f"the kubelet's label says cos, but the kernel {kernel.release} is that of GKE's Ubuntu",
            expected="COS kernels have no -gke flavour",
            evidence=(*kubelet.flag_evidence("node-labels"), kernel.evidence),
        )
    elif kernel is not None and family is OsFamily.COS and UBUNTU_KERNEL.fullmatch(kernel.release):
        yield Contradiction(
            name="cos-with-ubuntu-kernel",
            says=f"the system is COS, but the kernel {kernel.release} is one of Ubuntu's",
            expected="COS kernels have no flavour: their releases end in +",
            evidence=(kernel.evidence,),
        )


def _package(facts: Facts, family: OsFamily) -> Iterator[Contradiction]:
    packages = known(facts.packages)
    for package in packages.installed if packages is not None and family is OsFamily.COS else ():
        if "~gke" in package.version:
            yield Contradiction(
                name="cos-with-ubuntu-package",
                says=f"the system is COS, but the package {package.name} {package.version} is one of GKE's Ubuntu",
                expected="COS has no packages",
                evidence=(package.evidence,),
            )


def _labelled_runtime(facts: Facts, runtime: RuntimeName) -> Iterator[Contradiction]:
    kubelet = known(facts.kubelet)
    label = kubelet.labels.get(f"{told.LABEL_PREFIX}container-runtime", "") if kubelet is not None else ""
    if kubelet is None or not label or runtime in {RuntimeName.UNKNOWN, RuntimeName.NONE} or label == runtime.value:
        return
    yield Contradiction(
        name="label-names-another-runtime",
        says=f"the kubelet's label {told.LABEL_PREFIX}container-runtime says {label}, but it uses {runtime.value}",
        expected="GKE labels a node with the runtime its kubelet uses",
        evidence=(*kubelet.flag_evidence("node-labels"), *kubelet.flag_evidence("container-runtime-endpoint")),
    )


def _docker(facts: Facts, gke: Answer, runtime: RuntimeName) -> Iterator[Contradiction]:
    kubelet = known(facts.kubelet)
    release = kubelet_release(kubelet)
    if kubelet is None or runtime is not RuntimeName.DOCKER or release is None or release < NO_DOCKERSHIM:
        return
    if gke is Answer.YES or "cri-dockerd" not in kubelet.endpoint:
        yield Contradiction(
            name="docker-with-kubelet-from-1.24",
            says=f"the kubelet {kubelet.version} is told to use Docker, which Kubernetes ended with 1.24",
            expected="from 1.24 on containerd, or elsewhere than GKE cri-dockerd",
            evidence=kubelet.evidence,
        )


def _gke_elsewhere(facts: Facts, family: OsFamily, gke: Answer) -> Iterator[Contradiction]:
    kubelet, release = known(facts.kubelet), known(facts.os_release)
    if gke is Answer.YES and family is OsFamily.OTHER and kubelet is not None and release is not None:
        yield Contradiction(
            name="gke-kubelet-on-other-system",
            says=f"the kubelet is GKE's, but the system is {release.id}",
            expected="GKE's Linux node images are Container-Optimized OS and Ubuntu",
            evidence=(*kubelet.evidence, release.evidence("ID")),
        )


def _autopilot(facts: Facts, family: OsFamily, gke: Answer, runtime: RuntimeName) -> Iterator[Contradiction]:
    named = told.node_name(facts)
    if gke is not Answer.YES or named is None or not named[0].startswith(_AUTOPILOT):
        return
    if family in {OsFamily.UBUNTU, OsFamily.WINDOWS} or runtime is RuntimeName.DOCKER:
        yield Contradiction(
            name="autopilot-with-another-image",
            says=f"{named[0]} is the name of an Autopilot node, but its image is {family.value} with {runtime.value}",
            expected="nodes of Autopilot always have the image cos_containerd",
            evidence=(named[1],),
        )
