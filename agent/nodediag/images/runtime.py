"""Which container runtime: the endpoint of the running kubelet, or what that kubelet told the API; nothing else here.

Binaries, services, groups, /var/lib/docker and the conditions of node-problem-detector exist on nodes of either kind.
"""

from typing import Final

from nodediag.facts.fact import Unknown, known
from nodediag.facts.kubelet import EndpointFrom, Kubelet
from nodediag.facts.snapshot import Facts
from nodediag.images import told
from nodediag.images.decision import Decision, found, short
from nodediag.images.gke import kubelet_release
from nodediag.images.version import parse_version
from nodediag.model.image import Finding, RuntimeName
from nodediag.model.reason import Code, Reason

NO_DOCKERSHIM: Final = (1, 24)  # Kubernetes removed dockershim
DEFAULT_CONTAINERD: Final = (1, 27)  # since when the kubelet's default endpoint is containerd's socket
_DOCKERSHIM_FLAGS: Final = (  # removed together with dockershim: a kubelet of 1.24 refuses to start with them
    "network-plugin", "network-plugin-mtu", "cni-bin-dir", "cni-conf-dir", "cni-cache-dir",
    "docker-endpoint", "image-pull-progress-deadline", "experimental-dockershim-root-directory",
)  # fmt: skip
_BY_WORD: Final = (
    ("cri-dockerd", RuntimeName.DOCKER), ("dockershim", RuntimeName.DOCKER), ("docker.sock", RuntimeName.DOCKER),
    ("containerd", RuntimeName.CONTAINERD), ("crio", RuntimeName.CRI_O), ("cri-o", RuntimeName.CRI_O),
)  # fmt: skip


def decide(facts: Facts) -> Decision[RuntimeName]:
    """Decide from the kubelet's flags and file, then by what is told of it; short of that it stays open."""
    by_node = own(facts)
    word = (told.runtime(facts) or _by_release(facts)) if by_node.value is RuntimeName.UNKNOWN else None
    return by_node if word is None else Decision(value=word[0], findings=(*by_node.findings, word[1]))


def _by_release(facts: Facts) -> tuple[RuntimeName, Finding] | None:
    """Decide by GKE's version where no kubelet was seen: of its images those with Docker ended with dockershim."""
    version = told.gke_version(facts) if known(facts.kubelet) is None else None
    parsed = parse_version(version[0]) if version is not None else None
    if version is None or parsed is None or parsed[:2] < NO_DOCKERSHIM:
        return None
    return RuntimeName.CONTAINERD, found(f"GKE {version[0]} has images with containerd alone", version[1])


def own(facts: Facts) -> Decision[RuntimeName]:
    """Decide from what was seen of the node alone."""
    match facts.kubelet:
        case Unknown(reason):
            return Decision(value=RuntimeName.UNKNOWN, open=reason)
        case _:
            kubelet = facts.kubelet.value
    if not kubelet.running:
        detail = "no kubelet runs, so nothing uses a container runtime for Kubernetes"
        return Decision(value=RuntimeName.NONE, open=Reason(code=Code.ABSENT, detail=detail))
    return _by_endpoint(kubelet) if kubelet.endpoint else _by_default(kubelet)


def _by_endpoint(kubelet: Kubelet) -> Decision[RuntimeName]:
    name = next((name for word, name in _BY_WORD if word in kubelet.endpoint), RuntimeName.UNKNOWN)
    by_flag = kubelet.endpoint_from is EndpointFrom.FLAG
    evidence = kubelet.flag_evidence("container-runtime-endpoint")[0] if by_flag else kubelet.evidence[-1]
    finding = found(f"the kubelet's runtime endpoint is {kubelet.endpoint}", evidence)
    if kubelet.flags.get("container-runtime") == "docker" and name is not RuntimeName.DOCKER:
        detail = f"--container-runtime=docker, which ends with 1.24, stands beside the endpoint {kubelet.endpoint}"
        return Decision(
            value=RuntimeName.UNKNOWN, findings=(finding,), open=Reason(code=Code.UNSUPPORTED, detail=detail)
        )
    if name is RuntimeName.UNKNOWN:
        reason = Reason(code=Code.UNSUPPORTED, detail=f"{kubelet.endpoint} is no runtime's endpoint that we know")
        return Decision(value=name, findings=(finding,), open=reason)
    return Decision(value=name, findings=(finding,))


def _by_default(kubelet: Kubelet) -> Decision[RuntimeName]:
    release = kubelet_release(kubelet)
    evidence = kubelet.evidence[0]
    if kubelet.flags.get("container-runtime") == "docker":
        finding = found("the kubelet was started with --container-runtime=docker", evidence)
        return Decision(value=RuntimeName.DOCKER, findings=(finding,))
    flag = next((name for name in _DOCKERSHIM_FLAGS if name in kubelet.flags), "")
    if flag and kubelet.flags.get("container-runtime") != "remote" and (release is None or release < NO_DOCKERSHIM):
        says = (
            f"the kubelet names no endpoint and has --{flag}, which only a kubelet with the built-in dockershim takes"
        )
        return Decision(value=RuntimeName.DOCKER, findings=(found(says, kubelet.flag_evidence(flag)[0]),))
    if kubelet.endpoint_from is EndpointFrom.UNREAD and (release is None or release >= NO_DOCKERSHIM):
        reason = kubelet.config_reason or short("the kubelet's configuration was not read", kubelet.config_path)
        return Decision(value=RuntimeName.UNKNOWN, open=reason)
    if release is not None and release < NO_DOCKERSHIM and kubelet.flags.get("container-runtime") != "remote":
        finding = found(f"a kubelet {kubelet.version} without an endpoint uses its built-in dockershim", evidence)
        return Decision(value=RuntimeName.DOCKER, findings=(finding,))
    if release is not None and release >= DEFAULT_CONTAINERD:
        finding = found(f"a kubelet {kubelet.version} without an endpoint uses containerd's socket", evidence)
        return Decision(value=RuntimeName.CONTAINERD, findings=(finding,))
    detail = "the kubelet names no runtime endpoint, and what it does then depends on its version, which is not known"
    return Decision(value=RuntimeName.UNKNOWN, open=short(detail, "the kubelet's version"))
