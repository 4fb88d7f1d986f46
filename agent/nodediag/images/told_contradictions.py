"""Things told of one node that no image has together, where the node itself was not seen.

Where it was, its own evidence says what it is, and `image.node-object` tells in what its object differs.
"""

from collections.abc import Iterator
from typing import Final

from nodediag.facts.fact import known
from nodediag.facts.node_object import NodeObject
from nodediag.facts.snapshot import Facts
from nodediag.images import told, windows
from nodediag.images.family import UBUNTU_KERNEL
from nodediag.images.runtime import NO_DOCKERSHIM
from nodediag.images.version import parse_version
from nodediag.images.windows import Channel
from nodediag.model.image import Answer, Contradiction, OsFamily, RuntimeName

_SAC_ENDED: Final = (1, 26)  # the last SAC release ended on 2022-08-09; this is the first kubelet of after that year


def find(facts: Facts, gke: Answer) -> tuple[Contradiction, ...]:
    """List every contradiction."""
    if known(facts.os_release) is not None or known(facts.kubelet) is not None:
        return ()
    theirs = told.node_object(facts)
    of_object = (_label, _kernel, _runtime, _windows) if theirs is not None else ()
    found = [one for side in of_object if theirs is not None for one in side(facts, theirs)]
    return (*found, *_docker(facts, gke), *_source(facts))


def _label(facts: Facts, theirs: NodeObject) -> Iterator[Contradiction]:
    del facts
    label, system = theirs.labels.get(told.DISTRIBUTION, ""), theirs.info.get("osImage", "")
    by_label, by_name = told.distribution(label), told.named(system)
    if OsFamily.UNKNOWN in {by_label, by_name} or by_label is by_name:
        return
    yield Contradiction(
        name="object-label-names-another-system",
        says=f"the label {told.DISTRIBUTION} says {label}, but the system is {system}",
        expected="GKE labels a node with the system of its image",
        evidence=(theirs.label_evidence(told.DISTRIBUTION), theirs.info_evidence("osImage")),
    )


def _kernel(facts: Facts, theirs: NodeObject) -> Iterator[Contradiction]:
    del facts
    kernel, system = theirs.info.get("kernelVersion", ""), theirs.info.get("osImage", "")
    if told.named(system) is OsFamily.COS and UBUNTU_KERNEL.fullmatch(kernel):
        yield Contradiction(
            name="object-cos-with-ubuntu-kernel",
            says=f"the system is {system}, but the kernel {kernel} is one of Ubuntu's",
            expected="COS kernels have no flavour: their releases end in +",
            evidence=(theirs.info_evidence("osImage"), theirs.info_evidence("kernelVersion")),
        )


def _runtime(facts: Facts, theirs: NodeObject) -> Iterator[Contradiction]:
    del facts
    label, (name, _) = theirs.labels.get(told.RUNTIME_LABEL, ""), theirs.runtime
    if label and name is not RuntimeName.UNKNOWN and label != name.value:
        yield Contradiction(
            name="object-label-names-another-runtime",
            says=f"the label {told.RUNTIME_LABEL} says {label}, but the kubelet uses {name.value}",
            expected="GKE labels a node with the runtime its kubelet uses",
            evidence=(theirs.label_evidence(told.RUNTIME_LABEL), theirs.info_evidence("containerRuntimeVersion")),
        )


def _windows(facts: Facts, theirs: NodeObject) -> Iterator[Contradiction]:
    release = windows.decide(facts).value
    evidence = (theirs.info_evidence("osImage"), theirs.info_evidence("kernelVersion"))
    if odds := windows.at_odds(facts):
        expected = "the year in the name is that of the build"
        yield Contradiction(name="windows-name-and-build", says=odds, expected=expected, evidence=evidence)
    version = theirs.info.get("kubeletVersion", "")
    parsed = parse_version(version)
    if release is not None and release.channel is Channel.SAC and parsed is not None and parsed[:2] >= _SAC_ENDED:
        yield Contradiction(
            name="windows-sac-after-its-end",
            says=f"Windows Server {release.version} of the SAC ended in 2022, but the kubelet is {version}",
            expected="nodes of Kubernetes 1.26 and later have an LTSC release",
            evidence=(*evidence, theirs.info_evidence("kubeletVersion")),
        )


def _docker(facts: Facts, gke: Answer) -> Iterator[Contradiction]:
    runtime, version = told.runtime(facts), told.kubelet_version(facts)
    parsed = parse_version(version[0]) if version is not None else None
    if runtime is None or version is None or parsed is None or gke is not Answer.YES:
        return
    if runtime[0] is RuntimeName.DOCKER and parsed[:2] >= NO_DOCKERSHIM:
        yield Contradiction(
            name="object-docker-with-kubelet-from-1.24",
            says=f"the kubelet {version[0]} is said to use Docker, which Kubernetes ended with 1.24",
            expected="from 1.24 on containerd",
            evidence=(runtime[1].evidence, version[1]),
        )


def _source(facts: Facts) -> Iterator[Contradiction]:
    source, family = told.image_source(facts), told.family(facts)
    if source is None or family is None or OsFamily.UNKNOWN in {source[0].family, family[0]}:
        return
    if source[0].family is not family[0]:
        yield Contradiction(
            name="made-from-another-system",
            says=f"the instance was made from {source[0].name}, but {family[1].says}",
            expected="a node runs the system of the image it was made from",
            evidence=(source[1], family[1].evidence),
        )
