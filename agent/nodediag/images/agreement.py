"""In what a node and its object in the Kubernetes API differ, where both were seen."""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.facts.fact import known
from nodediag.facts.kubelet import Kubelet
from nodediag.facts.node_object import NodeObject
from nodediag.facts.snapshot import Facts
from nodediag.images import runtime, told
from nodediag.images.describe import ARCHITECTURES
from nodediag.model.evidence import Evidence
from nodediag.model.image import RuntimeName

_LABELS: Final = (told.DISTRIBUTION, told.RUNTIME_LABEL, f"{told.LABEL_PREFIX}nodepool")


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that both tell."""

    field: str
    node: str
    theirs: str
    evidence: tuple[Evidence, ...]

    @property
    def differs(self) -> bool:
        """Tell whether they tell it differently."""
        return self.node != self.theirs


def identity(facts: Facts, theirs: NodeObject) -> Pair | None:
    """Compare which node they are: by the machine's id, else by the name."""
    machine, ours = known(facts.machine), told.own_name(facts)
    evidence = theirs.info_evidence("machineID")
    if machine is not None and theirs.info.get("machineID"):
        told_id = theirs.info["machineID"].replace("-", "").lower()
        return Pair(field="machineID", node=machine.id, theirs=told_id, evidence=(machine.evidence, evidence))
    if ours is None or theirs.name == "unknown":
        return None
    node = ours[0] if told.other_node(facts) else theirs.name
    named = theirs.evidence("metadata.name", theirs.name)
    return Pair(field="name", node=node, theirs=theirs.name, evidence=(ours[1], named))


def boot(facts: Facts, theirs: NodeObject) -> Pair | None:
    """Compare which boot they tell of."""
    ours = known(facts.boot)
    if ours is None or not theirs.info.get("bootID"):
        return None
    return Pair(field="bootID", node=ours.id, theirs=theirs.info["bootID"], evidence=(theirs.info_evidence("bootID"),))


def of_one_boot(facts: Facts, theirs: NodeObject) -> Iterator[Pair]:
    """Compare what stays as it is from boot to boot."""
    kernel, kubelet = known(facts.kernel), known(facts.kubelet)
    yield from _system(facts, theirs)
    if kernel is not None:
        yield from _pair(theirs, "kernelVersion", kernel.release, kernel.evidence)
        if kernel.machine != "unknown":
            arch = ARCHITECTURES.get(kernel.machine, kernel.machine)
            yield from _pair(theirs, "architecture", arch, kernel.evidence)
    if kubelet is not None and kubelet.running:
        yield from _of_kubelet(facts, kubelet, theirs)


def _system(facts: Facts, theirs: NodeObject) -> Iterator[Pair]:
    """Compare the system's name; of a capture without os-release lsb-release has the same words."""
    release, lsb = known(facts.os_release), known(facts.lsb_release)
    if release is not None and (name := release.fields.get("PRETTY_NAME", "")):
        yield from _pair(theirs, "osImage", name, release.evidence("PRETTY_NAME"))
    elif release is None and lsb is not None and (name := lsb.fields.get("DISTRIB_DESCRIPTION", "")):
        yield from _pair(theirs, "osImage", name, lsb.lines["DISTRIB_DESCRIPTION"])


def _of_kubelet(facts: Facts, kubelet: Kubelet, theirs: NodeObject) -> Iterator[Pair]:
    if kubelet.version:
        yield from _pair(theirs, "kubeletVersion", kubelet.version, kubelet.flag_evidence("version")[0])
    uses, (reports, _) = runtime.own(facts), theirs.runtime
    if RuntimeName.UNKNOWN not in {uses.value, reports} and uses.findings:
        evidence = (uses.findings[0].evidence, theirs.info_evidence("containerRuntimeVersion"))
        yield Pair(field="containerRuntimeVersion", node=uses.value.value, theirs=reports.value, evidence=evidence)
    for key in _LABELS:
        if kubelet.labels.get(key) and theirs.labels.get(key):
            evidence = (kubelet.flag_evidence("node-labels")[0], theirs.label_evidence(key))
            yield Pair(field=key, node=kubelet.labels[key], theirs=theirs.labels[key], evidence=evidence)


def _pair(theirs: NodeObject, key: str, node: str, evidence: Evidence) -> Iterator[Pair]:
    if theirs.info.get(key):
        yield Pair(field=key, node=node, theirs=theirs.info[key], evidence=(evidence, theirs.info_evidence(key)))
