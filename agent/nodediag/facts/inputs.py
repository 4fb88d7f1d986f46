"""Files that options name and that tell of the node beside what is read from it, read and made small.

A recording keeps them as they are here, so that it gives the same report without the files.
"""

from typing import Final, TypeVar

import msgspec

from nodediag.errors import ParseError, UsageError
from nodediag.facts import gke_versions, instance_data, node_object
from nodediag.facts.counters import Counters
from nodediag.facts.fact import Fact, Known, Unknown
from nodediag.facts.gke_versions import VersionMap
from nodediag.facts.instance_data import InstanceData
from nodediag.facts.metadata import Asking
from nodediag.facts.node_name import NodeName
from nodediag.facts.node_object import NodeObject
from nodediag.model.reason import Code, Reason

INPUTS: Final = "inputs.json"  # in a recording

T = TypeVar("T")


class File(msgspec.Struct, frozen=True):
    """A file of ours: its path as it was given, and its text."""

    path: str
    text: str


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What was given; what was not is unset."""

    node_name: NodeName | msgspec.UnsetType = msgspec.UNSET
    node_object: NodeObject | msgspec.UnsetType = msgspec.UNSET
    instance: InstanceData | msgspec.UnsetType = msgspec.UNSET
    gke_versions: VersionMap | msgspec.UnsetType = msgspec.UNSET
    metadata: Asking = Asking()
    earlier: Counters | msgspec.UnsetType = msgspec.UNSET


NO_INPUTS: Final = Inputs()


def read(
    *, node: File | None, name: str, instance: tuple[File, ...], versions: File | None, metadata: Asking
) -> Inputs:
    """Read what options name; raises UsageError naming option, file, and what was wanted."""
    try:
        return Inputs(
            node_object=node_object.read(node.path, node.text, name) if node else msgspec.UNSET,
            instance=instance_data.joined(tuple(instance_data.read(one.path, one.text) for one in instance))
            if instance
            else msgspec.UNSET,
            gke_versions=gke_versions.read(versions.path, versions.text) if versions else msgspec.UNSET,
            metadata=metadata,
        )
    except ParseError as error:
        raise UsageError(error.reason.detail) from error


def laid(kept: Inputs, given: Inputs) -> Inputs:
    """Lay what is given now over what a recording kept; how its metadata server was asked stays as it was."""
    return Inputs(
        node_name=kept.node_name if given.node_name is msgspec.UNSET else given.node_name,
        node_object=kept.node_object if given.node_object is msgspec.UNSET else given.node_object,
        instance=kept.instance if given.instance is msgspec.UNSET else given.instance,
        gke_versions=kept.gke_versions if given.gke_versions is msgspec.UNSET else given.gke_versions,
        metadata=kept.metadata,
        earlier=kept.earlier if given.earlier is msgspec.UNSET else given.earlier,
    )


def encoded(inputs: Inputs) -> bytes:
    """Give what a recording keeps."""
    return msgspec.json.encode(inputs)


def kept(data: bytes | None) -> Inputs:
    """Give what a recording holds; raises UsageError where that is none of ours."""
    if data is None:
        return NO_INPUTS
    try:
        return msgspec.json.decode(data, type=Inputs)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{INPUTS} of the recording is not what `report --record` writes: {error}") from error


def fact(value: T | msgspec.UnsetType, needs: str, what: str) -> Fact[T]:
    """Give what was given as a fact; `needs` is how it is given."""
    if isinstance(value, msgspec.UnsetType):
        return Unknown(Reason(code=Code.NOT_ASKED, detail=f"{what} was not given ({needs})", needs=needs))
    return Known(value)
