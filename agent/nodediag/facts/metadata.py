"""What Compute Engine's metadata server tells of the instance; asked for only where there is one."""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts import plain
from nodediag.facts.fact import Fact, Known
from nodediag.facts.instance import Instance
from nodediag.facts.instance_data import InstanceData, image_path
from nodediag.facts.kubelet import parse_labels
from nodediag.host.host import Host
from nodediag.model.evidence import Evidence, HttpEvidence
from nodediag.model.reason import Code, Reason

GOOGLE: Final = "Google"  # the firmware says "Google Compute Engine"; on machines of the first years "Google"
IMAGE: Final = "instance/image"
CLUSTER: Final = "instance/attributes/cluster-name"
LABELS: Final = "instance/attributes/kube-labels"
ID: Final = "instance/id"
ZONE: Final = "instance/zone"
KEYS: Final = (IMAGE, ID, ZONE, CLUSTER, LABELS)  # never kube-env, which holds keys
_FIELDS: Final = {IMAGE: "image", ID: "instance_id", ZONE: "zone", CLUSTER: "gke_marks", LABELS: "labels"}


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Whether to ask, and which server; one that was named is asked whatever the firmware says."""

    wanted: bool = True
    server: str = ""


def collect(host: Host, instance: Fact[Instance], asking: Asking) -> InstanceData:
    """Ask; raises ReadError where that is not wanted, or where there is no such server."""
    if not asking.wanted:
        raise _refused(Code.NOT_ASKED, "the metadata server was not asked (--no-metadata)")
    if not asking.server:
        _must_be_on_gce(instance)
    answer = host.metadata(KEYS, asking.server)
    told = answer.values
    evidence: dict[str, Evidence] = {
        _FIELDS[key]: HttpEvidence(
            url=f"http://{answer.address}/computeMetadata/v1/{key}", server=answer.server, text=plain.clean(value)
        )
        for key, value in told.items()
        if key in _FIELDS
    }
    return InstanceData(
        image=image_path(told.get(IMAGE, "")),
        instance_id=plain.clean(told.get(ID, "")),
        zone=plain.clean(told.get(ZONE, "")).rpartition("/")[2],
        labels=plain.clean_table(parse_labels(told.get(LABELS, ""))),
        gke_marks=("the attribute cluster-name",) if told.get(CLUSTER) else (),
        server=answer.server,
        hidden={_FIELDS[key]: reason for key, reason in answer.refused.items() if key in _FIELDS},
        evidence=evidence,
    )


def _must_be_on_gce(instance: Fact[Instance]) -> None:
    if not isinstance(instance, Known):
        raise ReadError("the metadata server", instance.reason)
    product = instance.value.product
    if not product.startswith(GOOGLE):
        detail = f"only Compute Engine has a metadata server; the firmware names {product or 'no product'}"
        raise _refused(Code.NOT_ASKED, detail)


def _refused(code: Code, detail: str) -> ReadError:
    reason = Reason(code=code, detail=detail, needs="the metadata server of Compute Engine, or --instance FILE")
    return ReadError("the metadata server", reason)
