"""Whether the node is one of GKE's, and whether it runs on Compute Engine.

Running on Compute Engine does not make a GKE node: kops, Cloud Shell and plain VMs do too. One strong sign decides; of
the weaker ones, which other set-ups share in part, two must agree. What a changed node can have lost (its kernel, its
binds) says no only where nothing else says yes.
"""

import re
from typing import Final

from nodediag.facts.fact import known
from nodediag.facts.kubelet import Kubelet
from nodediag.facts.metadata import GOOGLE
from nodediag.facts.snapshot import Facts
from nodediag.images import told
from nodediag.images.decision import Decision, found, present, short
from nodediag.images.told import LABEL_PREFIX
from nodediag.images.version import parse_version
from nodediag.model.image import Answer, Finding, OsFamily

_ENOUGH: Final = 2
_NEEDS: Final = (
    "the kubelet's command line (/proc/PID/cmdline), as root or with the host's PID 1 in view, or --node-object FILE"
)
_BIN: Final = "/home/kubernetes/bin"
_MOUNTER: Final = "/home/kubernetes/containerized_mounter"
_BINDS: Final = (_BIN, "/home/kubernetes/flexvolume", _MOUNTER)
_DISK: Final = re.compile(r"/var/lib/kubelet/plugins/kubernetes\.io/(?:csi/|gce-pd/).*/gke-[^/]*pvc-")
_OTHER_ROOTS: Final = frozenset({"btrfs", "erofs", "f2fs", "squashfs", "xfs", "zfs"})
_LABELLED: Final = ("/", "/etc", "/usr", "/var", "/sysroot")
_SELINUX: Final = "seclabel"
_FLAVOUR: Final = r"(\d+)\.\d+\.\d+-\d+-([a-z]+)"
_FIRST_MAJOR_WITHOUT_GCP: Final = 5  # only GKE's Ubuntu 16.04 nodes, with kernels 4.x, had the -gcp flavour


def decide(facts: Facts, family: OsFamily) -> Decision[Answer]:
    """Decide by strong signs, then by two weaker ones."""
    kubelet = known(facts.kubelet)
    elsewhere = _elsewhere(facts) or told.elsewhere(facts)
    yes = present(_strong_yes(kubelet)) if elsewhere is None else ()
    other = _other_kubelet(kubelet)
    if not yes and elsewhere is None and other is None and family is not OsFamily.OTHER:
        yes = told.gke_strong(facts)
    if yes:
        return Decision(value=Answer.YES, findings=yes)
    kubelets = other or told.other_kubelet(facts)
    no = present((elsewhere, _other_system(facts, family), kubelets, _other_disk(facts, family)))
    lost = present((_no_labels(kubelet), _other_kernel(facts, family), _no_binds(facts, family)))
    weak = (*present(_weak_yes(facts)), *told.gke_weak(facts))
    if no or (lost and len(weak) < _ENOUGH):
        return Decision(value=Answer.NO, findings=(*no, *lost, *weak))
    if lost:
        detail = f"some of it is like a GKE node ({weak[0].says}), some is not ({lost[0].says})"
        return Decision(value=Answer.UNKNOWN, findings=(*lost, *weak), open=short(detail, _NEEDS))
    if len(weak) >= _ENOUGH:
        return Decision(value=Answer.YES, findings=weak)
    detail = "neither the kubelet's version or labels nor two other signs tell whether this is a GKE node"
    return Decision(value=Answer.UNKNOWN, findings=weak, open=short(detail, _NEEDS))


def decide_gce(facts: Facts, gke: Answer) -> Decision[Answer]:
    """Decide by the firmware's product name or cloud-init; a GKE node runs there by definition."""
    instance = known(facts.instance)
    if instance is not None and instance.product:
        value = Answer.YES if instance.product.startswith(GOOGLE) else Answer.NO
        findings = (found(f"the firmware's product name is {instance.product}", instance.evidence[0]),)
        return Decision(value=value, findings=findings)
    by_others = told.elsewhere(facts) or told.on_gce(facts)
    if by_others is not None:
        value = Answer.NO if told.elsewhere(facts) else Answer.YES
        return Decision(value=value, findings=(by_others,))
    if (instance is not None and instance.cloud == "gce") or gke is Answer.YES:
        return Decision(value=Answer.YES)
    return Decision(
        value=Answer.UNKNOWN, open=short("no firmware product name was seen", "/sys/class/dmi/id/product_name")
    )


def _elsewhere(facts: Facts) -> Finding | None:
    """Find hardware that is not Google's: GKE on premises has the suffix and labels too, and means other images."""
    instance = known(facts.instance)
    if instance is None or not instance.product or instance.product.startswith(GOOGLE):
        return None
    says = f"the hardware is {instance.product}; GKE's node images run on Compute Engine alone"
    return found(says, instance.evidence[0])


def _strong_yes(kubelet: Kubelet | None) -> list[Finding | None]:
    if kubelet is None or not kubelet.running:
        return []
    label = next((name for name in kubelet.labels if name.startswith(LABEL_PREFIX)), "")
    by_label = found(f"the kubelet has the label {label}", kubelet.flag_evidence("node-labels")[0]) if label else None
    by_version = None
    if "-gke." in kubelet.version:
        by_version = found(f"the kubelet's version is {kubelet.version}", kubelet.flag_evidence("version")[0])
    return [by_version, by_label]


def _other_system(facts: Facts, family: OsFamily) -> Finding | None:
    release, lsb = known(facts.os_release), known(facts.lsb_release)
    if family is not OsFamily.OTHER:
        return None
    says = "GKE's Linux node images are Container-Optimized OS and Ubuntu; this is neither"
    if release is not None:
        return found(says, release.evidence("ID"))
    return found(says, next(iter(lsb.lines.values()))) if lsb is not None else None


def _other_disk(facts: Facts, family: OsFamily) -> Finding | None:
    """Find a root that neither image has: COS's is ext2, Ubuntu's ext4, and both confine by AppArmor, not SELinux."""
    mounts = known(facts.mounts)
    if mounts is None or family is OsFamily.COS:
        return None
    root = mounts.at("/")
    if root is not None and root.fstype in _OTHER_ROOTS:
        return found(f"/ is {root.fstype}, which the root of no GKE node image is", root.evidence)
    places = (mount for path in _LABELLED if (mount := mounts.at(path)) is not None)
    labelled = next((mount for mount in places if _SELINUX in (*mount.options, *mount.super_options)), None)
    if labelled is None:
        return None
    return found(f"files below {labelled.target} have SELinux's labels; GKE's images have AppArmor", labelled.evidence)


def _other_kubelet(kubelet: Kubelet | None) -> Finding | None:
    if kubelet is None or not kubelet.running or "-gke." in kubelet.version:
        return None
    if kubelet.version:
        return found(f"the kubelet's version {kubelet.version} is not GKE's", kubelet.flag_evidence("version")[0])
    if kubelet.labels:
        return found("none of the kubelet's labels is one that GKE gives", kubelet.flag_evidence("node-labels")[0])
    return None


def _no_labels(kubelet: Kubelet | None) -> Finding | None:
    """Find a kubelet without labels; a command line that was copied by hand may lack its end."""
    if kubelet is None or not kubelet.running or kubelet.labels or kubelet.version:
        return None
    return found("the running kubelet has none of the labels that GKE gives", kubelet.evidence[0])


def _other_kernel(facts: Facts, family: OsFamily) -> Finding | None:
    kernel = known(facts.kernel)
    flavour = re.fullmatch(_FLAVOUR, kernel.release) if kernel is not None and family is OsFamily.UBUNTU else None
    if kernel is None or flavour is None or flavour[2] == "gke":
        return None
    if flavour[2] == "gcp" and int(flavour[1]) < _FIRST_MAJOR_WITHOUT_GCP:
        return None
    return found(f"the kernel {kernel.release} is not the one of GKE's Ubuntu images", kernel.evidence)


def _no_binds(facts: Facts, family: OsFamily) -> Finding | None:
    """Every GKE node with COS has executable binds that a plain COS lacks; a table without them says no."""
    mounts = known(facts.mounts)
    if mounts is None or not mounts.complete or family is not OsFamily.COS:
        return None
    if any(mounts.at(path) is not None for path in (*_BINDS, "/var/lib/kubelet")):
        return None
    root = mounts.at("/")
    return (
        found("none of GKE's mounts is there (/home/kubernetes/bin, /var/lib/kubelet)", root.evidence) if root else None
    )


def _weak_yes(facts: Facts) -> list[Finding | None]:
    return [*_bound(facts), _kubelet_bind(facts), *_disks(facts), *_containerd(facts), *_names(facts), *_package(facts)]


def _bound(facts: Facts) -> list[Finding]:
    mounts, partitions = known(facts.mounts), known(facts.partitions)
    table = mounts.mounts if mounts is not None else ()
    findings = []
    for path in _BINDS:
        evidence = next((mount.evidence for mount in table if mount.target.startswith(path)), None)
        devices = partitions.devices if partitions is not None else ()
        listed = next((d.evidence for d in devices if any(t.startswith(path) for t in d.targets)), None)
        at = evidence or listed
        if at is not None:
            findings.append(found(f"{path} is a mount of its own", at))
        if at is not None and path == _MOUNTER:  # only GKE's scripts, and kube-up from which they stem, make it
            findings.append(found("volumes are mounted through GKE's containerized mounter", at))
    return findings


def _kubelet_bind(facts: Facts) -> Finding | None:
    mounts, partitions = known(facts.mounts), known(facts.partitions)
    mount = mounts.at("/var/lib/kubelet") if mounts is not None else None
    if mount is not None and mount.options_known and mount.executable and mount.suid and mount.devices:
        return found("/var/lib/kubelet is bound with exec, suid and dev", mount.evidence)
    for device in partitions.devices if partitions is not None else ():
        if "/var/lib/kubelet" in device.targets:
            return found("/var/lib/kubelet is a mount of its own", device.evidence)
    return None


def _disks(facts: Facts) -> list[Finding]:
    """Find a disk that GKE's own provisioner named after the cluster; such a name counts twice."""
    mounts = known(facts.mounts)
    for mount in mounts.mounts if mounts is not None else ():
        if _DISK.search(mount.target):
            return [
                found("a volume's disk has the name that GKE's provisioner gives", mount.evidence),
                found("a kubelet with in-tree or CSI Persistent Disks has mounted it", mount.evidence),
            ]
    return []


def _containerd(facts: Facts) -> list[Finding]:
    config = known(facts.containerd_config)
    if config is None or not config.lines:
        return []
    of_gke = "gke.gcr.io" in config.sandbox_image or "/gke-release/" in config.sandbox_image
    signs = (
        (
            ("bin_dir", "bin_dirs"),
            config.cni_bin_dir == _BIN,
            "containerd has its CNI plugins in /home/kubernetes/bin",
        ),
        (("sandbox_image", "sandbox"), of_gke, "containerd's sandbox image is GKE's"),
    )
    return [
        found(says, config.lines[key]) for keys, holds, says in signs for key in keys if holds and key in config.lines
    ]


def _names(facts: Facts) -> list[Finding]:
    kernel, hostname = known(facts.kernel), known(facts.hostname)
    findings = []
    if kernel is not None and kernel.release.endswith("-gke"):
        findings.append(found(f"the kernel is {kernel.release}", kernel.evidence))
    if hostname is not None and hostname.name.startswith(("gke-", "gk3-")):
        findings.append(found(f"the host name is {hostname.name}", hostname.evidence))
    return findings


def _package(facts: Facts) -> list[Finding]:
    packages = known(facts.packages)
    named = packages.installed if packages is not None else ()
    return [
        found(f"the package {package.name} {package.version} is built for GKE", package.evidence)
        for package in named
        if "~gke" in package.version
    ]


def kubelet_release(kubelet: Kubelet | None) -> tuple[int, int] | None:
    """Give the kubelet's major and minor version, where it is known."""
    parsed = parse_version(kubelet.version) if kubelet is not None and kubelet.version else None
    return (parsed[0], parsed[1]) if parsed is not None else None
