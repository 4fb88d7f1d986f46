"""The node as the Kubernetes API has it: what `kubectl get node NAME -o json` or `-o yaml` prints, or a list of nodes.

What `kubectl describe node` and `kubectl get nodes -o wide` print will do too, see node_text.py.

See the Node type of Kubernetes' API reference. The kubelet writes `status.nodeInfo`, and the conditions Ready and
*Pressure; others, such as node-problem-detector, write conditions of their own.
"""

from typing import Final

import msgspec

from nodediag.errors import ParseError, UsageError
from nodediag.facts import plain
from nodediag.host.yaml_text import Yaml
from nodediag.model.evidence import NodeObjectEvidence
from nodediag.model.image import RuntimeName

OPTION: Final = "--node-object"
INSTANCE_ID: Final = "container.googleapis.com/instance_id"
ZONE: Final = "topology.kubernetes.io/zone"
_WANTED: Final = (
    "a Node, or a list of them, as `kubectl get node NAME -o json` prints (or -o yaml, -o wide, or describe)"
)
_NAMES_SHOWN: Final = 10
_MOST_CONDITIONS: Final = 200
_MOST_LABELS: Final = 1000
_INFO: Final = (
    "architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeletVersion", "machineID",
    "operatingSystem", "osImage", "systemUUID",
)  # fmt: skip


class NodeCondition(msgspec.Struct, frozen=True, kw_only=True):
    """One of `status.conditions`; times are as the API writes them, empty where it has none."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    heartbeat: str = ""
    changed: str = ""


class NodeObject(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the object that tell of the node; `info` is `status.nodeInfo`, by the API's names."""

    path: str
    name: str
    created: str = ""
    labels: dict[str, str] = {}
    instance_id: str = ""
    provider_id: str = ""
    info: dict[str, str] = {}
    conditions: tuple[NodeCondition, ...] = ()

    @property
    def runtime(self) -> tuple[RuntimeName, str]:
        """The runtime and its version, from `containerd://2.0.6`; a scheme that is none of a runtime's is unknown."""
        scheme, _, version = self.info.get("containerRuntimeVersion", "").partition("://")
        known = {one.value: one for one in (RuntimeName.CONTAINERD, RuntimeName.DOCKER, RuntimeName.CRI_O)}
        return known.get(scheme, RuntimeName.UNKNOWN), version

    def condition(self, kind: str) -> NodeCondition | None:
        """Give the condition of a type."""
        return next((one for one in self.conditions if one.type == kind), None)

    def evidence(self, field: str, text: str) -> NodeObjectEvidence:
        """Quote a field."""
        return NodeObjectEvidence(node=self.name, field=field, text=text)

    def info_evidence(self, key: str) -> NodeObjectEvidence:
        """Quote a field of nodeInfo."""
        return self.evidence(f"status.nodeInfo.{key}", self.info.get(key, ""))

    def label_evidence(self, key: str) -> NodeObjectEvidence:
        """Quote a label."""
        return self.evidence(f'metadata.labels["{key}"]', self.labels.get(key, ""))


class _Named(msgspec.Struct):
    metadata: dict[str, msgspec.Raw] = {}


class _Listed(msgspec.Struct):
    items: list[msgspec.Raw] | None = None


def read(path: str, text: str, name: str) -> NodeObject:
    """Read the object, or from a list the one of that name; raises ParseError, or UsageError for a name not there."""
    place = f"{OPTION} {path}"
    node = _picked(text, place, name)
    found = _made(path, node)
    if found is None:
        raise ParseError(place, None, _WANTED)
    if name and found.name != name:
        raise UsageError(f"{OPTION} {path}: it holds the node {found.name!r}, not {name!r}")
    return found


def _picked(text: str, place: str, name: str) -> Yaml:
    """Give the one node; of a long JSON list only the names are decoded, and then that node."""
    if text.lstrip().startswith("{"):
        data = text.encode("utf-8", "surrogatepass")
        try:
            items = msgspec.json.decode(data, type=_Listed).items
            if items is None:
                return plain.from_json(data, place)
            index = _index([_name_of(item) for item in items], place, name)
            return plain.from_json(items[index], place)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ParseError(place, None, f"{_WANTED}; {error}") from error
    from nodediag.facts import node_text  # noqa: PLC0415 - only where the text is no JSON

    loaded: Yaml = node_text.nodes(text)
    loaded = plain.load(text, place) if loaded is None else loaded
    nodes = loaded if isinstance(loaded, list) else plain.at(loaded, "items")
    if not isinstance(nodes, list):
        return loaded
    return nodes[_index([plain.word_at(node, "metadata", "name") for node in nodes], place, name)]


def _name_of(item: msgspec.Raw) -> str:
    name = msgspec.json.decode(item, type=_Named).metadata.get("name")
    return plain.word_at({"": msgspec.json.decode(name)}, "") if name is not None else ""


def _index(names: list[str], place: str, name: str) -> int:
    if not names:
        raise ParseError(place, None, f"{_WANTED}; the list is empty")
    if not name and len(names) == 1:
        return 0
    if not any(names):
        raise ParseError(place, None, _WANTED)
    if name in names and name:
        return names.index(name)
    shown = ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
    told = f"there is no node {name!r} in it" if name else "it holds several nodes: name one with --node"
    raise UsageError(f"{place}: {told}; there are {shown}")


def _made(path: str, node: Yaml) -> NodeObject | None:
    """Take what tells of the node; an excerpt that begins at `status` or `nodeInfo` will do."""
    status = plain.at(node, "status")
    status = status if isinstance(status, dict) else node
    kind = plain.word_at(node, "kind")
    info = {key: word for key in _INFO if (word := plain.word_at(status, "nodeInfo", key))}
    name = plain.word_at(node, "metadata", "name")
    if kind not in {"Node", ""} or not (info or (kind and name)):
        return None
    labels = dict(list(plain.words_at(node, "metadata", "labels").items())[:_MOST_LABELS])
    return NodeObject(
        path=path,
        name=name or "unknown",
        created=plain.word_at(node, "metadata", "creationTimestamp"),
        labels=labels,
        instance_id=plain.words_at(node, "metadata", "annotations").get(INSTANCE_ID, ""),
        provider_id=plain.word_at(node, "spec", "providerID"),
        info=info,
        conditions=_conditions(status),
    )


def _conditions(status: Yaml) -> tuple[NodeCondition, ...]:
    found = [
        NodeCondition(
            type=plain.word_at(one, "type"),
            status=plain.word_at(one, "status"),
            reason=plain.word_at(one, "reason"),
            message=plain.word_at(one, "message"),
            heartbeat=plain.word_at(one, "lastHeartbeatTime"),
            changed=plain.word_at(one, "lastTransitionTime"),
        )
        for one in plain.items_at(status, "conditions")[:_MOST_CONDITIONS]
    ]
    return tuple({one.type: one for one in found if one.type}.values())
