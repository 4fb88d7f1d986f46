"""Where the node runs: the firmware's product name (DMI), and what cloud-init wrote down of the instance."""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.evidence import Evidence
from nodediag.model.reason import Code

NAMESPACE: Final = Namespace.MOUNT
PRODUCT_PATH: Final = "/sys/class/dmi/id/product_name"
DATA_PATH: Final = "/run/cloud-init/instance-data.json"


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """The instance; what is not told stays empty."""

    product: str
    cloud: str
    instance_id: str
    zone: str
    evidence: tuple[Evidence, ...]


class _V1(msgspec.Struct, frozen=True):
    cloud_name: str | None = None
    instance_id: str | None = None
    availability_zone: str | None = None


class _InstanceData(msgspec.Struct, frozen=True):
    v1: _V1 = _V1()


def collect(host: Host) -> Instance:
    """Read both; raises the ReadError of the firmware's name where neither is there."""
    product = data = None
    refusal: ReadError | None = None
    try:
        product = host.first_line(PRODUCT_PATH)
    except ReadError as error:
        refusal = error
    try:
        data = msgspec.json.decode(host.text(DATA_PATH), type=_InstanceData).v1
    except (ReadError, msgspec.MsgspecError, RecursionError):
        data = None
    if product is None and data is None and refusal is not None and refusal.reason.code is not Code.ABSENT:
        raise refusal
    return Instance(
        product=product.text if product else "",
        cloud=(data.cloud_name if data else "") or "",
        instance_id=(data.instance_id if data else "") or "",
        zone=((data.availability_zone if data else "") or "").rpartition("/")[2],
        evidence=(product.evidence,) if product else (),
    )
