"""What others tell of the node: its object in the Kubernetes API, and what Compute Engine knows of the instance.

The node's own evidence comes first; this speaks where that is silent. An object of another node tells nothing.
"""

from typing import Final

from nodediag.facts.fact import known
from nodediag.facts.instance_data import InstanceData
from nodediag.facts.node_object import ZONE, NodeObject
from nodediag.facts.snapshot import Facts
from nodediag.images import source_image
from nodediag.images.decision import found, present
from nodediag.images.source_image import SourceImage
from nodediag.model.evidence import Evidence
from nodediag.model.image import Finding, ImageType, OsFamily, RuntimeName

LABEL_PREFIX: Final = "cloud.google.com/gke-"
DISTRIBUTION: Final = f"{LABEL_PREFIX}os-distribution"
RUNTIME_LABEL: Final = f"{LABEL_PREFIX}container-runtime"
WINDOWS_BUILD: Final = "node.kubernetes.io/windows-build"
_GCE: Final = "gce://"
_GKE: Final = "-gke."
_OF_AN_OBJECT: Final = 2
_COS_NAME: Final = "Container-Optimized OS"
_WORDS: Final = {"containerd": RuntimeName.CONTAINERD, "docker": RuntimeName.DOCKER}


def node_object(facts: Facts) -> NodeObject | None:
    """Give the object, where it is of this node."""
    return None if other_node(facts) else known(facts.node_object)


def other_node(facts: Facts) -> bool:
    """Tell an object of another node: by the machine's id, else by the name."""
    theirs = known(facts.node_object)
    if theirs is None:
        return False
    machine, ours = known(facts.machine), own_name(facts)
    if machine is not None and theirs.info.get("machineID"):
        return theirs.info["machineID"].replace("-", "").lower() != machine.id
    if ours is None or theirs.name == "unknown":
        return False
    return ours[0].split(".")[0] != theirs.name.split(".")[0]  # a host name may have its domain with it


def own_name(facts: Facts) -> tuple[str, Evidence] | None:
    """Give the name by which the kubelet registers the node, as far as the node itself or our own pod tells it."""
    given, kubelet, hostname = known(facts.node_name), known(facts.kubelet), known(facts.hostname)
    if given is not None:
        return given.name, given.evidence
    if kubelet is not None and kubelet.flags.get("hostname-override"):
        return kubelet.flags["hostname-override"], kubelet.flag_evidence("hostname-override")[0]
    return (hostname.name.lower(), hostname.evidence) if hostname is not None else None


def node_name(facts: Facts) -> tuple[str, Evidence] | None:
    """Give the node's name, from itself or else from its object."""
    theirs = node_object(facts)
    if (own := own_name(facts)) is not None or theirs is None:
        return own
    return theirs.name, theirs.evidence("metadata.name", theirs.name)


def instances(facts: Facts) -> tuple[InstanceData, ...]:
    """Give what is known of the instance: what the server tells now before what a file told."""
    both = (known(facts.metadata), known(facts.instance_data))
    return tuple(one for one in both if one is not None)


def image_source(facts: Facts) -> tuple[SourceImage, Evidence] | None:
    """Give the image that the instance was made from."""
    for one in instances(facts):
        image = source_image.parse(one.image)
        if image is not None:
            return image, one.evidence["image"]
    return None


def label(facts: Facts, key: str) -> tuple[str, Evidence] | None:
    """Give a label of the Kubernetes node, from its object or from what GKE gave the instance for it."""
    theirs = node_object(facts)
    if theirs is not None and theirs.labels.get(key):
        return theirs.labels[key], theirs.label_evidence(key)
    for one in instances(facts):
        if one.labels.get(key):
            return one.labels[key], one.evidence["labels"]
    return None


def kubelet_version(facts: Facts) -> tuple[str, Evidence] | None:
    """Give the kubelet's version: its own word, its object's, or what GKE told the instance to run."""
    kubelet, theirs = known(facts.kubelet), node_object(facts)
    if kubelet is not None and kubelet.version:
        return kubelet.version, kubelet.flag_evidence("version")[0]
    if kubelet is not None and not kubelet.running:
        return None
    if theirs is not None and theirs.info.get("kubeletVersion"):
        return theirs.info["kubeletVersion"], theirs.info_evidence("kubeletVersion")
    for one in instances(facts):
        if one.kubelet_version:
            return one.kubelet_version, one.evidence["kubelet_version"]
    return None


def gke_version(facts: Facts) -> tuple[str, Evidence] | None:
    """Give the node's GKE version: its kubelet's, or that in the name of the image the instance was made from."""
    version, source = kubelet_version(facts), image_source(facts)
    if version is not None:
        return version if _GKE in version[0] else None
    return (source[0].gke_version, source[1]) if source is not None and source[0].gke_version else None


def statements(facts: Facts) -> int:
    """Count what can be held against each other: an object makes several statements."""
    if node_object(facts) is not None:
        return _OF_AN_OBJECT
    return sum(one is not None for one in (label(facts, DISTRIBUTION), image_source(facts)))


def family(facts: Facts) -> tuple[OsFamily, Finding] | None:
    """Give the system by nodeInfo, by GKE's label, by the name of the instance's image, or by a node pool's type."""
    theirs = node_object(facts)
    if theirs is not None:
        name, system = theirs.info.get("osImage", ""), theirs.info.get("operatingSystem", "")
        if system == "windows":
            return OsFamily.WINDOWS, found("the node object: the system is windows", _info(theirs, "operatingSystem"))
        if name:
            return named(name), found(f"the node object: the system is {name}", _info(theirs, "osImage"))
    labelled = label(facts, DISTRIBUTION)
    value = distribution(labelled[0]) if labelled is not None else OsFamily.UNKNOWN
    if labelled is not None and value is not OsFamily.UNKNOWN:
        return value, found(f"the label {DISTRIBUTION} is {labelled[0]}", labelled[1])
    source = image_source(facts)
    if source is not None and source[0].family is not OsFamily.UNKNOWN:
        return source[0].family, found(f"the instance was made from {source[0].name}", source[1])
    return _by_pool(facts)


def runtime(facts: Facts) -> tuple[RuntimeName, Finding] | None:
    """Give the runtime by what the kubelet reported to the API, by GKE's label, or by what GKE told the instance."""
    theirs = node_object(facts)
    name, _ = theirs.runtime if theirs is not None else (RuntimeName.UNKNOWN, "")
    if theirs is not None and name is not RuntimeName.UNKNOWN:
        told = theirs.info["containerRuntimeVersion"]
        return name, found(f"the node object: the kubelet uses {told}", _info(theirs, "containerRuntimeVersion"))
    labelled = label(facts, RUNTIME_LABEL)
    if labelled is not None and labelled[0] in _WORDS:
        return _WORDS[labelled[0]], found(f"the label {RUNTIME_LABEL} is {labelled[0]}", labelled[1])
    for one in instances(facts):
        by_word = next((name for word, name in _WORDS.items() if word in one.runtime_endpoint), None)
        if by_word is not None:
            says = f"GKE told the instance to use {one.runtime_endpoint}"
            return by_word, found(says, one.evidence["runtime_endpoint"])
        if one.image_type:
            containerd = one.image_type.endswith("_containerd")
            says = f"the node pool's image type is {one.image_type}"
            value = RuntimeName.CONTAINERD if containerd else RuntimeName.DOCKER
            return value, found(says, one.evidence["image_type"])
    return None


def gke_strong(facts: Facts) -> tuple[Finding, ...]:
    """Find a kubelet version or label that only GKE gives, or an image of GKE's."""
    theirs = node_object(facts)
    version = kubelet_version(facts)
    findings: list[Finding | None] = []
    if version is not None and _GKE in version[0]:
        findings.append(found(f"the kubelet's version is {version[0]}", version[1]))
    labels = theirs.labels if theirs is not None else {}
    key = next((name for name in labels if name.startswith(LABEL_PREFIX)), "")
    if theirs is not None and key:
        findings.append(found(f"the node object has the label {key}", theirs.label_evidence(key)))
    for one in instances(facts):
        key = next((name for name in one.labels if name.startswith(LABEL_PREFIX)), "")
        findings.append(found(f"the instance has the node label {key}", one.evidence["labels"]) if key else None)
        if one.image_type:
            findings.append(found(f"GKE's node pool has {one.image_type}", one.evidence["image_type"]))
    source = image_source(facts)
    if source is not None and source[0].of_gke:
        findings.append(found(f"the instance was made from an image of the project {source[0].project}", source[1]))
    return present(findings)


def gke_weak(facts: Facts) -> tuple[Finding, ...]:
    """Find what GKE gives an instance, and other set-ups may too."""
    return tuple(
        found(f"the instance has {mark}", one.evidence["gke_marks"])
        for one in instances(facts)
        for mark in one.gke_marks
    )


def elsewhere(facts: Facts) -> Finding | None:
    """Find another cloud's provider id: GKE's node images run on Compute Engine alone."""
    theirs = node_object(facts)
    if theirs is None or not theirs.provider_id or theirs.provider_id.startswith(_GCE):
        return None
    says = f"the provider is {theirs.provider_id.partition('://')[0]}; GKE's node images run on Compute Engine alone"
    return found(says, theirs.evidence("spec.providerID", theirs.provider_id))


def other_kubelet(facts: Facts) -> Finding | None:
    """Find a kubelet whose version is not GKE's."""
    version = kubelet_version(facts)
    if version is None or _GKE in version[0]:
        return None
    return found(f"the kubelet's version {version[0]} is not GKE's", version[1])


def on_gce(facts: Facts) -> Finding | None:
    """Find that Compute Engine answers for it, or that Kubernetes was told so."""
    theirs, server = node_object(facts), known(facts.metadata)
    if theirs is not None and theirs.provider_id.startswith(_GCE):
        return found("the provider is gce", theirs.evidence("spec.providerID", theirs.provider_id))
    if server is not None and server.evidence:
        return found("Compute Engine's metadata server answers", next(iter(server.evidence.values())))
    return None


def zone(facts: Facts) -> str:
    """Give the zone, empty where it is not known."""
    theirs = node_object(facts)
    named = theirs.labels.get(ZONE, "") if theirs is not None else ""
    return next((one.zone for one in instances(facts) if one.zone), named)


def instance_id(facts: Facts) -> str:
    """Give the instance's number, empty where it is not known."""
    theirs = node_object(facts)
    named = theirs.instance_id if theirs is not None else ""
    return next((one.instance_id for one in instances(facts) if one.instance_id), named)


def _info(theirs: NodeObject, key: str) -> Evidence:
    return theirs.info_evidence(key)


def named(name: str) -> OsFamily:
    """Give the system of an `osImage`."""
    if not name:
        return OsFamily.UNKNOWN
    if name.startswith(_COS_NAME):
        return OsFamily.COS
    if name.startswith(("Windows Server", "Microsoft Windows")):
        return OsFamily.WINDOWS
    return OsFamily.UBUNTU if name.startswith("Ubuntu") else OsFamily.OTHER


def distribution(word: str) -> OsFamily:
    """Give the system of GKE's label, or of an image type."""
    by_word = (("cos", OsFamily.COS), ("ubuntu", OsFamily.UBUNTU), ("windows", OsFamily.WINDOWS))
    return next((value for start, value in by_word if word.startswith(start)), OsFamily.UNKNOWN)


def _by_pool(facts: Facts) -> tuple[OsFamily, Finding] | None:
    for one in instances(facts):
        if one.image_type in set(ImageType):
            return distribution(one.image_type), found(
                f"the node pool's image type is {one.image_type}", one.evidence["image_type"]
            )
    return None
