"""What Compute Engine knows of the instance: from captured files (`--instance`), or from its metadata server.

A file may be an instance or instance template as `gcloud compute ... describe --format=json` prints it, a dump of the
metadata server (`.../instance/?recursive=true`), one of the attributes GKE gives a node (`kube-labels`, `kube-env`), or
a node pool. Of kube-env two values are taken; all else in it may be a key.
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.facts import plain
from nodediag.facts.kubelet import parse_labels
from nodediag.host.yaml_text import Yaml
from nodediag.model.evidence import Evidence, InputEvidence
from nodediag.model.image import ImageType
from nodediag.model.reason import Reason

OPTION: Final = "--instance"
_WANTED: Final = "an instance, an instance template, a node pool, a metadata dump, or node labels `key=value,...`"
_LABELS: Final = r"[\w./-]+=[\w.-]*(?:,[\w./-]+=[\w.-]*)*"
_IMAGE: Final = r"(?:https://[^\s]{1,200}/)?(projects/[^/\s]{1,200}/global/images/[^/\s]{1,200})"
_TEMPLATE: Final = r"projects/\S{1,200}/instanceTemplates/\S{1,200}"
_GKE_LABEL: Final = "goog-gke-node"
_DOMAINS: Final = ("kubernetes.io/", "cloud.google.com/")


class InstanceData(msgspec.Struct, frozen=True, kw_only=True):
    """What was told; what was not stays empty. `evidence` is by field, `hidden` what a server would not tell.

    `image` is `projects/PROJECT/global/images/NAME`; `labels` are the Kubernetes node's; `gke_marks` are signs that GKE
    made the instance; `image_type` is one of GKE's words.
    """

    image: str = ""
    name: str = ""
    instance_id: str = ""
    zone: str = ""
    labels: dict[str, str] = {}
    gke_marks: tuple[str, ...] = ()
    kubelet_version: str = ""
    runtime_endpoint: str = ""
    image_type: str = ""
    server: str = ""
    hidden: dict[str, Reason] = {}
    evidence: dict[str, Evidence] = {}


def read(path: str, text: str) -> InstanceData:
    """Read one file; raises ParseError."""
    place = f"{OPTION} {path}"
    short = text.strip()
    if re.fullmatch(_LABELS, short):
        return _with_evidence(InstanceData(labels=_labels(short)), path)
    if image := re.fullmatch(_IMAGE, short):
        return _with_evidence(InstanceData(image=plain.clean(image[1])), path)
    if re.fullmatch(_TEMPLATE, short):
        return _with_evidence(InstanceData(gke_marks=_named_by_gke(short)), path)
    loaded = plain.load(text, place)
    if isinstance(loaded, list) and len(loaded) == 1:
        loaded = loaded[0]
    found = _made(loaded) if isinstance(loaded, dict) else InstanceData()
    if found == InstanceData():
        raise ParseError(place, None, _WANTED)
    return _with_evidence(found, path)


def joined(several: tuple[InstanceData, ...]) -> InstanceData:
    """Put together what several files tell; of two that tell the same thing the first counts."""
    whole = InstanceData()
    for one in several:
        fields = {
            name: getattr(whole, name) or getattr(one, name)
            for name in InstanceData.__struct_fields__
            if name not in {"evidence", "gke_marks"}
        }
        marks = tuple(dict.fromkeys((*whole.gke_marks, *one.gke_marks)))
        whole = InstanceData(**fields, gke_marks=marks, evidence={**one.evidence, **whole.evidence})
    return whole


def image_path(text: str) -> str:
    """Give an image's path without the API's address before it; empty for what is none."""
    found = re.fullmatch(_IMAGE, text.strip())
    return plain.clean(found[1]) if found else ""


def _made(raw: Yaml) -> InstanceData:
    if plain.at(raw, "config", "imageType") or plain.at(raw, "imageType"):
        return _pool(raw)
    if any(name in raw for name in ("KUBELET_VERSION", "CONTAINER_RUNTIME")) if isinstance(raw, dict) else False:
        return _from_kube_env(raw)
    labels = plain.words_at(raw)
    if labels and all(any(domain in key for domain in _DOMAINS) for key in labels):
        return InstanceData(labels=labels)
    instance = next((plain.at(raw, key) for key in ("properties", "instance") if plain.at(raw, key)), raw)
    attributes = _attributes(instance)
    env = _kube_env(attributes.get("kube-env", ""))
    image = plain.word_at(instance, "image") or _boot_image(instance)
    marks = [f"the label {_GKE_LABEL}"] if _GKE_LABEL in plain.words_at(instance, "labels") else []
    marks += [f"the attribute {name}" for name in ("cluster-name", "kube-env") if name in attributes]
    return InstanceData(
        image=image_path(image),
        name=plain.word_at(raw, "name") if instance is not raw else plain.word_at(instance, "name"),
        instance_id=_digits(plain.word_at(instance, "id")),
        zone=plain.word_at(instance, "zone").rpartition("/")[2],
        labels=_labels(attributes.get("kube-labels", "")),
        gke_marks=tuple(marks),
        kubelet_version=env.kubelet_version,
        runtime_endpoint=env.runtime_endpoint,
    )


def _attributes(instance: Yaml) -> dict[str, str]:
    """Give the instance's metadata as text, which Compute Engine's API has as a list, its metadata server as a table.

    It is not shortened: the labels stand in it whole. What is kept of it is cleaned then.
    """
    table = plain.at(instance, "attributes")
    pairs = list(table.items()) if isinstance(table, dict) else []
    for item in plain.items_at(instance, "metadata", "items"):
        pairs.append((plain.word_at(item, "key"), plain.at(item, "value")))
    return {str(key): value for key, value in pairs if isinstance(value, str)}


def _boot_image(instance: Yaml) -> str:
    for disk in plain.items_at(instance, "disks"):
        image = plain.word_at(disk, "initializeParams", "sourceImage")
        if image and plain.word_at(disk, "boot") == "True":
            return image
    return ""


def _kube_env(text: str) -> InstanceData:
    if not text:
        return InstanceData()
    try:
        return _from_kube_env(plain.load(text, "kube-env"))
    except ParseError:
        return InstanceData()


def _from_kube_env(raw: Yaml) -> InstanceData:
    """Take two values, and nothing else."""
    return InstanceData(
        kubelet_version=plain.word_at(raw, "KUBELET_VERSION"),
        runtime_endpoint=plain.word_at(raw, "CONTAINER_RUNTIME_ENDPOINT") or plain.word_at(raw, "CONTAINER_RUNTIME"),
    )


def _pool(raw: Yaml) -> InstanceData:
    """Take a node pool; the API writes image types in capitals, Google's documents in small letters."""
    named = plain.word_at(raw, "config", "imageType") or plain.word_at(raw, "imageType")
    known = {one.value for one in ImageType} - {ImageType.NONE.value, ImageType.UNKNOWN.value}
    return InstanceData(
        image_type=named.lower() if named.lower() in known else "",
        kubelet_version=plain.word_at(raw, "version"),
        gke_marks=("the node pool",),
    )


def _labels(text: str) -> dict[str, str]:
    return plain.clean_table(parse_labels(text))


def _named_by_gke(template: str) -> tuple[str, ...]:
    name = template.rpartition("/")[2]
    return ("the name of the instance template",) if name.startswith(("gke-", "gk3-")) else ()


def _digits(text: str) -> str:
    return text if text.isdecimal() else ""


def _with_evidence(found: InstanceData, path: str) -> InstanceData:
    told: dict[str, Evidence] = {}
    for name in InstanceData.__struct_fields__:
        value = getattr(found, name)
        if value:
            text = value if isinstance(value, str) else ", ".join(_pairs(value) if isinstance(value, dict) else value)
            told[name] = InputEvidence(option=OPTION, path=path, text=plain.clean(f"{name}: {text}"))
    return msgspec.structs.replace(found, evidence=told)


def _pairs(labels: dict[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in labels.items() if any(domain in key for domain in _DOMAINS)]
